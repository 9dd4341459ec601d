"""Options that several verbs take, said once."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON envelope on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing when all is well.")]
JsonLines = Annotated[
    bool, typer.Option("--json-lines", help="Print one JSON object a line, as they come.")
]
OnBusy = Annotated[
    str | None,
    typer.Option(metavar="fail|skip|wait", help="What to do when another process owns it."),
]
Timeout = Annotated[
    str | None,
    typer.Option(metavar="DURATION", help="Stop after so long; the thread can be resumed."),
]
Detach = Annotated[
    bool, typer.Option("-d", "--detach", help="Let it run in the background, and return.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept with who and when.")
]
Updates = Annotated[
    list[str] | None,
    typer.Option("-i", "--input", metavar="KEY=TEXT|KEY:=JSON", help="One state update."),
]
