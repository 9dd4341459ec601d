"""``durajob metrics``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Replace this file, rather than print."),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Figures of the store, in Prometheus' text format."""
    from durajob.commands.metrics import metrics

    session: Session = ctx.obj.begin("metrics", json=json, quiet=quiet)
    return session.printer().result(metrics(settings=session.settings(), output=output))
