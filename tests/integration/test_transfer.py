"""export and import: threads go from store to store whole, or not at all, and can be resumed."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durajob.store.driver import sqlite
from durajob.store.transfer import LEFT_OUT, TABLES
from tests.forked import Forked
from tests.harness import wait_for
from tests.integration.judge import lines

HERE = Path(__file__).parent
GRAPHS = HERE / "graphs.py"

pytestmark = pytest.mark.usefixtures("effects")


def rows(store: str, query: str) -> list[Any]:
    """What a store says."""
    with closing(sqlite.connect(store)) as connection:
        found: list[Any] = connection.execute(query).fetchall()
    return found


def shown(forked: Forked, store: str, thread: str) -> Any:
    """The thread as status shows it."""
    return forked.run("--store", store, "status", thread, "--json", check=0).thread


def resealed(path: Path, change: Any) -> None:
    """Change the lines of an export, and make its last line right again."""
    said = [json.loads(line) for line in path.read_text().splitlines()[:-1]]
    text = "".join(json.dumps(line) + "\n" for line in change(said))
    whole = {
        "threads": sum("thread" in line for line in said),
        "lines": text.count("\n"),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    path.write_text(text + json.dumps({"all": whole}) + "\n")


def test_threads_go_whole_and_are_resumed_elsewhere(forked: Forked, effects: Path) -> None:
    """What had finished is not run again, state, history and logs are the same; a killed thread
    waits for somebody to resume it."""
    fan = ("start", f"{GRAPHS}:fan", "-t", "f", "-i", "n:=6")
    died = forked.run("--store", "a.db", *fan, env={"DIE": "work5:after"})
    assert -signal.SIGKILL == died.exit_status
    failed = ("start", f"{GRAPHS}:chain", "-t", "c")
    forked.run("--store", "a.db", *failed, env={"FAIL": "c"}, check=1)
    done = forked.run("--store", "a.db", "export", "--all", "-o", "x", "--json", check=0).data
    assert (["f", "c"], []) == (done["threads"], done["driven"])
    assert 0o600 == stat.S_IMODE(Path("x").stat().st_mode)
    forked.run("--store", "b.db", "start", f"{GRAPHS}:chain", "-t", "other", check=0)
    taken = forked.run("--store", "b.db", "import", "x", "--json", check=0).data
    assert ["f", "c"] == taken["threads"]
    assert "stopped" == shown(forked, "b.db", "f")["status"]
    assert shown(forked, "a.db", "c") == shown(forked, "b.db", "c")
    for store in ("a.db", "b.db"):
        log = forked.run("--store", store, "logs", "c", check=0).stdout
        assert "c failed on demand" in log
    before = lines(effects)
    forked.run("--store", "b.db", "doctor", check=0)
    forked.run("--store", "b.db", "resume", "f", check=0)
    forked.run("--store", "b.db", "resume", "c", check=0)
    again = lines(effects)[len(before) :]
    assert {"collect", "c", "d"} <= set(again)
    assert {"plan", "a", "b"}.isdisjoint(again)
    assert [0, 1, 2, 3, 4, 5] == sorted(
        item for item in shown(forked, "b.db", "f")["state"]["out"] if isinstance(item, int)
    )


def test_an_id_that_is_taken(forked: Forked) -> None:
    """Nothing is imported (73), unless those that exist are to be skipped."""
    for thread in ("a", "b"):
        chain = ("start", f"{GRAPHS}:chain", "-t", thread)
        forked.run("--store", "a.db", *chain, check=0)
    forked.run("--store", "a.db", "export", "--all", "-o", "x", check=0)
    forked.run("--store", "b.db", "start", f"{GRAPHS}:chain", "-t", "b", check=0)
    assert "b" in forked.run("--store", "b.db", "import", "x", check=73).stderr
    assert [("b",)] == rows("b.db", "SELECT thread FROM threads")
    done = forked.run("--store", "b.db", "import", "x", "--on-exists", "skip", "--json", check=0)
    assert (["a"], ["b"]) == (done.data["threads"], done.data["skipped"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-40],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data.replace(b'"chain"', b'"chais"', 1),
        lambda data: b"\n".join(data.split(b"\n")[1:]),
        lambda data: b"[]\n" * 3,
    ],
)
def test_what_is_no_whole_export_is_refused(forked: Forked, spoil: Any) -> None:
    """Cut off or changed, nothing of it is imported, and no store is made."""
    forked.run("--store", "a.db", "start", f"{GRAPHS}:chain", "-t", "a", check=0)
    forked.run("--store", "a.db", "export", "a", "-o", "x", check=0)
    data = Path("x").read_bytes()
    Path("x").write_bytes(spoil(data))
    assert data != Path("x").read_bytes()
    forked.run("--store", "b.db", "import", "x", check=65)
    assert not Path("b.db").exists()


def _outside(said: list[Any]) -> list[Any]:
    file = {"file": "../../escaped", "of": "work", "mode": 0o644, "data": {"base64": "eA=="}}
    return [*said[:-1], file, said[-1]]


def _set(table: str, **columns: Any) -> Any:
    def change(said: list[Any]) -> list[Any]:
        for line in said:
            if line.get("table") == table:
                line["row"].update(columns)
        return said

    return change


@pytest.mark.parametrize(
    "change",
    [
        _outside,
        _set("threads", status="done"),
        _set("threads", thread="other"),
        _set("threads", next="["),
        _set("origins", input=None, nothing=1),
        _set("origins", input={"a": 1}),
        _set("attempts", started_at=None),
    ],
)
def test_an_export_made_by_somebody_else_is_only_data(forked: Forked, change: Any) -> None:
    """A checksum can be made by anybody: what no export would hold is refused all the same."""
    forked.run("--store", "a.db", "start", f"{GRAPHS}:chain", "-t", "a", check=0)
    forked.run("--store", "a.db", "export", "a", "-o", "x", check=0)
    resealed(Path("x"), change)
    forked.run("--store", "b.db", "import", "x", check=65)
    assert not Path("escaped").exists()
    assert 0 == len(forked.run("--store", "b.db", "list", "--json", check=0).data["threads"])


def test_a_backup_is_taken_while_jobs_run(forked: Forked, effects: Path) -> None:
    """export --all waits for nobody, holds nobody up, and says which threads were driven."""
    fan = ("start", f"{GRAPHS}:fan", "-t", "f", "-i", "n:=6")
    run = forked.begin("--store", "a.db", *fan, env={"HOLD": "work5"})
    wait_for(lambda: effects.exists() and "work5" in lines(effects))
    done = forked.run("--store", "a.db", "export", "--all", "-o", "x", "--json", check=0).data
    assert ["f"] == done["driven"]
    Path(f"{effects}.go").touch()
    run.wait(check=0)
    forked.run("--store", "b.db", "import", "x", check=0)
    assert "stopped" == shown(forked, "b.db", "f")["status"]
    forked.run("--store", "b.db", "resume", "f", check=0)
    assert shown(forked, "a.db", "f")["state"] == shown(forked, "b.db", "f")["state"]


def test_a_whole_store_is_put_back(forked: Forked, effects: Path) -> None:
    """An import of all threads into a new store: each stands as it stood, in the same order and
    with the same past, and goes on from there. Only what was begun waits to be told."""
    late = {"FAULTS": "set_clock", "OFFSET": "10800"}
    made: list[tuple[str, str, dict[str, str], tuple[str, ...], dict[str, str]]] = [
        ("completed", f"{GRAPHS}:chain", {}, ("resume",), {}),
        ("failed", f"{GRAPHS}:chain", {"FAIL": "c"}, ("resume",), {}),
        ("cancelled", f"{GRAPHS}:chain", {"FAIL": "c"}, (), {}),
        ("interrupted", f"{GRAPHS}:chain", {"DIE": "b:after"}, ("resume",), {}),
        ("pending", f"{GRAPHS}:chain", {"FAULTS": "die_before_claim"}, ("resume",), {}),
        ("waiting", f"{HERE}/asking.py:send", {}, ("answer", "3"), {}),
        ("sleeping", f"{HERE}/waiting.py:sleeper", {}, ("resume",), late),
    ]
    for name, target, env, _, _ in made:
        forked.run("--store", "a.db", "start", target, "-t", name, env=env)
    forked.run("--store", "a.db", "cancel", "cancelled", "--reason", "no more", check=0)
    forked.run("--store", "a.db", "complete", "failed", "c", "--reason", "by hand", check=0)

    def told(store: str, name: str) -> tuple[Any, ...]:
        past = forked.run("--store", store, "history", name, "--json", check=0).data
        return past["entries"], shown(forked, store, name)

    before = {name: told("a.db", name) for name, *_ in made}
    assert [name for name, *_ in made] == [before[name][1]["status"] for name, *_ in made]
    forked.run("--store", "a.db", "export", "--all", "-o", "x", check=0)
    for path in Path().glob("a.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    forked.run("--store", "b.db", "import", "x", check=0)
    found = forked.run("--store", "b.db", "list", "--json", check=0).data["threads"]
    assert [name for name, *_ in made] == [thread["thread"] for thread in reversed(found)]
    for name, *_ in made:
        entries, thread = told("b.db", name)
        past, expected = before[name]
        if name in ("interrupted", "pending"):
            expected = {**expected, "status": "stopped", "owner": None}
            assert "stopped" == entries.pop()["status"]
            why = forked.run("--store", "b.db", "why", name, "--json", check=0).data
            assert "when it was exported" in why["sentence"]
        assert (past, expected) == (entries, thread), name
    forked.run("--store", "b.db", "doctor", check=0)
    for name, _, _, how, env in made:
        if how:
            verb, *more = how
            forked.run("--store", "b.db", verb, name, *more, env=env, check=0)
            assert "completed" == shown(forked, "b.db", name)["status"]


def test_what_an_export_is_of_is_said(forked: Forked) -> None:
    """Threads, or all; to a file, or to standard output, where an envelope has no place."""
    forked.run("--store", "a.db", "start", f"{GRAPHS}:chain", "-t", "a", check=0)
    forked.run("--store", "a.db", "export", check=2)
    forked.run("--store", "a.db", "export", "a", "--all", check=2)
    forked.run("--store", "a.db", "export", "a", "--json", check=2)
    forked.run("--store", "a.db", "export", "b", check=66)
    forked.run("--store", "b.db", "import", "none", check=66)
    Path("x").write_text(forked.run("--store", "a.db", "export", "a", check=0).stdout)
    forked.run("--store", "b.db", "import", "x", check=0)


def test_every_table_that_knows_threads_is_exported_or_left_out(forked: Forked) -> None:
    """So that a table which is added later is not forgotten."""
    forked.run("--store", "a.db", "start", f"{GRAPHS}:chain", "-t", "a", check=0)
    tables = {table for (table,) in rows("a.db", "SELECT name FROM sqlite_schema")}
    known = {
        table
        for table in tables
        if any(column[1] == "thread_id" for column in rows("a.db", f"PRAGMA table_info({table})"))
    }
    assert known | {"threads"} == {*TABLES, *LEFT_OUT}
