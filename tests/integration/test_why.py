"""Why a thread stands where it stands: each cause, of a real thread that was brought there."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from durajob.store.files import lock_path
from durajob.store.locks import LockFile
from durajob.store.processes import user_name
from tests.forked import Forked
from tests.harness import wait_for
from tests.integration.judge import lines

HERE = Path(__file__).parent
GRAPHS, ASKING, EFFECTS, SAGAS, WAITING, NESTED = (
    HERE / f"{name}.py" for name in ("graphs", "asking", "effects", "sagas", "waiting", "nested")
)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of the test's own."""
    monkeypatch.setenv("DURAJOB_STORE", str(tmp_path / "s.db"))
    return tmp_path / "s.db"


class Why:
    """Asks why, and checks the form of every answer."""

    def __init__(self, forked: Forked) -> None:
        self._forked = forked

    def __call__(self, thread: str, **env: str) -> dict[str, Any]:
        data = self._forked.run("why", thread, "--json", env=env, check=0).data
        assert data["sentence"].startswith(f"thread {thread} ")
        assert "\n" not in data["sentence"]
        return data

    def reason(self, thread: str, **env: str) -> tuple[str, str | None]:
        """The reason, and the command without ``durajob`` and the thread's own name."""
        found = self(thread, **env)
        command = found["command"]
        if command is not None:
            command = command.removeprefix("durajob ").replace(f" {thread}", "")
        return found["reason"], command


@pytest.fixture
def why(forked: Forked) -> Why:
    """Asks why."""
    return Why(forked)


def test_what_ended_is_final(forked: Forked, effects: Path, why: Why) -> None:
    """Completed, cancelled by somebody, compensated: nothing moves it."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "done", "-q", check=0)
    assert ("completed", None) == why.reason("done")
    forked.run("start", f"{GRAPHS}:chain", "-t", "off", "-q", env={"FAIL": "b"}, check=1)
    forked.run("cancel", "off", "--reason", "no good", "-q", check=0)
    assert ("cancelled", None) == why.reason("off")
    assert f"by {user_name()}, who" in why("off")["sentence"]
    assert why("off")["sentence"].endswith(": no good; it is final")
    forked.run("start", f"{SAGAS}:order", "-t", "undone", "-q", env={"FAIL": "d"}, check=1)
    assert ("compensated", None) == why.reason("undone")


def test_a_failed_step_is_named_with_its_attempts(forked: Forked, effects: Path, why: Why) -> None:
    """What failed, and whether that was the last attempt; then what to do about it."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "step", "-q", env={"FAIL": "b"}, check=1)
    assert ("step_failed", "resume") == why.reason("step")
    assert "step b failed with ConnectionError: b failed on demand" in why("step")["sentence"]
    assert "durajob logs step b --attempt 1" == why("step")["look"]
    forked.run("start", "retry", "-t", "tries", "-i", "failure_rate:=1", "-q", check=1)
    assert ("attempts_exhausted", "resume") == why.reason("tries")
    assert "the last of 5 attempts" in why("tries")["sentence"]
    forked.run(
        "start", f"{GRAPHS}:bad_router", "-t", "router", "-q", env={"ROUTER": "raises"}, check=1
    )
    assert "KeyError" in why("router")["sentence"]
    forked.run("start", f"{SAGAS}:order", "-t", "undo", "-q", env={"FAIL": "d", "UNDO_FAIL": "b"})
    assert ("compensation_failed", "resume") == why.reason("undo")
    assert "undoes what it has done, since step d failed" in why("undo")["sentence"]


