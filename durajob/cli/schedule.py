"""``durajob schedule``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    action: Annotated[
        str | None, typer.Argument(metavar="[next|backfill|install]", help="What else to do.")
    ] = None,
    of: Annotated[
        str | None, typer.Argument(metavar="[WORKFLOW]", help="The workflow to backfill.")
    ] = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="WORKFLOW", help="Only slots of this workflow.")
    ] = None,
    number: Annotated[
        str, typer.Option("-n", "--limit", metavar="N", help="Show so many slots.")
    ] = "20",
    first: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="The first slot of a backfill.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="The last slot of a backfill.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run the plan without asking.")] = False,
    cron: Annotated[bool, typer.Option("--cron", help="Print crontab lines.")] = False,
    systemd: Annotated[bool, typer.Option("--systemd", help="Print systemd units.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Show what became of slots, which are to come; run past ones."""
    from durajob.commands import schedule

    session: Session = ctx.obj.begin("schedule", json=json, quiet=quiet)
    chosen = schedule.Choice(
        action=action,
        of=of,
        workflow=workflow,
        limit=number,
        first=first,
        last=last,
        yes=yes,
        cron=cron,
        systemd=systemd,
    )
    return session.printer().result(schedule.schedule(chosen, settings=session.settings()))
