"""The judge's file: what the steps themselves say that they do, and what must hold of it.

Each step appends a line when it begins and one when its effect is done, and syncs the file. The
run of durajob that it happened in is part of the line. Nothing of durajob is believed but one
thing, and that to its own harm: what it has once called finished may not begin again.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOURS = (-1, 24, 0, -1000, 5, 24 * 365)
"""By which a clock may be off."""


def note(mark: str, name: str) -> None:
    """Append a line, durably: ``+`` for a beginning, ``-`` for a step whose work is done,
    ``!`` for an effect that happens once, with its key."""
    fd = os.open(os.environ["FAULT_JOURNAL"], os.O_WRONLY | os.O_APPEND)
    os.write(fd, f"{mark} {name} {os.environ['FAULT_RUN']}\n".encode())
    os.fsync(fd)
    os.close(fd)
    if seed := os.environ.get("FAULT_JUMPS"):
        hours = random.Random(f"{seed} {mark} {name}").choice(HOURS)
        set_clock(Path(os.environ["FAULT_CLOCK"]), 3600.0 * hours)


def set_clock(path: Path, seconds: float) -> None:
    """Let the wall clock of those who watch ``path`` (FAULT_CLOCK) be so far off."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, struct.pack("=q", round(seconds * 1e9)))
    os.close(fd)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What must hold of the journal of one thread, whatever happened to it."""

    follows: Mapping[str, Iterable[str]]
    """Each step, and those whose effects must be done before it begins."""
    width: int = 1
    """How many steps run at once."""
    ends: Iterable[str] | None = None
    """The steps whose effects must be done at the end; None for all."""
    ends_for_good: Mapping[str, Iterable[str]] = field(default_factory=dict)
    """A step, and those that had failed for good before it, and may not begin again."""
    effects: Mapping[str, str] = field(default_factory=dict)
    """An effect that happens once, and the step that does it."""


@dataclass
class Journal:
    """The judge, who is told of every run and of what durajob said after it."""

    path: Path
    rules: Rules
    faults: list[str] = field(default_factory=list)
    _read: int = 0
    _begun: set[str] = field(default_factory=set)
    _done: dict[str, None] = field(default_factory=dict)  # in this order
    _finished: set[str] = field(default_factory=set)  # which may not begin again
    _ended: set[str] = field(default_factory=set)  # of these, the ones that failed for good
    _keys: dict[str, str] = field(default_factory=dict)  # of effects
    _effects: set[tuple[str, str]] = field(default_factory=set)  # and the runs that did them

    def __post_init__(self) -> None:
        self.path.touch()

    @property
    def has_begun(self) -> bool:
        """Whether any step ever began."""
        return bool(self._begun)

    @property
    def open(self) -> set[str]:
        """Steps that began and have not finished, as far as is known."""
        return self._begun - self._finished

    def after_run(self, succeeded: Iterable[str]) -> None:
        """Judge what a run has done; ``succeeded`` is what durajob calls finished after it."""
        text = self.path.read_text()
        lines = [line.split() for line in text[self._read :].splitlines()]
        self._read = len(text)
        in_flight: list[str] = []
        for mark, name, run in lines:
            if mark == "+":
                self._begin(name, run, in_flight)
            elif mark == "-":
                self._done[name] = None
            elif mark == "!":
                effect, _, key = name.partition("=")
                self._effect(effect, key, run)
        known = set(succeeded)
        lost = self._finished - known - self._ended
        if lost:
            self.faults.append(f"finished once, and no longer said to be: {sorted(lost)}")
        false = known - self._done.keys()
        if false:
            self.faults.append(f"called finished, and never done: {sorted(false)}")
        self._finished |= known
        open_now = [name for name in in_flight if name not in self._finished]
        if len(set(open_now)) > self.rules.width:
            self.faults.append(f"begun and not finished at once: {sorted(set(open_now))}")

    def at_the_end(self) -> None:
        """Judge the whole: the thread has ended as it should."""
        ends = self.rules.follows if self.rules.ends is None else self.rules.ends
        lost = set(ends) - self._done.keys()
        if lost:
            self.faults.append(f"lost: {sorted(lost)}")

    def _begin(self, name: str, run: str, in_flight: list[str]) -> None:
        if name in self._finished:
            self.faults.append(f"run {run} repeated {name}, which had finished")
        missing = set(self.rules.follows[name]) | self._undone_before(name)
        missing -= self._done.keys()
        if missing:
            self.faults.append(f"run {run} began {name} before {sorted(missing)}")
        # Who follows has begun, so all before it have finished: the commit came in between.
        self._finished.update(self.rules.follows[name])
        if name in self.rules.ends_for_good:
            ended = set(self.rules.ends_for_good[name])
            self._finished |= ended
            self._ended |= ended
        self._begun.add(name)
        in_flight.append(name)

    def _undone_before(self, name: str) -> set[str]:
        """The compensations that must be done before this one: of what was done later."""
        step, _, _ = name.partition(":compensate")
        done = list(self._done)
        if not name.endswith(":compensate") or step not in done:
            return set()
        later = (f"{one}:compensate" for one in done[done.index(step) + 1 :])
        return {one for one in later if one in self.rules.follows}

    def _effect(self, name: str, key: str, run: str) -> None:
        if self._keys.setdefault(name, key) != key:
            self.faults.append(f"run {run} did {name} under another key")
        if (name, run) in self._effects:
            self.faults.append(f"run {run} did {name} twice")
        if self.rules.effects[name] in self._done:
            self.faults.append(f"run {run} did {name} again, which was recorded")
        self._effects.add((name, run))
