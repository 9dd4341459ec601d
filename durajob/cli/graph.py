"""``durajob graph``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="WORKFLOW|THREAD", help="A workflow, or a thread id.")
    ],
    form: Annotated[
        str, typer.Option("--format", metavar="tree|mermaid|svg", help="How to draw it.")
    ] = "tree",
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Draw the steps of a workflow, with a thread's progress on them."""
    from durajob.commands.graph import graph
    from durajob.render import screens

    session: Session = ctx.obj.begin("graph", json=json, quiet=quiet)
    picture = graph(name, settings=session.settings(), form=form)
    return screens.graph(session.printer(), picture)
