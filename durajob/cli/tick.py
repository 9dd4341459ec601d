"""``durajob tick``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session

if TYPE_CHECKING:
    from durajob.recovery import Recovered
    from durajob.supervisor import Supervisor


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
    from durajob.render import screens

    session: Session = ctx.obj.begin("tick", json=json, quiet=quiet)
    printer = session.printer()
    supervisor = _supervisor()

    def report(outcome: Recovered) -> None:
        if supervisor is not None:
            thread = outcome.thread
            supervisor.status(f"thread {thread.thread}: {thread.status.value}", important=True)
        screens.recovered(printer, outcome)

    result = tick(settings=session.settings(), wait=wait, drive=drive, report=report)
    status = screens.ticked(printer, result)
    if supervisor is not None:
        supervisor.end()
    return status


def _supervisor() -> Supervisor | None:
    """The service manager, told that the tick is at work; what drives threads for it is not to
    speak to that one, too."""
    if "NOTIFY_SOCKET" not in os.environ:
        return None
    from durajob.supervisor import Supervisor

    supervisor = Supervisor.asked_for(os.environ)
    if supervisor is not None:
        supervisor.begin()
    return supervisor
