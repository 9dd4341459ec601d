"""Typer's complaints about a command line, in the form that every other error has."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import typer

from durajob.errors import UsageError

_GLOBAL = ("-f", "--file", "--store", "--color", "--debug", "--version", "--show-completion")


def explain(error: typer.TyperException) -> tuple[str, UsageError]:
    """The command that was meant, as far as it is known, and what was wrong with it."""
    context: Any = getattr(error, "ctx", None)
    command = (context.info_name if context is not None else None) or "durajob"
    path = "durajob" if command == "durajob" else f"durajob {command}"
    option = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and context is not None:
        return command, _no_such_option(str(option), path, context)
    message = " ".join(error.format_message().split()).rstrip(".")
    if message == "Missing command":
        return command, UsageError("no command given", hint="durajob --help")
    return command, UsageError(message[:1].lower() + message[1:], hint=f"{path} --help")


def _no_such_option(option: str, path: str, context: Any) -> UsageError:
    message = f"no such option {option!r} of {path}"
    if option in _GLOBAL:
        verb = path.removeprefix("durajob ")
        hint = f"{option} goes before the command: durajob {option} … {verb}"
        return UsageError(message, hint=hint)
    known = [name for param in context.command.params for name in param.opts]
    near = [name for name in get_close_matches(option, known, n=3) if name.startswith("-")]
    hint = f"did you mean {near[0]}? see: {path} --help" if near else f"{path} --help"
    return UsageError(message, hint=hint)
