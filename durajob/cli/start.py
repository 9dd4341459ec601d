"""``durajob start``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Detach, Json, OnBusy, Quiet, Timeout
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="See: durajob workflows")],
    thread: Annotated[
        str | None, typer.Option("-t", "--thread", metavar="ID", help="The new thread's id.")
    ] = None,
    input_pairs: Annotated[
        list[str] | None,
        typer.Option(
            "-i",
            "--input",
            metavar="KEY=TEXT|KEY:=JSON",
            help="One value of the input; may be repeated.",
        ),
    ] = None,
    input_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A JSON object; - reads standard input."),
    ] = None,
    on_exists: Annotated[
        str | None,
        typer.Option(metavar="fail|resume|skip", help="What to do when the thread exists."),
    ] = None,
    on_busy: OnBusy = None,
    timeout: Timeout = None,
    slot: Annotated[
        str | None, typer.Option(metavar="TIME", help="The scheduled time that this run is for.")
    ] = None,
    detach: Detach = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Start a workflow as a new thread and drive it to its end."""
    from durajob.cli.driving import drive
    from durajob.commands.start import start

    session: Session = ctx.obj.begin("start", json=json, quiet=quiet)
    settings = session.settings()
    return drive(
        session,
        lambda observer: start(
            workflow,
            settings=settings,
            thread=thread,
            input_pairs=tuple(input_pairs or ()),
            input_file=input_file,
            on_exists=on_exists,
            on_busy=on_busy,
            timeout=timeout,
            slot=slot,
            detach=detach,
            observer=observer,
        ),
    )
