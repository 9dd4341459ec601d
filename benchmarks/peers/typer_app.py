"""The least that could answer ``status THREAD``, ``list`` and the like: a Typer app that selects
the same rows with sqlite3 and prints them as JSON."""

import json
import os
import sqlite3

import typer

THREADS = "SELECT * FROM threads JOIN origins ON thread_id = id"
app = typer.Typer()


def rows(query: str, *arguments: object) -> list[dict[str, object]]:
    connection = sqlite3.connect(f"file:{os.environ['BENCH_STORE']}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return [dict(row) for row in connection.execute(query, arguments)]


@app.command()
def status(thread: str) -> None:
    found = rows(f"{THREADS} WHERE thread = ?", thread)[0]
    found["steps"] = rows("SELECT * FROM attempts WHERE thread_id = ? ORDER BY id", found["id"])
    found["state"] = rows(
        "SELECT type, hex(checkpoint) FROM checkpoints "
        "WHERE thread_id = ? AND checkpoint_ns = '' AND checkpoint_id = ?",
        thread,
        found["checkpoint_id"],
    )
    print(json.dumps(found))


@app.command("list")
def list_threads() -> None:
    print(json.dumps(rows(f"{THREADS} ORDER BY id DESC LIMIT 50")))


@app.command()
def history(thread: str) -> None:
    found = rows(f"{THREADS} WHERE thread = ?", thread)[0]
    for table in ("claims", "attempts"):
        found[table] = rows(f"SELECT * FROM {table} WHERE thread_id = ?", found["id"])
    found["stored"] = rows("SELECT checkpoint_id FROM checkpoints WHERE thread_id = ?", thread)
    print(json.dumps(found))


@app.command()
def why(thread: str) -> None:
    found = rows(f"{THREADS} WHERE thread = ?", thread)[0]
    found["claims"] = rows("SELECT * FROM claims WHERE thread_id = ?", found["id"])
    print(json.dumps(found))


@app.command()
def logs(thread: str) -> None:
    found = rows("SELECT id FROM threads WHERE thread = ?", thread)[0]
    print(json.dumps(rows("SELECT * FROM attempts WHERE thread_id = ?", found["id"])))


if __name__ == "__main__":
    app()
