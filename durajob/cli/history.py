"""``durajob history``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, JsonLines, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    tail: Annotated[str | None, typer.Option(metavar="N", help="Only the last N entries.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Show errors whole, with their tracebacks.")
    ] = False,
    json_lines: JsonLines = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Show all that happened to a thread, in order."""
    from durajob.commands.history import history
    from durajob.render import screens

    session: Session = ctx.obj.begin("history", json=json, quiet=quiet)
    session.refuse_two_forms(json_lines)
    found = history(thread, settings=session.settings(), tail=tail)
    return screens.history(session.printer(), found, json_lines=json_lines, full=full)
