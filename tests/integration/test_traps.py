"""Where LangGraph's state lies, durajob tells the truth: one test for each trap."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.integration.judge import lines

GRAPHS = Path(__file__).with_name("graphs.py")


pytestmark = pytest.mark.usefixtures("effects")


def configure(folder: Path, graph: str, extra: str = "") -> None:
    """Write a workflows.toml with one workflow, ``job``."""
    (folder / "workflows.toml").write_text(
        f'[workflows.job]\ngraph = "{GRAPHS}:{graph}"\n{extra}\n'
    )


def test_a_pending_step_that_was_removed_is_refused(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """LangGraph would call the thread finished; durajob says which step is gone (65)."""
    configure(tmp_path, "chain")
    forked.run("start", "job", "-t", "t", env={"DIE": "c:before"})
    configure(tmp_path, "chain_without_c", 'on_change = "accept"')
    refused = forked.run("resume", "t", "--json", check=65)
    assert refused.json["error"]["code"] == "definition_changed"
    assert "'c'" in refused.json["error"]["message"]
    assert refused.json["error"]["hint"]
    assert forked.run("status", "t", "--json").thread["status"] == "interrupted"
    configure(tmp_path, "chain")
    forked.run("resume", "t", check=0)
    assert lines(effects) == ["a", "b", "c", "d"]


def test_a_changed_shape_is_refused_unless_it_is_accepted(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """on_change decides about a thread whose workflow lost a step it does not need yet."""
    configure(tmp_path, "chain")
    forked.run("start", "job", "-t", "t", env={"DIE": "b:before"})
    configure(tmp_path, "chain_without_c")
    refused = forked.run("resume", "t", "--json", check=65)
    assert "-c" in refused.json["error"]["message"]
    assert "--accept-change" in refused.json["error"]["hint"]
    configure(tmp_path, "chain_without_c", 'on_change = "accept"')
    forked.run("resume", "t", check=0)
    assert lines(effects) == ["a", "b", "d"]


def test_a_changed_target_is_refused_with_a_way_out_that_is_one(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """A target that was typed by hand has no on_change; a person can accept the change."""
    job = tmp_path / "job.py"
    job.write_text(GRAPHS.read_text())
    forked.run("start", "./job.py:chain", "-t", "t", env={"DIE": "b:before"})
    job.write_text(f"{GRAPHS.read_text()}\nchain = chain_without_c\n")
    refused = forked.run("resume", "t", "--json", check=65)
    assert "--accept-change" in refused.json["error"]["hint"]
    forked.run("resume", "t", "--accept-change", check=0)
    assert lines(effects) == ["a", "b", "d"]


def test_a_person_accepts_a_changed_shape(forked: Forked, effects: Path, tmp_path: Path) -> None:
    """--accept-change goes on with the workflow as it is now, whatever on_change says."""
    configure(tmp_path, "chain")
    forked.run("start", "job", "-t", "t", env={"DIE": "b:before"})
    configure(tmp_path, "chain_without_c")
    forked.run("resume", "t", check=65)
    forked.run("resume", "t", "--accept-change", check=0)
    assert lines(effects) == ["a", "b", "d"]


@pytest.mark.parametrize("how", ["raises", "typo"])
def test_a_router_that_fails_does_not_complete_the_thread(
    forked: Forked, effects: Path, how: str
) -> None:
    """The step before it is not run again, and once the router is mended the job goes on."""
    target = f"{GRAPHS}:bad_router"
    for command in (("start", target, "-t", "t"), ("resume", "t")):
        failed = forked.run(*command, "--json", env={"ROUTER": how}, check=1)
        assert failed.thread["status"] == "failed"
        assert failed.thread["next"] == ["a"]
        assert failed.thread["error"]["type"] == (
            "KeyError" if how == "raises" else "UnknownNextStep"
        )
    done = forked.run("resume", "t", "--json", check=0)
    assert done.thread["status"] == "completed"
    assert lines(effects) == ["a", "b"]


def test_a_goto_to_an_unknown_step_fails_that_step(forked: Forked, effects: Path) -> None:
    """LangGraph ignores it and ends; durajob fails the step, which runs again when mended."""
    env = {"ROUTER": "typo"}
    failed = forked.run("start", f"{GRAPHS}:bad_goto", "-t", "t", "--json", env=env, check=1)
    assert failed.thread["error"]["step"] == "a"
    assert failed.thread["error"]["type"] == "UnknownNextStep"
    forked.run("resume", "t", check=0)
    assert lines(effects) == ["a", "a", "b"]


def test_a_parallel_conflict_fails_and_does_not_poison_the_thread(
    forked: Forked, effects: Path
) -> None:
    """Both steps have run; every resume says the same, and neither runs again."""
    for command in (("start", f"{GRAPHS}:conflict", "-t", "t"), ("resume", "t")):
        failed = forked.run(*command, "--json", check=1)
        assert failed.thread["error"]["type"] == "InvalidUpdateError"
        assert "plain" in failed.thread["error"]["message"]
        assert forked.run("status", "t", "--json", check=0).thread["status"] == "failed"
    assert Counter(lines(effects)) == Counter(["a", "b"])


def test_input_for_an_existing_thread(forked: Forked, effects: Path) -> None:
    """The same input resumes when that was asked for, other input is refused (65), and
    neither restarts the thread."""
    target = f"{GRAPHS}:chain"
    forked.run("start", target, "-t", "t", "-i", "n:=1", env={"FAIL": "c"}, check=1)
    existing = forked.run("start", target, "-t", "t", "-i", "n:=1", "--json", check=73)
    assert existing.json["error"]["code"] == "thread_exists"
    other = forked.run(
        "start", target, "-t", "t", "-i", "n:=2", "--on-exists", "resume", "--json", check=65
    )
    assert other.json["error"]["code"] == "input_differs"
    forked.run("start", target, "-t", "t", "-i", "n:=1", "--on-exists", "resume", check=0)
    assert lines(effects) == ["a", "b", "c", "c", "d"]
    forked.run("start", target, "-t", "t", "-i", "n:=1", "--on-exists", "resume", check=0)
    forked.run("start", target, "-t", "t", "-i", "n:=1", "--on-exists", "skip", check=0)
    assert lines(effects) == ["a", "b", "c", "c", "d"]


def test_resume_of_an_unknown_thread(forked: Forked) -> None:
    """66, where no store is as where there is one."""
    assert forked.run("resume", "nobody", "--json", check=66).json["error"]["code"] == (
        "thread_not_found"
    )
    forked.run("start", f"{GRAPHS}:chain", "-t", "t", check=0)
    assert forked.run("resume", "nobody", "--json", check=66).json["error"]["code"] == (
        "thread_not_found"
    )


def test_resume_of_a_completed_thread(forked: Forked, effects: Path) -> None:
    """It is reported and left alone."""
    forked.run("start", f"{GRAPHS}:chain", "-t", "t", check=0)
    again = forked.run("resume", "t", "--json", check=0)
    assert again.thread["status"] == "completed"
    assert again.thread["epoch"] == 1
    assert lines(effects) == ["a", "b", "c", "d"]


def test_two_processes_on_one_thread(forked: Forked, effects: Path) -> None:
    """The second is told who owns it (75), may skip (0) or wait, and runs nothing twice."""
    first = forked.begin("start", f"{GRAPHS}:held", "-t", "t")
    first.until(lambda: "hold" in lines(effects))
    busy = forked.run("resume", "t", "--json", check=75)
    assert busy.json["error"]["code"] == "busy"
    assert str(first.pid) in busy.json["error"]["message"]
    assert forked.run("status", "t", "--json").thread["owner"]["pid"] == first.pid
    forked.run("resume", "t", "--on-busy", "skip", check=0)
    waiter = forked.begin("resume", "t", "--on-busy", "wait", "--json")
    Path(f"{effects}.go").touch()
    first.wait(check=0)
    assert waiter.wait(check=0).thread["status"] == "completed"
    assert lines(effects) == ["hold", "held", "after"]


def test_take_over_kills_the_stuck_owner_first(forked: Forked, effects: Path) -> None:
    """The old owner is dead before the new one runs anything."""
    first = forked.begin("start", f"{GRAPHS}:held", "-t", "t")
    first.until(lambda: "hold" in lines(effects))
    first.signal(signal.SIGSTOP)
    second = forked.begin("resume", "t", "--take-over", "--json")
    second.until(lambda: lines(effects).count("hold") == 2)
    assert first.wait().exit_status == -signal.SIGKILL
    Path(f"{effects}.go").touch()
    assert second.wait(check=0).thread["epoch"] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_between_steps(
    forked: Forked, effects: Path, number: signal.Signals
) -> None:
    """The step in flight finishes, what comes next waits: stopped, 75, resumable."""
    run = forked.begin("start", f"{GRAPHS}:held", "-t", "t", "--json")
    run.until(lambda: "hold" in lines(effects))
    run.signal(number)
    Path(f"{effects}.go").touch()
    stopped = run.wait(check=75)
    assert stopped.thread["status"] == "stopped"
    assert stopped.json["error"]["code"] == "stopped"
    assert lines(effects) == ["hold", "held"]
    forked.run("resume", "t", check=0)
    assert lines(effects) == ["hold", "held", "after"]


def test_a_second_signal_ends_at_once(forked: Forked, effects: Path) -> None:
    """130, and the thread is interrupted."""
    run = forked.begin("start", f"{GRAPHS}:held", "-t", "t")
    run.until(lambda: "hold" in lines(effects))
    run.signal(signal.SIGINT)
    run.until(lambda: "asked to stop" in run.stderr)
    run.signal(signal.SIGINT)
    run.wait(check=130)
    assert forked.run("status", "t", "--json").thread["status"] == "interrupted"


def test_a_signal_in_a_fan_out_begins_no_further_branch(forked: Forked, effects: Path) -> None:
    """Of 40 branches of which 4 run, the four finish and 36 wait."""
    env = {"HOLD": ",".join(f"work{i}" for i in range(40))}
    run = forked.begin("start", f"{GRAPHS}:fan", "-t", "t", "-i", "n:=40", "--json", env=env)
    run.until(lambda: len(lines(effects)) == 5)
    run.signal(signal.SIGTERM)
    Path(f"{effects}.go").touch()
    stopped = run.wait(check=75).thread
    assert len([s for s in stopped["steps"] if s["status"] == "succeeded"]) == 5
    assert len(stopped["next"]) == 36
    forked.run("resume", "t", check=0)
    assert sorted(lines(effects)) == sorted(["plan", "collect", *(f"work{i}" for i in range(40))])


def test_the_runs_own_timeout(forked: Forked, effects: Path) -> None:
    """A step that blocks does not outlive the run: 124, stopped, resumable."""
    env = {"FAULTS": "run_out"}
    run = forked.begin("start", f"{GRAPHS}:held", "-t", "t", "--timeout", "1h", "--json", env=env)
    run.until(lambda: lines(effects) == ["hold"])
    run.run_out()
    ended = run.wait(check=124)
    assert ended.thread["status"] == "stopped"
    assert ended.thread["steps"][0]["status"] == "timed_out"
    assert ended.json["error"]["code"] == "timed_out"
    Path(f"{effects}.go").touch()
    forked.run("resume", "t", check=0)
    assert lines(effects) == ["hold", "hold", "held", "after"]


def test_max_resumes(forked: Forked, effects: Path, tmp_path: Path) -> None:
    """A job that fails each time it is resumed is not resumed for ever; a person can insist."""
    configure(tmp_path, "chain", "max_resumes = 2")
    env = {"FAIL": "b"}
    forked.run("start", "job", "-t", "t", env=env, check=1)
    for _ in range(2):
        forked.run("resume", "t", env=env, check=1)
    refused = forked.run("resume", "t", "--json", env=env, check=1)
    assert refused.json["error"]["code"] == "too_many_resumes"
    assert "--reset-resumes" in refused.json["error"]["hint"]
    assert lines(effects) == ["a", "b", "b", "b"]
    forked.run("resume", "t", "--reset-resumes", check=0)


def test_max_running(forked: Forked, effects: Path, tmp_path: Path) -> None:
    """No more threads of a store run at once than max_running; the others wait their turn."""
    (tmp_path / "workflows.toml").write_text(
        f'[defaults]\nmax_running = 1\n[workflows.job]\ngraph = "{GRAPHS}:held"\n'
    )
    first = forked.begin("start", "job", "-t", "one")
    first.until(lambda: len(lines(effects)) == 1)
    second = forked.begin("start", "job", "-t", "two")
    second.until(lambda: "max_running" in second.stderr)
    assert forked.run("status", "two", "--json").thread["status"] == "pending"
    assert lines(effects) == ["hold"]
    Path(f"{effects}.go").touch()
    first.wait(check=0)
    second.wait(check=0)
    assert len(lines(effects)) == 6


def test_a_dead_thread_of_a_full_store_frees_its_place(
    forked: Forked, effects: Path, tmp_path: Path
) -> None:
    """A place under max_running is held by the kernel, and goes with the process."""
    (tmp_path / "workflows.toml").write_text(
        f'[defaults]\nmax_running = 1\n[workflows.job]\ngraph = "{GRAPHS}:held"\n'
    )
    first = forked.begin("start", "job", "-t", "one")
    first.until(lambda: len(lines(effects)) == 1)
    first.kill()
    Path(f"{effects}.go").touch()
    forked.run("start", "job", "-t", "two", check=0)


def test_a_question_makes_the_thread_wait(forked: Forked, effects: Path) -> None:
    """A plain interrupt() leaves the thread waiting (3), and says for what."""
    asked = forked.run("start", f"{GRAPHS}:asks", "-t", "t", "--json", check=3)
    assert asked.thread["status"] == "waiting"
    assert [(w["step"], w["prompt"]) for w in asked.thread["waiting_for"]] == [("ask", "go on?")]
    again = forked.run("resume", "t", "--json", check=3)
    assert again.thread["status"] == "waiting"
    assert lines(effects) == ["a"]


def test_what_cannot_be_stored_fails_by_name(forked: Forked) -> None:
    """The step, the key and the type are named, and it is not tried again."""
    failed = forked.run("start", f"{GRAPHS}:unstorable", "-t", "t", "--json", check=1)
    error = failed.thread["error"]
    assert (error["step"], error["type"]) == ("bad", "ResultNotStorable")
    assert "'file'" in error["message"]
    assert "TextIOWrapper" in error["message"]


def test_text_that_is_none_is_not_stored_as_other_text(forked: Forked) -> None:
    """A file's name that is not UTF-8 fails its step, which names the key."""
    env = {"GARBLED": "1"}
    failed = forked.run("start", f"{GRAPHS}:unstorable", "-t", "t", "--json", env=env, check=1)
    error = failed.thread["error"]
    assert (error["step"], error["type"]) == ("bad", "ResultNotStorable")
    assert "under 'file' (of type list): text with bytes that are no UTF-8" in error["message"]


def test_sys_exit_in_a_step_fails_the_step(forked: Forked) -> None:
    """And what it printed is in its log, with the traceback, never on durajob's stdout."""
    failed = forked.run("start", f"{GRAPHS}:exits", "-t", "t", "--json", check=1)
    error = failed.thread["error"]
    assert (error["step"], error["type"], error["message"]) == ("leave", "SystemExit", "3")
    log = Path(error["log"]).read_text()
    assert "printed by a step" in log
    assert "SystemExit: 3" in log


def test_a_coroutine_step_runs(forked: Forked, effects: Path) -> None:
    """Nodes that are coroutine functions are durable like any other."""
    done = forked.run("start", f"{GRAPHS}:coroutine", "-t", "t", "--json", check=0)
    assert done.thread["state"] == {"out": ["a"]}
    assert lines(effects) == ["a"]
