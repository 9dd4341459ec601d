"""``durajob approvals``."""

from __future__ import annotations

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(ctx: typer.Context, json: Json = False, quiet: Quiet = False) -> int:
    """List the threads that wait for a person, with what they ask."""
    from durajob.commands.approvals import approvals

    session: Session = ctx.obj.begin("approvals", json=json, quiet=quiet)
    return session.printer().result(approvals(settings=session.settings()))
