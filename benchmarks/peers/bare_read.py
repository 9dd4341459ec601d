"""What Python itself needs to select the same rows with sqlite3 and print them as JSON."""

import json
import os
import sqlite3
import sys

THREADS = "SELECT * FROM threads JOIN origins ON thread_id = id"
connection = sqlite3.connect(f"file:{os.environ['BENCH_STORE']}?mode=ro", uri=True)
connection.row_factory = sqlite3.Row


def rows(query: str, *arguments: object) -> list[dict[str, object]]:
    return [dict(row) for row in connection.execute(query, arguments)]


if sys.argv[1] == "list":
    print(json.dumps(rows(f"{THREADS} ORDER BY id DESC LIMIT 50")))
else:
    thread = sys.argv[2]
    found = rows(f"{THREADS} WHERE thread = ?", thread)[0]
    found["steps"] = rows("SELECT * FROM attempts WHERE thread_id = ? ORDER BY id", found["id"])
    found["state"] = rows(
        "SELECT type, hex(checkpoint) FROM checkpoints "
        "WHERE thread_id = ? AND checkpoint_ns = '' AND checkpoint_id = ?",
        thread,
        found["checkpoint_id"],
    )
    print(json.dumps(found))
