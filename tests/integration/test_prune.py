"""prune: what goes, what stays, and what workflows.toml says of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped]  # it has no types
import pytest

from durajob.commands.prune import Rule, Rules, chosen, follow_retention
from durajob.config.settings import load_settings
from durajob.store.driver import sqlite
from durajob.store.prune import Ended
from durajob.store.prune_queries import DELETE_REST
from durajob.store.write import Writer
from tests.forked import Forked
from tests.harness import COMMAND

HERE = Path(__file__).parent
GRAPHS = HERE / "graphs.py"
GROWING = HERE / "growing.py"
SAGAS = HERE / "sagas.py"

DAY = 86_400_000_000


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the store of the test will be."""
    monkeypatch.setenv("DURAJOB_STORE", str(tmp_path / "s.db"))
    monkeypatch.setenv("EFFECTS", str(tmp_path / "effects"))
    monkeypatch.setenv("GROW", "30")
    return tmp_path / "s.db"


def rows(store: Path, query: str) -> list[Any]:
    """What the store says."""
    with closing(sqlite.connect(str(store))) as connection:
        found: list[Any] = connection.execute(query).fetchall()
    return found


def names(forked: Forked) -> list[str]:
    """The threads that are there, oldest first."""
    found = forked.run("list", "--json", check=0).data["threads"]
    return [thread["thread"] for thread in reversed(found)]


def run_three(forked: Forked) -> None:
    """One thread completes, one is cancelled, one fails."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "good", check=0)
    forked.run("start", f"{GRAPHS}:chain", "-t", "over", env={"FAIL": "b"}, check=1)
    forked.run("cancel", "over", check=0)
    forked.run("start", f"{GRAPHS}:chain", "-t", "bad", env={"FAIL": "c"}, check=1)


def said_of(store: Path, row: int, thread: str) -> dict[str, int]:
    """How many rows of each table are of a thread."""
    found = {}
    for (table,) in rows(store, "SELECT name FROM sqlite_schema WHERE type = 'table'"):
        columns = {column[1] for column in rows(store, f"PRAGMA table_info({table})")}
        if columns & {"thread_id", "thread"}:
            of = f"thread_id IN ({row}, '{thread}')" if "thread_id" in columns else f"id = {row}"
            found[table] = rows(store, f"SELECT count(*) FROM {table} WHERE {of}")[0][0]
    return {table: count for table, count in found.items() if count}


def test_what_has_ended_goes_whole(forked: Forked, store: Path) -> None:
    """Rows of every table, logs and work folder; what can still run stays, and is told of."""
    run_three(forked)
    forked.run("start", f"{SAGAS}:order", "-t", "undone", env={"FAIL": "d"}, check=1)
    forked.run("start", f"{HERE}/asking.py:send", "-t", "asked", check=3)
    ended = dict(rows(store, "SELECT thread, id FROM threads"))
    for row in ended.values():
        (Path(f"{store}-work") / str(row)).mkdir(parents=True)
    planned = forked.run("prune", "--dry-run", "--json", check=0).data
    assert 5 == len(names(forked))
    done = forked.run("prune", "--yes", "--json", check=0).data
    assert {"completed": 1, "cancelled": 1, "failed": 1} == done["statuses"]
    assert {**planned, "dry_run": False, "freed": done["freed"]} == done
    assert done["bytes"] > 10_000
    assert ["bad", "asked"] == names(forked)
    for thread in ("good", "over", "undone"):
        assert {} == said_of(store, ended[thread], thread)
    left = {int(each.name) for each in Path(f"{store}-work").iterdir()}
    assert {ended["bad"], ended["asked"]} == left
    assert {} == {each: True for each in os.listdir(f"{store}-logs") if int(each) not in left}
    failed = forked.run("prune", "--yes", "--status", "failed", "--json", check=0).data
    assert (0, ["bad"]) == (failed["threads"], [each["thread"] for each in failed["left"]])
    forked.run("resume", "bad", check=0)
    forked.run("doctor", check=0)


def test_every_table_that_knows_threads_is_cleared(forked: Forked, store: Path) -> None:
    """Also one that a thread of this test has no row in."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "good", check=0)
    tables = {table for (table,) in rows(store, "SELECT name FROM sqlite_schema")}
    known = {
        table
        for table in tables
        if any(column[1] == "thread_id" for column in rows(store, f"PRAGMA table_info({table})"))
    }
    assert known == {query.split()[2] for query in DELETE_REST}


