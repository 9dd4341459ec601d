"""What causes may look at, and the words they share."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from durajob import clock
from durajob.model import StepError
from durajob.store.standing import Flight, Standing

_LONGEST = 300  # characters of an error or a prompt


class Limits(NamedTuple):
    """What a thread's workflows.toml says today."""

    max_resumes: int = 20
    max_running: int | None = None
    gone: str | None = None  # what of the definition is not there any more


class Facts(NamedTuple):
    """All that a cause may look at."""

    found: Standing
    limits: Limits
    store: Path

    @property
    def name(self) -> str:
        """The thread id."""
        return self.found.thread.thread

    @property
    def resume(self) -> str:
        """The command that most causes end in."""
        return f"durajob resume {self.name}"


def failure_text(error: StepError) -> str:
    """Which step failed, and with what."""
    where = "" if error.step is None else f"step {error.step} failed with "
    return f"{where}{error_text(error)}"


def error_text(error: StepError) -> str:
    """An error on one line."""
    return short(f"{error.type}: {error.message}" if error.message else error.type)


def error_details(error: StepError) -> dict[str, Any]:
    """An error, for scripts."""
    return {"step": error.step, "type": error.type, "attempt": error.attempt}


def log_command(facts: Facts, error: StepError) -> str:
    """What shows the log of the attempt that failed."""
    step = "" if error.step is None else f" {shlex.quote(error.step)}"
    attempt = "" if error.attempt is None else f" --attempt {error.attempt}"
    return f"durajob logs {facts.name}{step}{attempt}"


def prompt_text(prompt: Any) -> str:
    """A question, on one line."""
    return short(prompt if isinstance(prompt, str) else json.dumps(prompt, ensure_ascii=False))


def short(text: str | None) -> str:
    """Text on one line, cut where that helps."""
    line = " ".join((text or "").split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def time_text(at: int | None) -> str:
    """A time as sentences give it."""
    return clock.to_rfc3339(at) or "a time that nobody noted"


def flight_text(flight: Flight) -> str:
    """An attempt in flight, in a few words."""
    of = f" of {flight.max_attempts}" if flight.max_attempts else ""
    attempt = f" (attempt {flight.attempt}{of})" if flight.attempt > 1 or of else ""
    return f"{flight.step}{attempt}"


def flown(flight: Flight) -> dict[str, Any]:
    """An attempt in flight, for scripts."""
    shown = ("step", "visit", "attempt", "max_attempts")
    return {**{name: getattr(flight, name) for name in shown}, "since": time_text(flight.since)}
