"""``durajob validate``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[WORKFLOW]...", help="All, when none is named.")
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Check every definition, or those named, by loading it."""
    from durajob.commands.validate import validate

    session: Session = ctx.obj.begin("validate", json=json, quiet=quiet)
    return session.printer().result(validate(settings=session.settings(), names=names or ()))
