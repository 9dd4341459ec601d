"""``durajob doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    no_definitions: Annotated[
        bool,
        typer.Option(
            "--no-definitions", help="Load no workflow, as the check of definitions does."
        ),
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Check the store, the machine and the clock."""
    from durajob.commands.doctor import doctor

    session: Session = ctx.obj.begin("doctor", json=json, quiet=quiet)
    result = doctor(settings=session.settings(), definitions=not no_definitions)
    return session.printer().result(result)
