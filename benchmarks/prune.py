"""How long another process waits for the store while 10,000 threads are pruned.

A writer beside it commits again and again, each time durably, and measures how long it waited
until it had the store. Beside it: the same without anybody pruning, as the machine gives it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import DURAJOB, environment, machine, missed, workplace
from benchmarks.reads import seed
from durajob.store.files import open_for_writing

THREADS = 10_000
_LONGEST = 0.1  # seconds
_PAUSE = 0.005


def main(*, quick: bool) -> None:
    """Print the waits, and what pruning took."""
    threads = 2_000 if quick else THREADS
    with workplace() as folder:
        print(machine(folder))
        store = seed(folder / "prune.db", threads)
        alone = sorted(_waits(store, lambda began: time.monotonic() - began < 5))
        argv = (DURAJOB, "prune", "--yes", "--json")
        began = time.monotonic()
        pruning = subprocess.Popen(
            argv, cwd=folder, env=environment(folder, store), stdout=subprocess.PIPE, text=True
        )
        waits = sorted(_waits(store, lambda _: pruning.poll() is None))
        took = time.monotonic() - began
        printed = pruning.communicate()[0]
        assert pruning.returncode == 0, printed
        assert f'"threads": {threads}' in printed, printed
        if waits[-1] > _LONGEST:
            missed.append("prune")
        print(f"{threads:,} threads pruned in {took:.1f} s; {store.stat().st_size:,} bytes left")
        for name, found in (("nobody pruning", alone), ("pruning", waits)):
            print(
                f"wait for the store, {name}: median {found[len(found) // 2] * 1000:.2f} ms, "
                f"99 % {found[len(found) * 99 // 100] * 1000:.1f} ms, longest "
                f"{found[-1] * 1000:.1f} ms of {len(found):,} (limit {_LONGEST * 1000:.0f} ms)"
            )


def _waits(store: Path, go_on: Callable[[float], bool]) -> list[float]:
    connection, lock = open_for_writing(store, create=False)
    connection.execute("PRAGMA synchronous = FULL")
    waits = []
    began = time.monotonic()
    while go_on(began):
        asked = time.monotonic()
        connection.execute("BEGIN IMMEDIATE")
        waits.append(time.monotonic() - asked)
        connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'commits'")
        connection.execute("COMMIT")
        time.sleep(_PAUSE)
    connection.close()
    lock.close()
    return waits
