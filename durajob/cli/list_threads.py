"""``durajob list``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, JsonLines, Quiet
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
    json_lines: JsonLines = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """List threads, newest first."""
    session: Session = ctx.obj.begin("list", json=json, quiet=quiet)
    session.refuse_two_forms(json_lines)
    settings, asked = session.settings(), tuple(status or ())
    if json_lines:
        from durajob.commands.list_threads import each_thread

        threads = each_thread(
            settings=settings, status=asked, workflow=workflow, since=since, limit=limit
        )
        return session.printer().threads(threads)
    if session.json and not session.secrets:  # what one thread holds may be secret in all
        from durajob.commands.list_threads import long_list

        found_many = long_list(
            settings=settings, status=asked, workflow=workflow, since=since, limit=limit
        )
        if found_many is not None:
            return session.printer().long_list(*found_many, store=settings.store.url)
    from durajob.commands.list_threads import list_threads

    found = list_threads(
        settings=settings, status=asked, workflow=workflow, since=since, limit=limit
    )
    return session.printer().result(found)
