"""ENOSPC, EIO and EDQUOT from every call that changes something: once, or from there on; and
EROFS from there on, as from a file system that was made read-only under the run.

What fails ends the run with 74 or 69 and a clear line, unless nothing hung on it; once the fault
is gone the thread goes on. On a disk that stays full, ``status`` and ``list`` still answer.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults import sweep as sweeps
from tests.faults.sweep import BEGUN_TOO, Point, Report, half_way, sweep
from tests.faults.trial import Trial

ERRNOS = (errno.ENOSPC, errno.EIO, errno.EDQUOT)
ONCE, LASTING = "1", "1000000"
DEEDS = (
    *(f"{code}x{many}" for code in ERRNOS for many in (ONCE, LASTING)),
    f"{errno.EROFS}x{LASTING}",
)


def fail(trial: Trial, point: Point) -> str | None:
    """Let a call fail, look at how durajob takes it, and resume once the fault is gone."""
    code, _, many = point.deed.partition("x")
    if point.begun:
        half_way(trial)
    rest = trial.folder / "rest"
    ended, fired = trial.drive(**{"at": str(point.at), "do": code, "for": many, "rest": str(rest)})
    judge = trial.journal
    if ended.exit_status not in (point.case.exit_status, 69, 74):
        judge.faults.append(f"ended with {ended.exit_status}: {ended.err[-800:]}")
    if fired is not None:
        _, call, _, path = fired.split()
        if call in ("fsync", "fdatasync") and path.endswith("-wal") and _wrote(rest, path):
            judge.faults.append(f"after a failed sync it wrote to {path}: {ended.err[-300:]}")
        if ended.exit_status != point.case.exit_status and "hint:" not in ended.err:
            judge.faults.append(f"no clear line: {ended.err[-800:]!r}")
    if many == LASTING and code != str(errno.EIO) and trial.journal.has_begun:
        _still_answers(trial, code)
    trial.look(killed=False)
    trial.finish()
    return fired


def _wrote(rest: Path, log: str) -> bool:
    """Whether a log was written to after it could not be synced, and before it was gone."""
    for line in rest.read_text().splitlines() if rest.exists() else ():
        _, call, _, path = line.split()
        if path == log and call in ("unlink", "ftruncate64", "ftruncate"):
            return False
        if path == log and call.startswith("pwrite"):
            return True
    return False


def _still_answers(trial: Trial, code: str) -> None:
    """On a disk that is full. Of its shared memory SQLite first gives the old room back, and
    then asks for as much: that succeeds (tests/integration/test_disks.py, on a full disk)."""
    fault = {"FAULT_AT": "1", "FAULT_DO": code, "FAULT_FOR": LASTING}
    for command in (("status", "t"), ("list",)):
        spared = trial.zygote.spared(trial.folder / f"{trial.store}-shm")
        ended = trial.command(*command, **fault, FAULT_SPARE=spared)
        if ended.exit_status != 0 or "t" not in ended.out:
            trial.journal.faults.append(
                f"{command[0]} on a full disk: {ended.exit_status} {ended.err[-500:]}"
            )


def run(*, cases: Sequence[str] = BEGUN_TOO, **options: Any) -> Report:
    """Sweep the cases; see ``sweep``."""
    return sweep(fail, cases=cases, **{"deeds": DEEDS, **options})


def main(argv: list[str]) -> int:
    """Sweep from the command line."""
    return sweeps.main(argv, __doc__, run, BEGUN_TOO)
