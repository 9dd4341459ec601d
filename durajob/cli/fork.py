"""``durajob fork``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet, Updates
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    step: Annotated[
        str, typer.Option("--from", metavar="STEP", help="The step that the fork goes on with.")
    ],
    visit: Annotated[
        int | None, typer.Option(metavar="N", help="Which visit of the step (the last).")
    ] = None,
    update: Updates = None,
    new: Annotated[
        str | None, typer.Option("-t", "--thread", metavar="ID", help="The fork's thread id.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; kept with who and when.")
    ] = None,
    accept_change: Annotated[
        bool, typer.Option("--accept-change", help="Although the workflow's shape has changed.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Make a new thread from the checkpoint before a step."""
    from durajob.cli.driving import drive
    from durajob.commands.fork import fork

    session: Session = ctx.obj.begin("fork", json=json, quiet=quiet)
    settings = session.settings()
    return drive(
        session,
        lambda observer: fork(
            thread,
            settings=settings,
            step=step,
            visit=visit,
            updates=update or [],
            new=new,
            reason=reason,
            accept_change=accept_change,
        ),
    )
