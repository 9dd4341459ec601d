"""``durajob complete``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet, Reason, Updates
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    step: Annotated[str, typer.Argument(metavar="STEP", help="As status names it: load, work[3].")],
    reason: Reason,
    update: Updates = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Say that a step was done by hand, with what it found out."""
    from durajob.cli.driving import drive
    from durajob.commands.complete import complete

    session: Session = ctx.obj.begin("complete", json=json, quiet=quiet)
    settings = session.settings()
    return drive(
        session,
        lambda observer: complete(
            thread, step, settings=settings, updates=update or [], reason=reason
        ),
    )
