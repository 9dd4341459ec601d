"""The application: global options, and verbs that are imported when they are called."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any, Literal

import typer
import typer.core
import typer.main

from durajob.cli.options import Json, Quiet
from durajob.cli.session import Session
from durajob.cli.verbs import GROUPS, VERBS, Verb
from durajob.errors import UsageError

_PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,  # Rich is not for help and errors: it costs more than they do
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 100},
}

_WIDEST = max(map(len, VERBS))


def build() -> Any:
    """The whole command line as Typer's command object."""
    app = typer.Typer(cls=_VerbGroup, **_PLAIN)
    app.callback()(_global_options)
    return typer.main.get_command(app)


class _VerbGroup(typer.core.TyperGroup):
    """Finds verbs in the table, and builds the one that is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs, in the table's order."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb ``cmd_name``, or None."""
        verb = VERBS.get(cmd_name)
        return None if verb is None else _load(cmd_name, verb)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb that ``args`` begins with; its nearest neighbour is the hint."""
        if args[0] in VERBS:
            return super().resolve_command(ctx, args)
        near = get_close_matches(args[0], VERBS, n=1)
        hint = f"did you mean durajob {near[0]}?" if near else "durajob --help"
        raise UsageError(f"no such command {args[0]!r}", hint=hint)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """List the verbs for ``--help`` from the table alone."""
        for group, verbs in GROUPS.items():
            with formatter.section(group):
                # As wide as the longest of all, so that what they do stands in one column.
                told = [(f"{name:<{_WIDEST}}", verb.help) for name, verb in verbs.items()]
                formatter.write_dl(told)


def _load(name: str, verb: Verb) -> Any:
    module = import_module(f"durajob.cli.{verb.module}")
    app = typer.Typer(**_PLAIN)
    examples = "\n".join(f"  {example}" for example in verb.examples)
    kind = getattr(module, "Command", None)
    epilog = f"\b\nExamples:\n{examples}"
    app.command(name, cls=kind, help=verb.help, epilog=epilog)(module.command)
    return typer.main.get_command(app)


def _show_version(ctx: typer.Context, value: bool) -> None:
    if value:
        from importlib.metadata import version

        session: Session = ctx.obj
        session.out.write(f"durajob {version('durajob')}\n")
        raise typer.Exit


def _show_completion(ctx: typer.Context, value: str | None) -> None:
    if value is not None:
        from durajob.cli.completion import SCRIPTS

        if value not in SCRIPTS:
            raise UsageError(
                f"no completion for the shell {value[:40]!r}", hint=f"one of {', '.join(SCRIPTS)}"
            )
        session: Session = ctx.obj
        session.out.write(SCRIPTS[value])
        raise typer.Exit


def _global_options(
    ctx: typer.Context,
    file: Annotated[
        str | None,
        typer.Option("-f", "--file", metavar="PATH", help="The workflows.toml to use."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="URL", help="Where threads live: sqlite:///PATH."),
    ] = None,
    color: Annotated[
        Literal["auto", "always", "never"], typer.Option("--color", help="When to use colour.")
    ] = "auto",
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version, and end."
        ),
    ] = False,
    show_completion: Annotated[
        str | None,
        typer.Option(
            "--show-completion",
            metavar="bash|zsh|fish",
            is_eager=True,
            callback=_show_completion,
            help="Show what makes the shell complete durajob's words, and end.",
        ),
    ] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """A crash-proof runner for jobs of several steps: start one, kill it, resume it.

    Options that stand before the command hold for all commands.
    """
    session: Session = ctx.obj
    session.file, session.store, session.color = file, store, color
    session.debug |= debug
    session.json |= json
    session.quiet |= quiet
