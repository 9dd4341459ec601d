"""Ticks that are processes of their own: several at once, each killed at a call or left to end."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from pathlib import Path

from tests.faults.journal import set_clock
from tests.faults.zygote import Zygote

AT_ONCE = 3
_CALLS = 60  # that change something; a tick with something to do makes about so many
_DEEDS = ("before", "after", "torn")


class Crowd:
    """``durajob tick`` in a folder, on a clock of one's choosing."""

    def __init__(self, folder: Path, store: Path) -> None:
        self._folder = folder
        self._clock = folder / "clock"
        self._env = {"DURAJOB_STORE": f"sqlite:///{store}", "FAULT_CLOCK": str(self._clock)}
        self._zygotes = [Zygote() for _ in range(AT_ONCE)]

    def tick(self, now: int, dice: random.Random) -> Counter[str]:
        """Begin one or several at the same time, and wait until all have ended.

        Raises:
            AssertionError: when one ends otherwise than well, or by its kill.
        """
        counts: Counter[str] = Counter()
        runs = []
        set_clock(self._clock, now / 1_000_000 - time.time())
        for number, zygote in enumerate(self._zygotes[: dice.randint(1, AT_ONCE)]):
            env = {"FAULT_AT": "0"}
            fired = self._folder / f"fired.{number}"
            fired.unlink(missing_ok=True)
            if dice.randrange(4):
                at, deed = dice.randint(1, _CALLS), dice.choice(_DEEDS)
                env = {"FAULT_AT": str(at), "FAULT_DO": deed, "FAULT_LOG": str(fired)}
            env |= {"FAULT_SPARE": zygote.spared()}
            runs.append(zygote.begin("tick", "--quiet", cwd=self._folder, env=self._env | env))
        for number, run in enumerate(runs):
            ended = run.wait()
            is_killed = (self._folder / f"fired.{number}").exists()
            wanted = -signal.SIGKILL if is_killed else 0
            assert wanted == ended.exit_status, (wanted, ended)
            counts["killed processes" if is_killed else "other processes"] += 1
        counts["processes beside others"] += len(runs) if len(runs) > 1 else 0
        return counts

    def close(self) -> None:
        """End what forks them."""
        for zygote in self._zygotes:
            zygote.close()
