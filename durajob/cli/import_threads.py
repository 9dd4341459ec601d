"""``durajob import``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What durajob export has written.")],
    on_exists: Annotated[
        str, typer.Option(metavar="fail|skip", help="What to do where a thread id is taken.")
    ] = "fail",
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Import threads that were exported, into this store."""
    from durajob.commands.import_threads import import_threads

    session: Session = ctx.obj.begin("import", json=json, quiet=quiet)
    result = import_threads(file, settings=session.settings(), on_exists=on_exists)
    return session.printer().result(result)
