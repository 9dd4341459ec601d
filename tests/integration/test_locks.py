"""Locks that steps name: among processes, first come first served, free when a holder dies."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.forked import Forked, ForkedRun
from tests.harness import wait_for
from tests.integration.judge import lines

WAITING = Path(__file__).with_name("waiting.py")


def alternate(path: Path) -> bool:
    """Whether each that entered left before another came in."""
    told = [line for line in lines(path) if line[0] in "+-"]
    return [f"-{line[1:]}" for line in told[::2]] == told[1::2]


def test_many_processes_pass_one_by_one(forked: Forked, effects: Path) -> None:
    """Steps of eight processes, by policy and within the code, never overlap."""
    runs = [
        forked.begin(
            *("start", f"{WAITING}:{'policy' if number % 2 else 'inside'}"),
            *("-t", f"t{number}", "-i", f"name={number}", "-i", "seconds:=0.02"),
        )
        for number in range(8)
    ]
    for run in runs:
        run.wait(check=0)
    assert 8 == sum(line[0] == "+" for line in lines(effects))
    assert alternate(effects)


def test_a_pool_lets_so_many_in(forked: Forked, effects: Path) -> None:
    """Branches of two processes: never more than two at once, and all of them in the end."""
    items = ("-i", "items:=[1,2,3,4,5,6]")
    runs = [forked.begin("start", f"{WAITING}:pool", "-t", name, *items) for name in ("one", "two")]
    for run in runs:
        run.wait(check=0)
    inside, most = 0, 0
    for line in lines(effects):
        inside += 1 if line[0] == "+" else -1
        most = max(most, inside)
    assert (24, 0, 2) == (len(lines(effects)), inside, most)


def test_the_death_of_a_holder_opens_the_lock(forked: Forked, effects: Path) -> None:
    """Killed with the lock in its hands: who waits gets it, and the dead one's turn comes again."""
    env = {"HOLD": "dead"}
    dead = forked.begin("start", f"{WAITING}:inside", "-t", "dead", "-i", "name=dead", env=env)
    dead.until(lambda: "+dead" in lines(effects))
    heir = forked.begin("start", f"{WAITING}:policy", "-t", "heir", "-i", "name=heir")
    queued(forked, "heir")
    assert "+heir" not in lines(effects)
    dead.kill()
    heir.wait(check=0)
    forked.run("resume", "dead", check=0)
    assert ["?dead", "+dead", "+heir", "-heir", "?dead", "+dead", "-dead"] == lines(effects)


def test_first_come_first_served(forked: Forked, effects: Path) -> None:
    """Whoever waits longest is next; one who died while waiting holds nobody up."""
    first = hold(forked, effects)
    waiting = []
    for name in ("a", "b", "c", "d"):
        args = ("start", f"{WAITING}:policy", "-t", name, "-i", f"name={name}")
        waiting.append(forked.begin(*args))
        queued(forked, name)
    waiting[1].kill()
    effects.with_name("effects.go").touch()
    for run in (first, waiting[0], waiting[2], waiting[3]):
        run.wait(check=0)
    assert ["first", "a", "c", "d"] == [line[1:] for line in lines(effects) if line[0] == "+"]


def test_status_shows_who_holds_what_a_thread_waits_for(forked: Forked, effects: Path) -> None:
    """Lock, step, holder: in JSON and for people; the step itself has not begun."""
    first = hold(forked, effects)
    second = forked.begin("start", f"{WAITING}:policy", "-t", "second")
    queued(forked, "second")
    shown = forked.run("status", "second", "--json", check=0).thread
    (wait,) = shown["waiting_for_locks"]
    (holder,) = wait["holders"]
    assert ("L", "guarded", 1) == (wait["name"], wait["step"], wait["limit"])
    assert ("first", "guarded", first.pid) == (holder["thread"], holder["step"], holder["pid"])
    assert [] == shown["steps"]
    text = forked.run("status", "second", check=0).stdout
    assert f"lock L: held by step guarded of thread first (process {first.pid})" in text
    second.until(lambda: "waits for lock 'L'" in second.stderr)
    first.kill()
    second.wait(check=0)
    assert "waiting_for_locks" not in forked.run("status", "second", "--json").thread


