"""``durajob status``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session
from durajob.errors import UsageError
from durajob.model import ThreadResult


def command(
    ctx: typer.Context,
    thread: Annotated[
        str | None, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Cut nothing: values, errors, branches of a fan-out.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Show one thread whole, or how many there are of each status."""
    from durajob.commands.status import status

    session: Session = ctx.obj.begin("status", json=json, quiet=quiet)
    if full and thread is None:
        raise UsageError("--full shows one thread", hint="durajob status THREAD --full")
    found = status(thread, settings=session.settings())
    if full and isinstance(found, ThreadResult):
        from durajob.render.screens import whole_thread

        return whole_thread(session.printer(), found)
    return session.printer().result(found)
