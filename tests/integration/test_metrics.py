"""``durajob metrics``: true figures, in a text that Prometheus can read."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.forked import Forked
from tests.harness import Durajob

GRAPHS = Path(__file__).with_name("graphs.py")
ASKING = Path(__file__).with_name("asking.py")

pytestmark = pytest.mark.usefixtures("effects")


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is in the test's folder."""
    monkeypatch.setenv("DURAJOB_STORE", "s/d.db")


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each value by its name and the values of its labels, as Prometheus' own parser has them."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_are_true(forked: Forked) -> None:
    """Threads by status, an interrupted one told from a running one; attempts; times; sizes."""
    chain = f"{GRAPHS}:chain"
    forked.run("start", chain, "-t", "done", "-q", check=0)
    forked.run("start", chain, "-t", "fails", "-q", env={"FAIL": "c"}, check=1)
    died = forked.run("start", chain, "-t", "dies", "-q", env={"DIE": "b:after"})
    assert -signal.SIGKILL == died.exit_status
    forked.run("start", f"{ASKING}:plain", "-t", "asks", "-q", check=3)
    found = samples(forked.run("metrics", check=0).stdout)
    shown = {name: forked.run("status", name, "--json").thread for name in ("done", "asks")}

    def value(name: str, *labels: str) -> float:
        return found[name, labels]

    counts = {"completed": 1, "failed": 1, "interrupted": 1, "running": 0, "waiting": 0}
    for status, count in counts.items():
        assert count == value("durajob_threads", status, "chain")
    assert 1 == value("durajob_threads", "waiting", "plain")
    attempts = {"succeeded": 4 + 2 + 1, "failed": 1, "abandoned": 1, "running": 0, "timed_out": 0}
    for status, count in attempts.items():
        assert count == value("durajob_attempts", status, "chain")
    ended = _stamp(shown["done"]["finished_at"])
    assert abs(ended - value("durajob_last_success_timestamp_seconds", "chain")) < 0.002
    took = ended - _stamp(shown["done"]["started_at"])
    assert abs(took - value("durajob_last_duration_seconds", "chain")) < 0.004
    assert (1, value("durajob_last_duration_seconds", "chain")) == (
        value("durajob_duration_seconds_count", "chain"),
        value("durajob_duration_seconds_sum", "chain"),
    )
    asked = _stamp(shown["asks"]["updated_at"])
    assert abs(asked - value("durajob_oldest_timestamp_seconds", "waiting", "plain")) < 0.002
    assert 1 == value("durajob_store_exists")
    sizes = [Path(f"s/d.db{suffix}").stat().st_size for suffix in ("", "-wal")]
    told = [value("durajob_store_size_bytes"), value("durajob_store_log_size_bytes")]
    assert sizes == told


def test_slots_and_how_late_ticks_came_to_them(forked: Forked) -> None:
    """By outcome; of those that a tick has started, the latest and all of them."""
    Path("workflows.toml").write_text(
        '[workflows.w]\nthread = "w-{slot:%Y-%m-%dT%H-%M}"\n'
        '[workflows.w.schedule]\ncron = "* * * * *"\ncatchup = "1h"\n'
        "[[workflows.w.steps]]\nname = 'a'\nrun = 'true'\n"
    )
    # Ticks that follow each other by some five minutes: all slots but the latest are missed.
    for offset in (-900, -600):
        env = {"FAULTS": "set_clock", "OFFSET": str(offset)}
        forked.run("tick", "--wait", "-q", env=env)
    found = samples(forked.run("metrics", check=0).stdout)
    assert 2 == found["durajob_slots", ("started", "w")]
    assert 4 <= found["durajob_slots", ("missed", "w")] <= 8
    assert 0 == found["durajob_slots", ("queued", "w")]
    assert 2 == found["durajob_slot_late_seconds_count", ("w",)]
    late = found["durajob_last_slot_late_seconds", ("w",)]
    assert 0 <= late < found["durajob_last_slot_timestamp_seconds", ("w",)]
    assert late <= found["durajob_slot_late_seconds_sum", ("w",)]


def test_no_store_is_no_trouble(forked: Forked) -> None:
    """Nothing, in figures; and no store is made."""
    found = samples(forked.run("metrics", check=0).stdout)
    assert 0 == found["durajob_store_exists", ()]
    assert 0 == found["durajob_store_size_bytes", ()]
    assert not Path("s").exists()


def test_a_name_is_escaped(forked: Forked) -> None:
    """What stands in a store is data: a name that nobody could have given spoils no line."""
    forked.run("start", "durable", "-i", "seconds:=0", "-q", check=0)
    name = 'a"b\\c\nd{x="1"} 2'
    from durajob.store.driver import sqlite

    connection = sqlite.connect("s/d.db")
    with connection:
        connection.execute("UPDATE threads SET workflow = ?", (name,))
    connection.close()
    found = samples(forked.run("metrics", check=0).stdout)
    assert 1 == found["durajob_threads", ("completed", name)]


def test_the_file_is_replaced_whole(forked: Forked) -> None:
    """Readable by everyone, nothing left beside it; one that cannot be made leaves the old one."""
    file = Path("m/durajob.prom")
    file.parent.mkdir()
    file.write_text("old")
    old = file.stat().st_ino
    printed = forked.run("metrics", "--output", file, check=0)
    assert ("", "") == (printed.stdout, printed.stderr)
    assert [file] == list(file.parent.iterdir())
    assert (0o644, False) == (file.stat().st_mode & 0o777, old == file.stat().st_ino)
    assert 0 == samples(file.read_text())["durajob_store_exists", ()]
    Path("s").mkdir()
    Path("s/d.db").touch(0o600)
    Path("s/d.db").write_text("no store at all" * 100)
    text = file.read_text()
    forked.run("metrics", "--output", file, check=69)
    assert text == file.read_text()
    os.mkdir("m/folder")
    os.unlink("s/d.db")
    refused = forked.run("metrics", "--output", "m/folder", check=74)
    assert "error: m/folder cannot be written: Is a directory" in refused.stderr


def test_only_metrics_imports_what_it_needs(durajob: Durajob) -> None:
    """prometheus-client takes a tenth of a second, which no other command pays, and LangGraph a
    whole one, which this one does not."""
    env = {"PYTHONPROFILEIMPORTTIME": "1"}
    assert "prometheus_client" not in durajob.run("status", env=env, check=0).stderr
    said: Any = durajob.run("metrics", env=env, check=0).stderr
    assert "prometheus_client" in said
    assert "langgraph" not in said
    assert "msgspec" not in said


def _stamp(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()