def test_a_wait_that_ends_says_who_holds_the_lock(forked: Forked, effects: Path) -> None:
    """By policy and within the code it is a failed attempt, which retries may take up."""
    first = hold(forked, effects)
    env = {"WAIT": "50ms"}
    for workflow in ("patient", "inside"):
        done = forked.run("start", f"{WAITING}:{workflow}", "-t", workflow, "--json", env=env)
        assert 1 == done.exit_status, done
        error = done.thread["error"]
        assert ("guarded", "LockTimeout", 2) == (error["step"], error["type"], error["attempt"])
        held = f"held by step guarded of thread first (process {first.pid})"
        assert f"lock 'L' could not be had within 50ms: {held}" == error["message"]
    first.kill()
    for workflow in ("patient", "inside"):
        forked.run("resume", workflow, check=0)


def test_a_stop_ends_the_wait(forked: Forked, effects: Path) -> None:
    """A signal and the run's timeout: stopped cleanly, no attempt spent, nothing left behind."""
    hold(forked, effects)
    for workflow in ("policy", "inside"):
        run = forked.begin("start", f"{WAITING}:{workflow}", "-t", workflow)
        queued(forked, workflow)
        run.signal(signal.SIGTERM)
        run.wait(check=75)
        timed = forked.run("resume", workflow, "--timeout", "300ms", "--json", check=124).thread
        assert ("stopped", []) == (timed["status"], timed["steps"])


def test_a_step_that_would_wait_for_itself_is_refused(forked: Forked, effects: Path) -> None:
    """The same lock again within one step fails at once, and says so."""
    for workflow, text in (("twice", "holds by its policy"), ("nested", "while it is held")):
        done = forked.run("start", f"{WAITING}:{workflow}", "-t", workflow, check=1)
        assert text in done.stderr
        assert "would wait for itself" in done.stderr
    assert [] == lines(effects)


def test_workflows_toml_gives_any_step_a_lock(forked: Forked, effects: Path) -> None:
    """A plain graph's step; a name or a table; what makes no sense is refused."""
    write(forked.cwd, 'lock = { name = "L", wait = "20ms" }')  # its folder has a store of its own
    hold(forked, effects)
    done = forked.run("start", "plain", "-t", "p", check=1)
    assert "LockTimeout: lock 'L' could not be had within 20ms" in done.stderr
    for said, told in (
        ('lock = ""', "steps.b.lock: '' is no name for a lock"),
        ("lock = { limit = 2 }", "steps.b.lock: name is missing"),
        ('lock = { name = "x", limit = 0 }', "lock.limit: must be at least 1"),
        ('lock = { name = "x", most = 3 }', "lock.most: unknown key"),
        ("lock = 3", "steps.b.lock: must be"),
    ):
        write(forked.cwd, said)
        assert told in forked.run("validate", check=78).stdout.replace("\n", " "), said


def write(folder: Path, said: str) -> None:
    """A workflows.toml that says this of a step."""
    (folder / "workflows.toml").write_text(
        f'[workflows.plain]\ngraph = "{WAITING.with_name("graphs.py")}:chain"\n'
        f"[workflows.plain.steps.b]\n{said}\n"
    )


def hold(forked: Forked, effects: Path) -> ForkedRun:
    """Have thread ``first`` hold the lock until the file ``go`` is made."""
    env = {"HOLD": "first"}
    first = forked.begin("start", f"{WAITING}:policy", "-t", "first", "-i", "name=first", env=env)
    first.until(lambda: "+first" in lines(effects))
    return first


def queued(forked: Forked, thread: str) -> None:
    """Wait until the thread waits for a lock."""

    def waits() -> bool:
        done = forked.run("status", thread, "--json")
        return done.exit_status == 0 and "waiting_for_locks" in done.thread

    wait_for(waits)
