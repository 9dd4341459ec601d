"""``recover``: every thread whose owner is gone is resumed, by one process, and none forgotten."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.harness import wait_for
from tests.integration.judge import lines

GRAPHS = Path(__file__).with_name("graphs.py")
NAMED = f"{GRAPHS}:named"

pytestmark = pytest.mark.usefixtures("effects")


def interrupt(forked: Forked, *threads: str, workflow: str = NAMED) -> None:
    """Start threads that are killed in their second step, one after the other."""
    for name in threads:
        env = {"DIE_EACH_TIME": f"{name}.b:after"}
        started = forked.run("start", workflow, "-t", name, "-i", f"path={name}", env=env)
        assert -signal.SIGKILL == started.exit_status


def statuses(forked: Forked) -> dict[str, str]:
    """The status of every thread."""
    found = forked.run("list", "--json", check=0).data["threads"]
    return {thread["thread"]: thread["status"] for thread in found}


def test_all_that_were_left_behind_are_resumed_oldest_first(forked: Forked, effects: Path) -> None:
    """The interrupted, and one whose start died before claiming it; not one that was just now
    admitted, nor any that failed. A dry run says which, and changes nothing."""
    forked.run("start", NAMED, "-t", "failed", "-i", "path=f", env={"FAIL": "f.a"}, check=1)
    interrupt(forked, "z")
    old = {"FAULTS": "set_clock,die_before_claim", "OFFSET": "-61"}
    new = {"FAULTS": "die_before_claim"}
    for name, env in (("accepted", old), ("young", new)):
        begun = forked.run("start", NAMED, "-t", name, "-i", f"path={name}", env=env)
        assert -signal.SIGKILL == begun.exit_status
    interrupt(forked, "a")
    before, stored = lines(effects), statuses(forked)

    dry = forked.run("recover", "--dry-run", "--json", check=0)
    assert ["z", "accepted", "a"] == [thread["thread"] for thread in dry.data["threads"]]
    assert None is dry.data["outcomes"]
    assert (before, stored) == (lines(effects), statuses(forked))

    done = forked.run("recover", "--wait", "--jobs", "1", "--json", check=0)
    assert ["z", "accepted", "a"] == [each["thread"] for each in done.data["outcomes"]]
    assert {"completed"} == {thread["status"] for thread in done.data["threads"]}
    assert ["z.b", "accepted.a", "accepted.b", "a.b"] == lines(effects)[len(before) :]
    assert {**stored, "z": "completed", "accepted": "completed", "a": "completed"} == statuses(
        forked
    )
    again = forked.run("recover", "--wait", check=0)
    assert "nothing to recover" in again.stderr


def test_eight_that_recover_at_once_drive_each_thread_once(forked: Forked, effects: Path) -> None:
    """However many do it, each thread has one owner more than before, and each step ran once."""
    names = [f"t{number}" for number in range(8)]
    interrupt(forked, *names)
    before = Counter(lines(effects))
    runs = [forked.begin("recover", "--wait", "--json") for _ in range(8)]
    outcomes = [each for run in runs for each in run.wait(check=0).data["outcomes"]]
    assert dict.fromkeys((f"{name}.b" for name in names), 1) == Counter(lines(effects)) - before
    assert names == sorted({each["thread"] for each in outcomes})
    found = forked.run("list", "--json", check=0).data["threads"]
    assert {("completed", 2)} == {(thread["status"], thread["epoch"]) for thread in found}


def test_one_that_cannot_be_resumed_holds_no_other_up(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """It is told of with its error, as are one that fails and one whose process is killed; the
    exit status is the gravest of all."""
    file = tmp_path / "workflows.toml"
    file.write_text(f'[workflows.job]\ngraph = "{NAMED}"\n')
    interrupt(forked, "changed", workflow="job")
    interrupt(forked, "fails", "dies", "well")
    file.write_text(f'[workflows.job]\ngraph = "{GRAPHS}:loop"\n')
    env = {"FAIL": "fails.b", "DIE_EACH_TIME": "dies.b:after"}
    done = forked.run("recover", "--wait", "--json", env=env, check=65)
    told = {each["thread"]: each for each in done.data["outcomes"]}
    assert {
        "changed": ("interrupted", 65, "definition_changed"),
        "fails": ("failed", 1, "workflow_failed"),
        "dies": ("interrupted", 137, "interrupted"),
        "well": ("completed", 0, None),
    } == {
        name: (each["status"], each["exit_code"], each["error"] and each["error"]["code"])
        for name, each in told.items()
    }
    assert "definition_changed" == done.json["error"]["code"]
    quiet = forked.run("recover", "--wait", "-q", "--workflow", "job", check=65)
    assert ("", True) == (quiet.stdout, "error: thread changed is to go on with" in quiet.stderr)
    assert "" == forked.run("recover", "--wait", "-q", "--workflow", "none", check=0).stderr


def test_without_wait_a_process_in_the_background_does_it(forked: Forked, effects: Path) -> None:
    """It returns at once, says which, and they are driven to their end."""
    interrupt(forked, "a", "b")
    handed = forked.run("recover", "--json", check=0)
    assert ["a", "b"] == [thread["thread"] for thread in handed.data["threads"]]
    wait_for(lambda: {"completed"} == set(statuses(forked).values()))
    assert {"a.a": 1, "a.b": 2, "b.a": 1, "b.b": 2} == Counter(lines(effects))


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_stops_all_that_runs_and_begins_no_more(
    forked: Forked, effects: Path, signals: int
) -> None:
    """After the first the step in flight finishes (75); the second ends all at once (130)."""
    for name in ("one", "two"):
        run = forked.begin("start", f"{GRAPHS}:held", "-t", name)
        run.until(lambda: "hold" in lines(effects))
        run.kill()
        effects.unlink()
    recovering = forked.begin("recover", "--wait", "-j", "1", "--json")
    recovering.until(lambda: "hold" in lines(effects))
    recovering.signal(signal.SIGTERM)
    if signals == 2:
        recovering.signal(signal.SIGINT)
        recovering.wait(check=130)
        wait_for(lambda: "interrupted" == statuses(forked)["one"])
    else:
        Path(f"{effects}.go").touch()
        stopped = recovering.wait(check=75)
        assert "stopped" == stopped.json["error"]["code"]
        assert ["one"] == [each["thread"] for each in stopped.data["outcomes"]]
        assert "stopped" == statuses(forked)["one"]
    assert ("interrupted", ["hold"]) == (statuses(forked)["two"], lines(effects)[:1])
    assert 1 == lines(effects).count("hold")


def test_a_resume_for_an_epoch_leaves_alone_what_was_claimed_since(
    forked: Forked, effects: Path
) -> None:
    """Who looked before another process came does not resume after it."""
    interrupt(forked, "t")
    forked.run("resume", "t", "--if-epoch", "1", env={"FAIL": "t.b"}, check=1)
    left = forked.run("resume", "t", "--if-epoch", "1", "--json", check=0)
    assert ("failed", 2) == (left.thread["status"], left.thread["epoch"])
    assert ["t.a", "t.b", "t.b"] == lines(effects)
    forked.run("resume", "t", "--if-epoch", "x", check=2)
