"""``durajob init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    folder: Annotated[
        str, typer.Argument(metavar="[FOLDER]", help="Where to write; made if need be.")
    ] = ".",
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Write a starter workflows.toml with a runnable example."""
    from durajob.commands.init import init

    session: Session = ctx.obj.begin("init", json=json, quiet=quiet)
    return session.printer().result(init(Path(folder)))
