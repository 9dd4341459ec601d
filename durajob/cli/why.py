"""``durajob why``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Say why a thread stands where it stands, and what moves it."""
    from durajob.commands.why import why
    from durajob.render import screens

    session: Session = ctx.obj.begin("why", json=json, quiet=quiet)
    return screens.why(session.printer(), why(thread, settings=session.settings()))
