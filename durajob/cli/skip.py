"""``durajob skip``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet, Reason
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    step: Annotated[str, typer.Argument(metavar="STEP", help="As status names it: load, work[3].")],
    reason: Reason,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Go on without a step."""
    from durajob.cli.driving import drive
    from durajob.commands.skip import skip

    session: Session = ctx.obj.begin("skip", json=json, quiet=quiet)
    settings = session.settings()
    return drive(session, lambda observer: skip(thread, step, settings=settings, reason=reason))