def test_failures_that_durajob_makes(forked: Forked, effects: Path, why: Why) -> None:
    """A crash loop, an expired question, an effect in doubt, a lock, a step that is gone."""
    loops = {"DIE_EACH_TIME": "b:before"}
    forked.run("start", f"{GRAPHS}:chain", "-t", "loop", env=loops)
    for _ in range(3):
        forked.run("resume", "loop", env=loops)
    assert ("crash_loop", "resume --reset-resumes") == why.reason("loop")
    forked.run("start", f"{ASKING}:send", "-t", "asked", "-q", check=3)
    late = {"FAULTS": "set_clock", "OFFSET": "7200"}
    forked.run("resume", "asked", "-q", env=late, check=1)
    assert ("approval_expired", "resume") == why.reason("asked")
    doubt = {"DIE": "pay:done", "DOUBT": "fail"}
    forked.run("start", f"{EFFECTS}:one", "-t", "doubt", env=doubt)
    forked.run("resume", "doubt", "-q", env=doubt, check=1)
    assert ("effect_in_doubt", "resume") == why.reason("doubt")
    holder = forked.begin("start", f"{WAITING}:policy", "-t", "h", env={"HOLD": "x"})
    holder.until(lambda: "+x" in lines(effects))
    forked.run("start", f"{WAITING}:patient", "-t", "locked", "-q", check=1)
    assert ("lock_not_had", "resume") == why.reason("locked")
    holder.kill()
    forked.run("start", f"{NESTED}:raw", "-t", "gone", "-q", env={"FAIL": "deeper"}, check=1)
    changed = {"INNER": "deepest"}
    forked.run("resume", "gone", "--accept-change", "-q", env=changed, check=1)
    assert ("definition_changed", "resume") == why.reason("gone")


def test_a_step_that_took_too_long(forked: Forked, why: Why) -> None:
    """Its timeout is named; the thread can go on there."""
    (forked.cwd / "workflows.toml").write_text(
        "[[workflows.job.steps]]\nname = 'work'\nrun = 'sleep 60'\ntimeout = '50ms'\n"
    )
    forked.run("start", "job", "-t", "t", "-q", check=1)
    assert ("step_timed_out", "resume") == why.reason("t")
    assert "step work failed with CommandTimeout: " in why("t")["sentence"]
    assert "durajob logs t work --attempt 1" == why("t")["look"]


def test_what_a_person_has_settled_is_no_reason_any_more(
    forked: Forked, effects: Path, why: Why
) -> None:
    """The thread stays failed with its error until it is resumed: that this is all there is left
    to do is said by why and by status; of a compensation, too."""
    by_hand = ("--reason", "called them")
    for name, graph, env, step in (
        ("plain", f"{GRAPHS}:chain", {"FAIL": "b"}, "b"),
        ("branch", f"{GRAPHS}:fan", {"FAIL": "work2"}, "work[2]"),
        ("undo", f"{SAGAS}:order", {"FAIL": "d", "UNDO_FAIL": "b"}, "b:compensate"),
    ):
        more = ("-i", "n:=4") if name == "branch" else ()
        forked.run("start", graph, "-t", name, "-q", *more, env=env, check=1)
        assert "settled" not in forked.run("status", name, check=0).stderr
        forked.run("skip", name, step, *by_hand, "-q", check=0)
        told = forked.run("status", name, check=0)
        assert f"step {step} was settled by hand since" in told.stderr
        assert f"resume with: durajob resume {name}" in told.stderr
        found = why(name)
        assert ("settled", "resume") == why.reason(name)
        assert (user_name(), "called them") == (found["details"]["user"], found["details"]["why"])
        assert "called them; resumed, it goes on after it" in found["sentence"]
        assert f"durajob resume {name} --plan" == found["look"]
    forked.run("resume", "plain", "-q", check=0)
    assert ("completed", None) == why.reason("plain")
    assert "settled" not in forked.run("status", "plain", check=0).stderr


def test_what_runs_and_what_it_waits_for(forked: Forked, effects: Path, why: Why) -> None:
    """A step, a lock that another thread holds, a backoff, a sleep, a process that was stopped."""
    holder = forked.begin("start", f"{WAITING}:policy", "-t", "h", env={"HOLD": "x"})
    holder.until(lambda: "+x" in lines(effects))
    running = why("h")
    assert ("running", None) == why.reason("h")
    assert "is running step guarded, since" in running["sentence"]
    assert holder.pid == running["details"]["pid"]
    waiting = forked.begin("start", f"{WAITING}:policy", "-t", "w")
    waiting.until(lambda: "waits for lock" in waiting.stderr)
    assert ("waits_for_lock", None) == why.reason("w")
    assert "step guarded of thread h" in why("w")["sentence"]
    assert "durajob why h" == why("w")["look"]
    waiting.kill()
    holder.signal(signal.SIGSTOP)
    wait_for(lambda: why.reason("h") == ("owner_stopped", "resume --take-over"))
    holder.signal(signal.SIGCONT)
    holder.kill()
    (forked.cwd / "b.py").write_text(
        "from durajob import Workflow\n"
        "w = Workflow('w', dict)\n"
        "w.step(retry={'on': OSError, 'attempts': 3, 'wait': '1h', 'max_wait': '1h'},\n"
        "       name='fails')(lambda state: open('/nowhere'))\n"
    )
    backing = forked.begin("start", "./b.py:w", "-t", "b")
    backing.until(lambda: "trying again" in backing.stderr)
    assert ("backs_off", None) == why.reason("b")
    assert "attempt 1 of 3 failed with FileNotFoundError" in why("b")["sentence"]
    backing.kill()


