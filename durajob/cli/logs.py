"""``durajob logs``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, JsonLines, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    step: Annotated[
        str | None, typer.Argument(metavar="[STEP]", help="Only this step, and its branches.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the thread has ended.")
    ] = False,
    attempt: Annotated[
        str | None, typer.Option(metavar="N", help="Only the attempts of this number.")
    ] = None,
    tail: Annotated[
        str | None, typer.Option(metavar="N", help="Begin with the last N lines.")
    ] = None,
    json_lines: JsonLines = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Show what the steps of a thread printed and logged."""
    from durajob.commands.logs import logs
    from durajob.render import screens

    session: Session = ctx.obj.begin("logs", json=json, quiet=quiet)
    session.refuse_two_forms(follow or json_lines)
    settings = session.settings()
    found = logs(thread, settings=settings, step=step, attempt=attempt, tail=tail, follow=follow)
    try:
        return screens.log(session.printer(), found, json_lines=json_lines)
    except KeyboardInterrupt:
        if follow:
            return 130  # how one stops following
        raise
