"""How long reads take in a store of many threads: 100,000 with 1,000,000 attempts.

The store is made by running one thread for real and then multiplying its rows: the thread,
its claim, its attempts and its checkpoints.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.measure import (
    DURAJOB,
    GRAPHS,
    PEERS,
    PYTHON,
    Taken,
    environment,
    machine,
    report,
    run,
    take_turns,
    workplace,
)

FEW, MANY = 10_000, 100_000
STEPS = 10


def main(*, quick: bool) -> None:
    """Print the ratios: to a minimal Typer app, to bare Python, and of many threads to few."""
    rounds = 11 if quick else 41
    with workplace() as folder:
        print(machine(folder))
        stores = {count: seed(folder / f"{count}.db", count) for count in (FEW, MANY)}
        middle = f"job-{FEW // 2}"

        def on(argv: list[str], count: int) -> Callable[[], Taken]:
            env = environment(folder, stores[count])
            env["BENCH_STORE"] = str(stores[count])
            return partial(run, argv, cwd=folder, env=env)

        for verb, arguments in (("status", ["status", middle]), ("list", ["list"])):
            taken = take_turns(
                {
                    "durajob": on([DURAJOB, *arguments, "--json"], FEW),
                    "typer": on([PYTHON, str(PEERS / "typer_app.py"), *arguments], FEW),
                    "bare": on([PYTHON, str(PEERS / "bare_read.py"), *arguments], FEW),
                    "many": on([DURAJOB, *arguments, "--json"], MANY),
                },
                rounds=rounds,
            )
            few = f"{verb}, {FEW:,} threads"
            report(f"{few} / minimal Typer app", taken["durajob"], taken["typer"], target=1.3)
            report(f"{few} / bare Python", taken["durajob"], taken["bare"], target=5)
            report(
                f"{verb}, {MANY:,} / {FEW:,} threads", taken["many"], taken["durajob"], target=1.3
            )
        for arguments in (["list"], ["history", middle], ["why", middle], ["logs", middle]):
            taken = take_turns(
                {
                    "durajob": on([DURAJOB, *arguments, "--json"], MANY),
                    "typer": on([PYTHON, str(PEERS / "typer_app.py"), *arguments], MANY),
                },
                rounds=rounds,
            )
            title = f"{arguments[0]}, {MANY:,} threads / minimal Typer app"
            report(title, taken["durajob"], taken["typer"], target=1.3)


def seed(store: Path, count: int) -> Path:
    """A store of ``count`` threads, job-1 the oldest, each like one that really ran."""
    env = {**environment(store.parent, store), "BENCH_STEPS": str(STEPS)}
    run([DURAJOB, "start", f"{GRAPHS}:chain", "-t", "job-1"], cwd=store.parent, env=env)
    connection = sqlite3.connect(store)
    seed = connection.execute("SELECT id FROM threads").fetchone()[0]
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
    )
    for table, key, value in (
        ("threads", "thread", "'job-' || (n.i + 1)"),
        ("origins", "thread_id", f"{seed} + n.i"),
        ("claims", "thread_id", f"{seed} + n.i"),
        ("attempts", "thread_id", f"{seed} + n.i"),
        ("checkpoints", "thread_id", "'job-' || (n.i + 1)"),
        ("writes", "thread_id", "'job-' || (n.i + 1)"),
    ):
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        columns = [column for column in columns if column != "id"]
        # A row that is copied to another thread is copied without its checksum.
        changed = {key: value} | {each: "NULL" for each in columns if each.endswith("crc")}
        values = ", ".join(changed.get(column, f"t.{column}") for column in columns)
        connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) {numbers} "
            f"SELECT {values} FROM n, (SELECT * FROM {table}) AS t ORDER BY n.i"
        )
    connection.commit()
    connection.close()
    return store
