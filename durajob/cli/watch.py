"""``durajob watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session
from durajob.errors import UsageError

if TYPE_CHECKING:
    from durajob.render.pump import Painter


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    json_lines: Annotated[
        bool, typer.Option("--json-lines", help="Print one JSON object a change.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Watch a thread that another process drives, until it has ended."""
    from durajob.commands.watch import watch
    from durajob.render import screens

    session: Session = ctx.obj.begin("watch", json=json, quiet=quiet)
    if session.json and json_lines:
        raise UsageError(
            "--json prints one envelope, when the thread has ended", hint="use --json-lines alone"
        )
    watching = watch(thread, settings=session.settings())
    printer = session.printer()
    try:
        return screens.watched(printer, watching, lambda: _painter(session), json_lines=json_lines)
    except KeyboardInterrupt:
        if session.json:
            raise
        printer.note(f"no longer watched; thread {watching.thread} is left as it is")
        return 130


def _painter(session: Session) -> Painter:
    if session.draws(session.out):
        from durajob.render.live import Live

        return Live(session.out, color=session.printer().out_color)
    from durajob.render.lines import Lines

    return Lines(session.out)
