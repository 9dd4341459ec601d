"""``durajob resume``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Detach, Json, OnBusy, Quiet, Timeout
from durajob.cli.session import Session


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    on_busy: OnBusy = None,
    timeout: Timeout = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="End a stuck owner on this machine first.")
    ] = False,
    here: Annotated[
        bool,
        typer.Option("--here", help="Adopt this folder, interpreter and PATH from now on."),
    ] = False,
    reset_resumes: Annotated[
        bool, typer.Option("--reset-resumes", help="Count resumes and crashes from 0 again.")
    ] = False,
    accept_change: Annotated[
        bool,
        typer.Option("--accept-change", help="Go on although the workflow's shape has changed."),
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what it would do, and change nothing.")
    ] = False,
    if_epoch: Annotated[
        str | None,
        typer.Option(metavar="N", help="Leave it alone if it was claimed since this epoch."),
    ] = None,
    detach: Detach = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Go on with a thread at the step that had not finished."""
    session: Session = ctx.obj.begin("resume", json=json, quiet=quiet)
    settings = session.settings()
    if plan:
        from durajob.commands.plan import plan as planned

        return session.printer().result(
            planned(
                thread,
                settings=settings,
                take_over=take_over,
                here=here,
                reset_resumes=reset_resumes,
                accept_change=accept_change,
            )
        )
    from durajob.cli.driving import drive
    from durajob.commands.resume import resume

    return drive(
        session,
        lambda observer: resume(
            thread,
            settings=settings,
            on_busy=on_busy,
            timeout=timeout,
            detach=detach,
            take_over=take_over,
            here=here,
            reset_resumes=reset_resumes,
            accept_change=accept_change,
            if_epoch=if_epoch,
            observer=observer,
        ),
    )