def test_owners_that_died(
    forked: Forked, effects: Path, why: Why, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted, in which step; left behind; resumed too often; its folder or workflow gone."""
    folder = forked.cwd / "there"
    folder.mkdir()
    shutil.copy(GRAPHS, folder / "g.py")
    monkeypatch.setenv("PYTHONPATH", str(HERE.parents[1]))
    run = forked.begin("start", f"{folder}/g.py:held", "-t", "t")
    run.until(effects.exists)
    run.kill()
    assert ("interrupted", "resume") == why.reason("t")
    assert f"process {run.pid} died while it drove it, in step hold" in why("t")["sentence"]
    assert ["hold"] == [step["step"] for step in why("t")["details"]["steps"]]
    again = forked.begin("resume", "t")
    again.until(lambda: len(lines(effects)) == 2)
    again.kill()
    assert ", as 1 before it in a row" in why("t")["sentence"]
    third = forked.begin("resume", "t")
    third.until(lambda: len(lines(effects)) == 3)
    third.kill()
    assert ", as 2 before it in a row" in why("t")["sentence"]
    (forked.cwd / "workflows.toml").write_text("[defaults]\nmax_resumes = 2\n")
    assert ("too_many_resumes", "resume --reset-resumes") == why.reason("t")
    (folder / "g.py").rename(folder / "other.py")
    assert ("workflow_gone", "resume") == why.reason("t")
    assert f"{folder}/g.py" in why("t")["sentence"]


def test_what_a_thread_was_started_with_is_gone(forked: Forked, effects: Path, why: Why) -> None:
    """Its folder, its name in the workflows.toml, or that file as a whole."""
    toml = forked.cwd / "workflows.toml"
    toml.write_text(f'[workflows.w]\ngraph = "{GRAPHS}:chain"\n')
    folder, home = forked.cwd / "away", forked.cwd
    folder.mkdir()
    forked.cwd = folder
    forked.run("start", "w", "-t", "t", "-q", env={"FAIL": "b"}, check=1)
    forked.cwd = home
    folder.rmdir()
    assert ("environment_gone", "resume --here") == why.reason("t")
    toml.write_text("")
    assert "there is no workflow 'w' any more" in why("t")["sentence"]
    toml.write_text("[")
    assert "workflows.toml" in why("t")["sentence"]


def test_a_program_that_was_left_behind(forked: Forked, effects: Path, why: Why) -> None:
    """The orphan that keeps the thread is named."""
    (forked.cwd / "workflows.toml").write_text(
        "[[workflows.job.steps]]\nname = 'work'\nrun = 'echo $$ >> $EFFECTS; sleep 60'\n"
    )
    owner = forked.begin("start", "job", "-t", "t")
    owner.until(lambda: lines(effects))
    owner.kill()
    (orphan,) = lines(effects)
    assert ("left_behind", "resume --take-over") == why.reason("t")
    assert f"process {orphan} (" in why("t")["sentence"]
    os.killpg(int(orphan), signal.SIGKILL)


def test_threads_that_nobody_has_claimed(
    forked: Forked, effects: Path, why: Why, store: Path
) -> None:
    """Accepted and left, being claimed just now, or waiting its turn under max_running."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "left", env={"FAULTS": "die_before_claim"})
    assert ("never_claimed", "resume") == why.reason("left")
    lock = LockFile(lock_path(store), create=True)
    assert lock.try_thread(1)
    assert ("just_claimed", None) == why.reason("left")
    assert [os.getpid()] == why("left")["details"]["pids"]
    lock.close()
    (forked.cwd / "workflows.toml").write_text("[defaults]\nmax_running = 1\n")
    first = forked.begin("start", f"{GRAPHS}:held", "-t", "first")
    first.until(effects.exists)
    second = forked.begin("start", f"{GRAPHS}:held", "-t", "second")
    second.until(lambda: "max_running" in second.stderr)
    assert ("waits_its_turn", None) == why.reason("second")
    assert [second.pid] == why("second")["details"]["pids"]


def test_stops_sleeps_and_questions(forked: Forked, effects: Path, why: Why) -> None:
    """By whom it was stopped, until when it sleeps, what is asked; and when that is over."""
    run = forked.begin("start", f"{GRAPHS}:held", "-t", "stopped")
    run.until(effects.exists)
    run.signal(signal.SIGTERM)
    run.until(lambda: "asked to stop" in run.stderr)
    Path(f"{effects}.go").touch()
    run.wait(check=75)
    assert ("stopped", "resume") == why.reason("stopped")
    assert "by a signal (SIGTERM)" in why("stopped")["sentence"]
    assert why("stopped")["sentence"].endswith("next is after")
    late = {"FAULTS": "set_clock", "OFFSET": "10800"}
    short = forked.begin("start", f"{WAITING}:sleeper", "-t", "short", env={"FOR": "9s"})
    short.until(lambda: forked.run("why", "short").exit_status == 0)
    wait_for(lambda: why.reason("short") == ("sleeps_shortly", None))
    assert f"in process {short.pid} on {os.uname().nodename}" in why("short")["sentence"]
    assert ("nap", short.pid) == tuple(why("short")["details"][each] for each in ("step", "pid"))
    short.kill()
    forked.run("start", f"{WAITING}:sleeper", "-t", "asleep", "-q", check=3)
    assert ("sleeping", "tick") == why.reason("asleep")
    wake_at = why("asleep")["details"]["wake_at"]
    told = f"sleeps in step nap until {wake_at}, when the next tick wakes it"
    assert told in why("asleep")["sentence"]
    assert ("sleep_over", "resume") == why.reason("asleep", **late)
    forked.run("start", f"{ASKING}:send", "-t", "asks", "-q", check=3)
    assert ("waits_for_answer", "answer VALUE") == why.reason("asks")
    assert "step ask asks How many?, until" in why("asks")["sentence"]
    assert ("wait_over", "resume") == why.reason("asks", **late)
    forked.run("answer", "asks", "3", "--no-resume", "-q", check=0)
    assert ("answered", "resume") == why.reason("asks")
    assert f"by {user_name()} at" in why("asks")["sentence"]


def test_cancels_under_way(forked: Forked, effects: Path, why: Why) -> None:
    """A wish that nobody carries out, and one that is being carried out."""
    forked.run("start", f"{SAGAS}:order", "-t", "wish", env={"DIE": "d:before"})
    forked.run("cancel", "wish", env={"FAULTS": "die_after_wish"})
    assert ("to_be_cancelled", "cancel") == why.reason("wish")
    cancel = forked.begin("cancel", "wish", env={"UNDO_HOLD": "b"})
    cancel.until(lambda: "undo-b:holds" in lines(effects))
    assert ("being_cancelled", None) == why.reason("wish")
    cancel.kill()


def test_damage_is_the_reason(forked: Forked, effects: Path, store: Path) -> None:
    """A thread whose rows cannot be right is answered for with 69, naming it."""
    import sqlite3

    forked.run("start", f"{GRAPHS}:chain", "-t", "t", "-q", env={"FAIL": "b"}, check=1)
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE origins SET input = '{\"n\": 1}'")
    connection.close()
    done = forked.run("why", "t", "--json", check=69)
    assert "store_damaged" == done.json["error"]["code"]
    assert "'t'" in done.json["error"]["message"]
    assert 66 == forked.run("why", "x").exit_status


def test_the_sentence_and_the_commands_are_data(forked: Forked, effects: Path) -> None:
    """All of the answer stands on stdout, ready to be typed for the store that was asked."""
    forked.run("--store", "o.db", "start", f"{GRAPHS}:chain", "-t", "t", "-q", env={"FAIL": "b"})
    done = forked.run("--store", "o.db", "why", "t", check=0)
    assert "" == done.stderr
    assert [
        "thread t failed, since step b failed with ConnectionError: b failed on demand; "
        "once the cause is mended, it can go on there",
        "  next: durajob --store o.db resume t",
        "  look: durajob --store o.db logs t b --attempt 1",
    ] == done.stdout.splitlines()
