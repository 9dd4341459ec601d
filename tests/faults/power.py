"""Power loss: what was written and not synced is gone.

A file system on a loop device, in a mount namespace of this process, is shut down at a call
(the ioctl that ext4 and XFS have for it, without flushing the log), unmounted, and mounted
again. The judge's file lies elsewhere, and keeps what it has. Needs root.
"""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.faults import sweep as sweeps
from tests.faults.cases import CASES as ALL
from tests.faults.sweep import Report, count_calls
from tests.faults.trial import Trial, remove, scratch
from tests.faults.zygote import Zygote

CASES = ("chain", "fan", "loop", "nested", "retried", "once_only", "saga")
KINDS = {"ext4": ("64M", "mkfs.ext4 -q -F"), "xfs": ("320M", "mkfs.xfs -q -f")}
IMPOSSIBLE = 77  # exit status: this machine does not let us
_CLONE_NEWNS = 0x20000


class Impossible(Exception):
    """This machine, or this user, has no loop devices or mount namespaces."""


class Disk:
    """A file system whose power can be cut."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._image = folder / f"{kind}.img"
        self.path = folder / kind
        self.path.mkdir(parents=True)
        size, make = KINDS[kind]
        try:
            subprocess.run(["truncate", "-s", size, self._image], check=True)
            command = [*make.split(), str(self._image)]
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Impossible(f"no {kind}: {error}") from error
        self._mount()

    def after_the_cut(self) -> None:
        """Let it come up again, as after a reboot."""
        self.unmount()
        self._mount()

    def unmount(self) -> None:
        """Take it away."""
        subprocess.run(["umount", self.path], check=True)

    def clear(self) -> None:
        """Make it empty for the next trial, whose power cut must not bring this one back."""
        remove(self.path / "s")
        subprocess.run(["sync", "-f", self.path], check=True)

    def _mount(self) -> None:
        command = ["mount", "-o", "loop", str(self._image), str(self.path)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Impossible(f"cannot mount: {error}") from error


def cut(trial: Trial, disk: Disk, at: int, dice: random.Random) -> str | None:
    """Cut the power at a call, and perhaps again in the resume, and let the last one finish."""
    mount = str(disk.path)
    _, fired = trial.drive(at=str(at), do="shutdown", mount=mount)
    if fired is None:
        trial.look(killed=False)
        return None
    disk.after_the_cut()
    trial.look()
    for _ in range(dice.choice((0, 0, 1, 2))):
        _, again = trial.drive(at=str(1 + dice.randrange(150)), do="shutdown", mount=mount)
        if again is not None:
            disk.after_the_cut()
        trial.look(killed=False)
    trial.finish()
    return fired


def run(
    *,
    cases: tuple[str, ...] = CASES,
    sample: int | None = None,
    seed: int = 1,
    jobs: int = 2,
    env: dict[str, str] | None = None,
) -> Report:
    """Cut the power at each call of each case, or at a sample of them, on each file system."""
    _enter_namespace()
    report, began, mutex = Report(), time.monotonic(), threading.Lock()
    left: list[tuple[str, str, int]] = []
    zygote = Zygote()
    for name in cases:
        count = count_calls(ALL[name], zygote)
        dice = random.Random(f"{seed} {name}")
        for kind in KINDS:
            calls = range(1, count + 1)
            chosen = calls if sample is None else dice.sample(calls, min(sample, count))
            left += [(kind, name, at) for at in chosen]
    zygote.close()
    left.sort(key=lambda one: one[0], reverse=True)

    def work() -> None:
        zygote, folder, disks = Zygote(), scratch(), dict[str, Disk]()
        try:
            while True:
                with mutex:
                    if not left:
                        return
                    kind, name, at = left.pop()
                if kind not in disks:
                    disks[kind] = Disk(kind, folder)
                disk = disks[kind]
                store = str(disk.path / "s" / "d.db")
                trial = Trial(ALL[name], zygote, folder / "trial", store=store, env=env or {})
                fired = cut(trial, disk, at, random.Random(f"{seed} {name} {at}"))
                with mutex:
                    if fired is not None:
                        report.tried[f"{kind}: {name}"] += 1
                    report.faults += [f"{kind} {name} at {at}: {one}" for one in trial.faults]
                remove(folder / "trial")
                disk.clear()
        finally:
            zygote.close()
            for disk in disks.values():
                disk.unmount()
            remove(folder)

    sweeps.run_side_by_side(work, jobs)
    report.seconds = time.monotonic() - began
    return report


def main(argv: list[str]) -> int:
    """Sweep from the command line; 77 where this machine does not let us."""
    try:
        return sweeps.main(argv, __doc__, run, CASES)
    except Impossible as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's answer
        return IMPOSSIBLE


def _enter_namespace() -> None:
    """Have mounts of our own, which nobody else sees and which end with this process."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_CLONE_NEWNS) != 0:
        raise Impossible(f"unshare: {os.strerror(ctypes.get_errno())}")
    command = ["mount", "--make-rprivate", "/"]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        raise Impossible("the mounts of this machine cannot be made private")
