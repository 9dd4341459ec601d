"""``durajob timeline``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write it as a page.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Show when each attempt of a thread ran."""
    from durajob.commands.timeline import MADE_BY, timeline, write_page
    from durajob.render import screens

    session: Session = ctx.obj.begin("timeline", json=json, quiet=quiet)
    found = timeline(thread, settings=session.settings(), page=html)
    printer = session.printer()
    if html is not None:
        write_page(Path(html), screens.webpage(printer, found, made_by=MADE_BY))
    return screens.timeline(printer, found)
