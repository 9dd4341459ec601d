"""``durajob list``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    status: Annotated[
        list[str] | None,
        typer.Option(metavar="STATUS", help="Only threads of this status; may be repeated."),
    ] = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="WORKFLOW", help="Only threads of this workflow.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Only threads created since, such as 2h or 1d."),
    ] = None,
    limit: Annotated[str, typer.Option(metavar="N", help="Show so many at most.")] = "50",
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """List threads, newest first."""
    from durajob.commands.list_threads import list_threads

    session: Session = ctx.obj.begin("list", json=json, quiet=quiet)
    found = list_threads(
        settings=session.settings(),
        status=tuple(status or ()),
        workflow=workflow,
        since=since,
        limit=limit,
    )
    return session.printer().result(found)
