"""``durajob recover``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    workflow: Annotated[
        str | None, typer.Option(metavar="WORKFLOW", help="Only threads of this workflow.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which would be resumed; change nothing.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when all have ended, and say how.")
    ] = False,
    jobs: Annotated[
        str | None,
        typer.Option("-j", "--jobs", metavar="N", help="Drive so many at once; 4 unless said."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Resume every thread whose owner is gone, oldest first."""
    from durajob.commands.recover import recover
    from durajob.engine.signals import before_abort
    from durajob.render import screens

    session: Session = ctx.obj.begin("recover", json=json, quiet=quiet)
    printer = session.printer()

    def abort() -> None:
        printer.interrupted(None)

    before_abort.append(abort)
    result = recover(
        settings=session.settings(),
        workflow=workflow,
        dry_run=dry_run,
        wait=wait,
        jobs=jobs,
        report=lambda outcome: screens.recovered(printer, outcome),
    )
    before_abort.remove(abort)
    return printer.result(result)
