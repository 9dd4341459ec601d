"""``durajob cancel``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; kept with the thread.")
    ] = None,
    grace: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="How long a step in flight may take (10s)."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """End a thread for good, and undo what its steps have done."""
    from durajob.cli.driving import drive
    from durajob.commands.cancel import cancel

    session: Session = ctx.obj.begin("cancel", json=json, quiet=quiet)
    settings = session.settings()
    return drive(
        session,
        lambda observer: cancel(
            thread, settings=settings, reason=reason, grace=grace, observer=observer
        ),
    )
