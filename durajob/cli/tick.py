"""``durajob tick``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when what was begun has ended, and say how.")
    ] = False,
    drive: Annotated[
        bool, typer.Option("--drive", help="Be the process in the background that drives threads.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Begin what is due: slots, sleepers, what was interrupted."""
    from durajob.commands.tick import tick

    session: Session = ctx.obj.begin("tick", json=json, quiet=quiet)
    printer = session.printer()
    result = tick(settings=session.settings(), wait=wait, drive=drive, report=printer.recovered)
    return printer.ticked(result)
