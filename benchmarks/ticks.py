"""How long a tick takes over 1,000 schedules: with nothing due, with ten slots due, with all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.measure import (
    DURAJOB,
    GRAPHS,
    Taken,
    environment,
    machine,
    report,
    run,
    take_turns,
    workplace,
)
from durajob.store.files import lock_path
from durajob.store.locks import LockFile

SCHEDULES = 1_000
FEW = 10
_MINUTE = 60_000_000


def main(*, quick: bool) -> None:
    """Print the ratios to ``status``, and to a second."""
    rounds = 5 if quick else 15
    with workplace() as folder:
        print(machine(folder))
        store = folder / "ticks.db"
        env = environment(folder, store)
        (folder / "workflows.toml").write_text(
            "".join(
                f'[workflows.job{number}]\ngraph = "{GRAPHS}:chain"\n'
                f'thread = "job{number}-{{slot:%Y-%m-%dT%H%M}}"\n'
                f'schedule = {{ cron = "* * * * *", timezone = "UTC" }}\n'
                for number in range(SCHEDULES)
            )
        )
        run([DURAJOB, "tick"], cwd=folder, env=env)  # from here on they are followed
        # What is admitted is not driven: a benchmark beside it would measure both.
        locks = LockFile(lock_path(store), create=True)
        assert locks.try_conductor(), "the first tick has left something to drive"

        def tick(due: int) -> Taken:
            _make_due(store, due)
            return run([DURAJOB, "tick", "--quiet"], cwd=folder, env=env)  # as a crontab has it

        ticks: dict[str, Callable[[], Taken]] = {
            "idle": partial(tick, 0),
            "few": partial(tick, FEW),
            "all": partial(tick, SCHEDULES),
        }
        status = partial(run, [DURAJOB, "status"], cwd=folder, env=env)
        taken = take_turns({**ticks, "status": status}, rounds=rounds)
        locks.close()
        second = [Taken(wall=1.0)] * rounds
        head = f"tick, {SCHEDULES:,} schedules,"
        report(f"{head} nothing due / status", taken["idle"], taken["status"], target=1.3)
        report(f"{head} nothing due / 1 s", taken["idle"], second, target=1)
        report(f"{head} {FEW} slots due / 1 s", taken["few"], second, target=1)
        report(f"{head} {SCHEDULES:,} slots due / 1 s", taken["all"], second, target=1)


def _make_due(store: Path, count: int) -> None:
    """Let the slot of this minute be due for the first ``count`` schedules, and be new."""
    with sqlite3.connect(store) as connection:
        for table in ("slots", "threads", "origins"):
            connection.execute(f"DELETE FROM {table}")
        (now,) = connection.execute("SELECT unixepoch() / 60 * 60 * 1000000").fetchone()
        # The others are not due before the end of the measuring.
        values = {"now": now, "later": now + 60 * _MINUTE, "count": count, "back": _MINUTE}
        connection.execute(
            "UPDATE schedules SET watermark = :now - :back,"
            " due_at = iif(CAST(substr(workflow, 4) AS INTEGER) < :count, :now, :later)",
            values,
        )
    connection.close()
