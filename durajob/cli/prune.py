"""``durajob prune``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session

if TYPE_CHECKING:
    from durajob.pruning import Pruned


def command(
    ctx: typer.Context,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Only what ended so long ago, such as 30d."),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS", help="Only completed, cancelled or failed threads; may be repeated."
        ),
    ] = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="WORKFLOW", help="Only threads of this workflow.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many threads and bytes; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    compact: Annotated[
        bool,
        typer.Option(
            "--compact", help="Write the store's file anew at the end, while others wait."
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Delete threads that have ended, and spent checkpoints."""
    from durajob.commands.prune import prune

    session: Session = ctx.obj.begin("prune", json=json, quiet=quiet)
    session.may_destroy(yes or dry_run, "prune deletes threads for good")
    settings = session.settings()

    def run(*, dry_run: bool) -> Pruned:
        return prune(
            settings=settings,
            older_than=older_than,
            status=tuple(status or ()),
            workflow=workflow,
            dry_run=dry_run,
            compact=compact,
        )

    if dry_run or yes:
        return session.printer().result(run(dry_run=dry_run))
    session.printer().result(run(dry_run=True))
    if not session.confirms("Delete them?"):
        return 0
    return session.printer().result(run(dry_run=False))
