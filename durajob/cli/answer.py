"""``durajob answer``."""

from __future__ import annotations

import re
from itertools import islice
from typing import Annotated, Any

import typer
import typer.core

from durajob.cli.options import Detach, Json, OnBusy, Quiet, Timeout
from durajob.cli.session import Session

_OPTION = re.compile(r"--[a-z][a-z-]*(=.*)?", re.DOTALL)


class Command(typer.core.TyperCommand):
    """Takes an argument that begins with a dash for a value, unless it reads like an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the arguments behind the options."""
        flags = {name for param in self.params for name in (*param.opts, *param.secondary_opts)}
        valued = {
            name
            for param in self.params
            if not getattr(param, "is_flag", True)
            for name in param.opts
        }
        options: list[str] = []
        arguments: list[str] = []
        left = iter(args)
        for word in left:
            if word == "--":
                arguments.extend(left)
            elif word in flags | {"-h", "--help"} or _OPTION.fullmatch(word):
                options.append(word)
                if word in valued:
                    options.extend(islice(left, 1))
            else:
                arguments.append(word)
        return super().parse_args(ctx, [*options, "--", *arguments])


def command(
    ctx: typer.Context,
    thread: Annotated[str, typer.Argument(metavar="THREAD", help="A thread id, or its beginning.")],
    value: Annotated[
        str, typer.Argument(metavar="VALUE", help="JSON; what is no JSON is taken as text.")
    ],
    question: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Which question, where there are several: id or step."),
    ] = None,
    no_resume: Annotated[bool, typer.Option("--no-resume", help="Only record the answer.")] = False,
    on_busy: OnBusy = None,
    timeout: Timeout = None,
    detach: Detach = False,
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Answer what a thread asks, and go on with it."""
    from durajob.cli.driving import drive
    from durajob.commands.answer import answer

    session: Session = ctx.obj.begin("answer", json=json, quiet=quiet)
    settings = session.settings()
    return drive(
        session,
        lambda observer: answer(
            thread,
            value,
            settings=settings,
            question=question,
            resume=not no_resume,
            on_busy=on_busy,
            timeout=timeout,
            detach=detach,
            observer=observer,
        ),
    )
