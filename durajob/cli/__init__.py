"""Typer, and nothing else: arguments in, a command called, its result shown, a status out.

A verb is a file, loaded when it is called. ``main`` is the one place where exceptions become
an exit status. Typer is imported here only.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from durajob.cli.session import Session
from durajob.errors import DurajobError
from durajob.model import ErrorInfo
from durajob.render.sink import abandon_unwritten, fill_standard_descriptors


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (else ``sys.argv[1:]``); the exit status."""
    fill_standard_descriptors()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if shell := os.environ.get("_DURAJOB_COMPLETE"):
        from durajob.cli.completion import complete

        return complete(shell, arguments)
    session = Session(arguments)
    try:
        with _interruptible():
            return _run(session, arguments)
    except KeyboardInterrupt:
        error = ErrorInfo(code="interrupted", message="interrupted")
        return session.printer().error(error, 130)
    except DurajobError as error:
        return session.refused(error)
    except Exception as error:
        return _bug(session, error)
    finally:
        abandon_unwritten()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt inside; before and after, it is as it was."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run(session: Session, arguments: list[str]) -> int:
    import typer

    from durajob.cli.app import build
    from durajob.cli.usage import explain

    try:
        with build().make_context("durajob", arguments, obj=session) as context:
            status = context.command.invoke(context)
            return status if isinstance(status, int) else 0
    except typer.Exit as exit_:  # help or the version was shown
        return exit_.exit_code
    except typer.TyperException as error:
        command, usage = explain(error)
        session.command = command
        raise usage from error
    except OSError:
        if session.begun:
            raise
        return 0  # nobody took the help text


def _bug(session: Session, error: Exception) -> int:
    hint = None if session.debug else "run it again with durajob --debug … to see where"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    info = ErrorInfo(code="internal", message=f"this is a bug in durajob: {said}", hint=hint)
    return session.printer().error(info, 70, details=_traceback(session, error))


def _traceback(session: Session, error: BaseException) -> str:
    if not session.debug:
        return ""
    import traceback

    return "".join(traceback.format_exception(error))
