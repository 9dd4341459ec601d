"""``durajob export``."""

from __future__ import annotations

from typing import Annotated

import typer

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session
from durajob.errors import UsageError


def command(
    ctx: typer.Context,
    threads: Annotated[
        list[str] | None,
        typer.Argument(metavar="[THREAD]...", help="Thread ids, or their beginnings."),
    ] = None,
    all_threads: Annotated[bool, typer.Option("--all", help="Every thread of the store.")] = False,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write there, else to stdout."),
    ] = None,
    no_logs: Annotated[bool, typer.Option("--no-logs", help="Leave the logs out.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Write threads to a file, to keep them or to import them elsewhere."""
    from durajob.commands.export import export

    session: Session = ctx.obj.begin("export", json=json, quiet=quiet)
    if output is None and session.json:
        raise UsageError("with --json an export goes to a file", hint="name one with -o FILE")
    result = export(
        tuple(threads or ()),
        settings=session.settings(),
        all_threads=all_threads,
        file=output,
        logs=not no_logs,
        write=session.out.write,
    )
    return session.printer().result(result)
