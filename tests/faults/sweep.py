"""Trying a fault at every call in turn, on both cores, and telling what came of it."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.faults.cases import CASES, Case
from tests.faults.trial import Trial, remove, scratch
from tests.faults.zygote import Zygote

_asked_to_stop = threading.Event()


@dataclass(frozen=True, kw_only=True)
class Point:
    """A fault at one call of one case."""

    case: Case
    deed: str
    at: int
    begun: bool  # whether an earlier run was killed half-way, and this is a resume
    seed: int


BEGUN_TOO = (
    *("chain", "fan", "loop", "nested", "retried", "once_only", "saga"),
    *("chain+", "fan+", "saga+"),
)
"""Cases whose first run is swept; and, with a ``+``, the resume of one that ``half_way`` left."""


def half_way(trial: Trial) -> None:
    """Have the first run killed when it has made two thirds of its calls: the first third makes
    the store."""
    calls = _calls.of(trial.case, trial.zygote)
    trial.drive(at=str(calls * 2 // 3), do="before")
    trial.look()


Try = Callable[[Trial, Point], str | None]
"""Drives a trial through a fault to its end; what was done, None when nothing was."""


@dataclass
class Report:
    """What was tried, and what was found."""

    tried: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """How many faults were made, each at a point of its own."""
        return sum(self.tried.values())

    def __str__(self) -> str:
        lines = [f"{count:7} {name}" for name, count in sorted(self.tried.items())]
        lines.append(
            f"{self.total:7} points in {self.seconds:.0f} s, {len(self.faults)} violations"
        )
        return "\n".join([*lines, *self.faults[:50]])


def sweep(
    attempt: Try,
    *,
    cases: Sequence[str],
    deeds: Sequence[str],
    sample: int | None = None,
    seed: int = 1,
    jobs: int = 2,
    env: Mapping[str, str] | None = None,
) -> Report:
    """Make each deed at each call of each case.

    Args:
        attempt: drives one trial.
        cases: whose first run is swept; ``NAME+``: the resume of one that was killed half-way.
        deeds: what is done at a call.
        sample: how many calls of each are tried, drawn at random; None for all.
        seed: of whatever is random.
        jobs: how many trials run at once.
        env: what the runs find in their environment.
    """
    report, began = Report(), time.monotonic()
    rows = [(CASES[name.rstrip("+")], name.endswith("+")) for name in cases]
    lists = [_Row(case, deed, begun, sample, seed) for case, begun in rows for deed in deeds]
    mutex = threading.Lock()

    def work() -> None:
        zygote, folder = Zygote(), scratch()
        try:
            for row in lists:
                for point in row.points(zygote):
                    if _asked_to_stop.is_set():
                        return
                    trial = Trial(point.case, zygote, folder / "trial", env=env or {})
                    done = attempt(trial, point)
                    with mutex:
                        if done is None:
                            row.survived = True
                        elif done.split()[0] != "spared":
                            call = " ".join(done.split()[:2])
                            kind = "resume of " if row.begun else ""
                            report.tried[f"{kind}{row.case.name}: {call}"] += 1
                            if report.total % 500 == 0:
                                sys.stderr.write(f"{report.total} points\n")
                        report.faults += [
                            f"{point.case.name} {point.deed} at {point.at}: {one}"
                            for one in trial.faults
                        ]
                    remove(folder / "trial")
        finally:
            zygote.close()
            remove(folder)

    run_side_by_side(work, jobs)
    report.seconds = time.monotonic() - began
    return report


class _Calls:
    """How many calls each case makes, counted once."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._mutex = threading.Lock()

    def of(self, case: Case, zygote: Zygote) -> int:
        with self._mutex:
            if case.name not in self._counts:
                self._counts[case.name] = count_calls(case, zygote)
            return self._counts[case.name]


_calls = _Calls()


class _Row:
    """The points of one case and one deed: all, until a run survives, or a sample of them."""

    def __init__(self, case: Case, deed: str, begun: bool, sample: int | None, seed: int) -> None:
        self.case = case
        self.deed = deed
        self.begun = begun
        self.survived = False
        self._sample = sample
        self._random = random.Random(f"{seed} {case.name} {deed} {begun}")
        self._mutex = threading.Lock()
        self._left: Iterator[int] | None = None

    def points(self, zygote: Zygote) -> Iterator[Point]:
        """Points that no other worker has taken."""
        while not self.survived or self._sample is not None:
            with self._mutex:
                if self._left is None:
                    self._left = self._all(zygote)
                at = next(self._left, None)
                seed = self._random.getrandbits(32)
            if at is None:
                return
            yield Point(case=self.case, deed=self.deed, at=at, begun=self.begun, seed=seed)

    def _all(self, zygote: Zygote) -> Iterator[int]:
        if self._sample is None:
            return iter(range(1, 1_000_000))
        count = _calls.of(self.case, zygote)
        return iter(sorted(self._random.sample(range(1, count + 1), min(self._sample, count))))


def count_calls(case: Case, zygote: Zygote) -> int:
    """How many calls an undisturbed run makes."""
    folder = scratch()
    try:
        trial = Trial(case, zygote, folder / "trial")
        trial.drive(at="0", trace=str(folder / "calls"))
        return len((folder / "calls").read_text().splitlines())
    finally:
        remove(folder)


def run_side_by_side(work: Callable[[], None], jobs: int) -> None:
    """Run ``work`` in so many threads, and raise what any of them raises."""
    with ThreadPoolExecutor(jobs) as threads:
        for future in [threads.submit(work) for _ in range(jobs)]:
            future.result()


def main(
    argv: list[str], description: str | None, run: Callable[..., Report], cases: Sequence[str]
) -> int:
    """Sweep from the command line; 1 when there was a violation."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--case", action="append", choices=cases, help="only these (all)")
    parser.add_argument("--deed", action="append", help="only these (all)")
    parser.add_argument("--sample", type=int, help="calls of each case to try (all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(argv)
    # Asked to stop, a sweep still says what it has seen.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _asked_to_stop.set())
    options = {"deeds": tuple(args.deed)} if args.deed else {}
    report = run(
        cases=tuple(args.case or cases),
        sample=args.sample,
        seed=args.seed,
        jobs=args.jobs,
        **options,
    )
    print(report)  # noqa: T201 - a command's answer
    return bool(report.faults)