def test_an_end_that_is_still_to_be_told_keeps_its_thread(
    forked: Forked, store: Path, tmp_path: Path
) -> None:
    """Whoever is to be told of it gets the thread whole; then it goes."""
    (tmp_path / "workflows.toml").write_text(
        f'version = 1\n[workflows.w]\ngraph = "{GRAPHS}:chain"\n'
        'notify = { completed = "test -e told" }\n'
    )
    forked.run("start", "w", "-t", "good", check=0)
    assert [(1,)] == rows(store, "SELECT count(*) FROM notifications WHERE due_at IS NOT NULL")
    done = forked.run("prune", "--yes", "--json", check=0).data
    assert (0, ["good"]) == (done["threads"], [left["thread"] for left in done["left"]])


def test_nobody_is_asked_off_a_terminal(forked: Forked, store: Path) -> None:
    """Without --yes nothing is deleted, and that is a usage error; nor by a status that is none."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "good", check=0)
    assert "--yes" in forked.run("prune", check=2).stderr
    assert "failed" in forked.run("prune", "--yes", "--status", "running", check=2).stderr
    forked.run("prune", "--yes", "--older-than", "soon", check=2)
    assert ["good"] == names(forked)
    assert 0 == forked.run("prune", "--yes", "--older-than", "1h", "--json").data["threads"]


def test_at_a_terminal_it_asks(forked: Forked, store: Path, tmp_path: Path) -> None:
    """It says what would go, and takes only yes for a yes."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "good", check=0)
    for answer, left in (("n", ["good"]), ("y", [])):
        child = pexpect.spawn(str(COMMAND), ["prune"], encoding="utf-8", timeout=60)
        child.expect("1 thread .*Delete them")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert 0 == child.exitstatus
        assert left == names(forked)


def test_without_a_store_there_is_nothing_to_prune(forked: Forked, store: Path) -> None:
    """And none is made."""
    assert 0 == forked.run("prune", "--yes", "--json", check=0).data["threads"]
    assert not store.exists()


def test_a_thread_that_is_held_is_left_alone(forked: Forked, store: Path) -> None:
    """Whoever holds its lock, it stays until they let go."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "good", check=0)
    writer = Writer(store, create=False)
    writer.take_lock(1)
    done = forked.run("prune", "--yes", "--json", check=0).data
    writer.close()
    assert [{"thread": "good", "reason": "another process holds it"}] == done["left"]
    assert 1 == forked.run("prune", "--yes", "--json", check=0).data["threads"]


def test_spent_checkpoints_of_a_living_thread_go(forked: Forked, store: Path) -> None:
    """A resume needs the latest alone: it goes on as if the others were there."""
    forked.run("start", f"{GROWING}:growing", "-t", "t", env={"KILL": "20"})
    done = forked.run("prune", "--yes", "--json", check=0).data
    assert (0, 21) == (done["threads"], done["checkpoints"])
    assert 1 == len(rows(store, "SELECT * FROM checkpoints"))
    forked.run("doctor", check=0)
    state = forked.run("resume", "t", "--json", check=0).thread["state"]
    assert [f"{number:06}" for number in range(30)] == [item[:6] for item in state["items"]]


def test_a_state_that_is_kept_as_changes_is_not_thinned(forked: Forked, store: Path) -> None:
    """LangGraph rebuilds it from the earlier checkpoints, which therefore stay."""
    forked.run("start", f"{GROWING}:changes", "-t", "t", env={"KILL": "20"})
    before = rows(store, "SELECT count(*) FROM checkpoints")
    assert 0 == forked.run("prune", "--yes", "--json", check=0).data["checkpoints"]
    assert before == rows(store, "SELECT count(*) FROM checkpoints") > [(20,)]
    state = forked.run("resume", "t", "--json", check=0).thread["state"]
    assert 30 == state["count"]


def test_the_file_becomes_shorter(forked: Forked, store: Path) -> None:
    """What was free in it goes back to the file system; --compact does that for a store of an
    earlier durajob, which could only be used again."""
    for number in range(3):
        grown = ("start", f"{GROWING}:growing", "-t", f"t{number}")
        forked.run(*grown, env={"GROW": "200"}, check=0)
    with closing(sqlite.connect(str(store))) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    before = store.stat().st_size
    assert "--compact" in forked.run("prune", "--yes", check=0).stderr
    assert before == store.stat().st_size
    assert forked.run("prune", "--yes", "--compact", "--json").data["freed"] > before / 2
    forked.run("start", f"{GROWING}:growing", "-t", "t", env={"GROW": "200"}, check=0)
    before = store.stat().st_size
    forked.run("prune", "--yes", check=0)
    assert before - store.stat().st_size > 500_000
    forked.run("doctor", check=0)


def test_what_a_kill_has_left_goes_the_next_time(forked: Forked, store: Path) -> None:
    """Folders that belong to no thread are found, by doctor too, and removed."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "good", check=0)
    for kind in ("logs", "work"):
        (Path(f"{store}-{kind}") / "77").mkdir(parents=True)
    assert 2 == forked.run("doctor").stdout.count("belongs to no thread")
    assert 2 == forked.run("prune", "--yes", "--json", check=0).data["folders"]
    assert not (Path(f"{store}-logs") / "77").exists()


