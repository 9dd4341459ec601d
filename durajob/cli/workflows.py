"""``durajob workflows``."""

from __future__ import annotations

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(ctx: typer.Context, json: Json = False, quiet: Quiet = False) -> int:
    """List the workflows that can be started."""
    from durajob.commands.workflows import workflows

    session: Session = ctx.obj.begin("workflows", json=json, quiet=quiet)
    return session.printer().result(workflows(settings=session.settings()))
