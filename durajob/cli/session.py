"""One run of the command line: its streams, its global options, the printer they make."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from durajob.errors import DurajobError, UsageError
from durajob.model import ErrorInfo
from durajob.render.printer import Printer
from durajob.render.sink import Sink

if TYPE_CHECKING:
    from durajob.config.settings import Settings
    from durajob.masking import Mask


class Session:
    """What verbs share. Made before the options are parsed, since errors need it, too."""

    def __init__(self, arguments: Sequence[str]) -> None:
        plain = arguments[: arguments.index("--")] if "--" in arguments else arguments
        self.command = "durajob"
        self.begun = False  # whether a verb has been called
        self.json = "--json" in plain
        self.quiet = "-q" in plain or "--quiet" in plain
        self.debug = "--debug" in plain
        self.color = "auto"
        self.file: str | None = None
        self.store: str | None = None
        self.secrets: tuple[str, ...] = ()
        # Kept from before the engine moves descriptors 1 and 2 out of the way of steps.
        self.out = Sink.of(sys.stdout)
        self.err = Sink.of(sys.stderr)

    def begin(self, command: str, *, json: bool, quiet: bool) -> Session:
        """Note which verb was called, and its own options."""
        self.command, self.begun = command, True
        self.json |= json
        self.quiet |= quiet
        return self

    def refuse_two_forms(self, json_lines: bool) -> None:
        """One envelope and a stream of objects are two things."""
        if self.json and json_lines:
            raise UsageError(
                "--json prints one envelope, when all is known", hint="use --json-lines instead"
            )

    def settings(self) -> Settings:
        """Which workflows.toml and which store the options, environment and folder name."""
        from durajob.config.settings import load_settings

        settings = load_settings(self.file, self.store)
        self.secrets = settings.secrets
        return settings

    def printer(self) -> Printer:
        """The printer, as the options known so far make it."""
        return Printer(
            command=self.command,
            out=self.out,
            err=self.err,
            json=self.json,
            quiet=self.quiet,
            out_tables=self.color == "always" or self.draws(self.out),
            out_color=self._has_color(self.out),
            err_color=self._has_color(self.err),
            complete=self._complete,
            mask=self._mask,
        )

    def _mask(self) -> Mask | None:
        if not self.secrets:
            return None
        from durajob.masking import Mask

        return Mask(self.secrets, os.environ)

    def refused(self, error: DurajobError) -> int:
        """Show an error that left no result; its exit status."""
        info = ErrorInfo(code=error.code, message=error.message, hint=error.hint)
        details = ""
        if self.debug:
            import traceback

            details = "".join(traceback.format_exception(error))
        return self.printer().error(info, error.exit_status, details=details)

    def may_destroy(self, agreed: bool, what: str) -> None:
        """Refuse what deletes for good, unless it was agreed to or there is somebody to ask.

        Raises:
            UsageError: with the option that agrees.
        """
        asked = sys.stdin is not None and sys.stdin.isatty() and self.err.isatty()
        if not agreed and (not asked or self.json or self.quiet):
            raise UsageError(f"{what}, and nobody is there to be asked", hint="say --yes")

    def confirms(self, question: str) -> bool:
        """Whether the person at the terminal says yes."""
        self.err.write(f"{question} [y/N] ")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def wants_live_view(self) -> bool:
        """Whether a view that changes in place is of use to anybody."""
        return self.draws(self.err) and not self.json and not self.quiet

    def live_color(self) -> bool:
        """Whether the live view is coloured."""
        return self._has_color(self.err)

    def _complete(self, text: str) -> str:
        """A command that is told to a person needs the file and the store that this one had."""
        named = (("-f", self.file), ("--store", self.store))
        given = [part for option in named if option[1] is not None for part in option]
        if not given:
            return text
        import re
        import shlex

        from durajob.cli.verbs import VERBS

        options = shlex.join(str(part) for part in given)
        verbs = "|".join(verb for verb in VERBS if verb != "init")
        return re.sub(rf"\bdurajob (?=(?:{verbs})\b)", lambda found: f"{found[0]}{options} ", text)

    def draws(self, sink: Sink) -> bool:
        """Whether a terminal reads this that can do more than plain lines."""
        return sink.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def _has_color(self, sink: Sink) -> bool:
        if self.color != "auto":
            return self.color == "always"
        return self.draws(sink) and not os.environ.get("NO_COLOR")