def test_workflows_toml_says_how_long_threads_stay(
    forked: Forked, store: Path, tmp_path: Path
) -> None:
    """prune follows it; for each workflow its own keys go before those of all."""
    (tmp_path / "workflows.toml").write_text(
        f'version = 1\n[retention]\ncompleted = "1ms"\ncheckpoints = "300d"\n'
        f'[workflows.some]\ngraph = "{GRAPHS}:chain"\nretention = {{ keep = 2 }}\n'
        f'[workflows.other]\ngraph = "{GRAPHS}:chain"\nretention = {{ completed = "1d" }}\n'
    )
    for number in range(4):
        forked.run("start", "some", "-t", f"s{number}", check=0)
    forked.run("start", "other", "-t", "o", check=0)
    forked.run("start", "durable", "-t", "d", "-i", "seconds:=0", check=0)
    assert 3 == forked.run("prune", "--yes", "--json", check=0).data["threads"]
    assert ["s2", "s3", "o"] == names(forked)
    forked.run("prune", "--yes", "--workflow", "other", "--older-than", "1ms", check=0)
    assert ["s2", "s3"] == names(forked)


def test_a_tick_prunes_once_a_day(
    forked: Forked, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not at all where workflows.toml does not say what."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "a", check=0)
    assert follow_retention(settings=load_settings(None, None), seconds=9) is None
    (tmp_path / "workflows.toml").write_text('version = 1\n[retention]\ncompleted = "1ms"\n')
    settings = load_settings(None, None)
    late = follow_retention(settings=settings, seconds=0)
    assert late is not None
    assert 0 == late.threads
    done = follow_retention(settings=settings, seconds=9)
    assert done is not None
    assert 1 == done.threads
    assert follow_retention(settings=settings, seconds=9) is None


def ended() -> Iterator[Ended]:
    """Five threads that ended a day apart, the newest just now, and one that could go on."""
    for row in range(5):
        yield Ended(row, f"t{row}", "w", "completed", True, False, row * DAY)
    yield Ended(9, "t9", "w", "failed", False, False, 0)


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        (Rule(), []),
        (Rule(completed=0.0, failed=0.0), [0, 1, 2, 3, 4]),
        (Rule(completed=2 * 86_400.0), [0, 1, 2]),
        (Rule(completed=0.0, keep=4), [0]),
        (Rule(cancelled=0.0, failed=0.0), []),
    ],
)
def test_what_the_rules_choose(rule: Rule, rows: list[int]) -> None:
    """By age and number, and never what could still run."""
    found = chosen(list(ended()), Rules({}, rule), now=4 * DAY)
    assert rows == [thread.row for thread in found]
