"""``durajob status``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[
        str | None, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Show one thread whole, or how many there are of each status."""
    from durajob.commands.status import status

    session: Session = ctx.obj.begin("status", json=json, quiet=quiet)
    return session.printer().result(status(thread, settings=session.settings()))
