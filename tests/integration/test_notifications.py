"""Notifications: who is told of what becomes of a thread, once, and no trouble to the thread."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from durajob.config.settings import load_settings
from durajob.notify.deliver import deliver_due
from durajob.policies import NotifyPolicy
from durajob.store.notifications import announce_missed
from tests.forked import Forked
from tests.harness import wait_for
from tests.integration.judge import lines
from tests.integration.monitor import Monitor

GRAPHS = Path(__file__).with_name("graphs.py")
ASKING = Path(__file__).with_name("asking.py")
STORE = Path(".durajob/durajob.db")
LATER = {"FAULTS": "set_clock", "OFFSET": "40"}
"""When what has failed once is due again."""

pytestmark = pytest.mark.usefixtures("effects")


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """A monitor of the test's own."""
    monitor = Monitor()
    yield monitor
    monitor.close()


def write(text: str, graph: str = f"{GRAPHS}:chain") -> None:
    """A workflows.toml with one workflow and its ``notify``."""
    Path("workflows.toml").write_text(f'[workflows.w]\ngraph = "{graph}"\n{text}')


def told(folder: Path = Path()) -> list[str]:
    """What commands have noted."""
    path = folder / "told"
    return path.read_text().splitlines() if path.exists() else []


def kept() -> list[tuple[Any, ...]]:
    """What the store says of notifications: name, means, status, tries."""
    connection = sqlite3.connect(STORE)
    try:
        query = "SELECT name, means, status, tries FROM notifications ORDER BY id"
        return list(connection.execute(query))
    finally:
        connection.close()


def test_a_command_is_given_the_thread(forked: Forked, tmp_path: Path) -> None:
    """On standard input as status shows it, in the environment in a few words; secrets are masked,
    and where it is not completed, the command for that does not run."""
    write(
        "[workflows.w.notify]\ncompleted = 'touch completed'\n"
        "failed = 'cat > told.json; env > told.env; echo hidden from all'\n"
    )
    text = Path("workflows.toml").read_text()
    Path("workflows.toml").write_text(f"secrets = ['TOKEN', 'path']\n{text}")
    env = {"FAIL": "c", "TOKEN": "failed on demand"}
    done = forked.run("start", "w", "-t", "x", "-i", "path=hush-hush", env=env, check=1)
    assert "hidden" not in done.stdout + done.stderr
    given = json.loads(Path("told.json").read_text())
    shown = forked.run("status", "x", "--json", env=env, check=0).thread
    assert shown == given
    assert ("failed", "***") == (given["status"], given["input"]["path"])
    words = dict(line.partition("=")[::2] for line in Path("told.env").read_text().splitlines())
    assert {
        "DURAJOB_EVENT": "failed", "DURAJOB_THREAD": "x", "DURAJOB_WORKFLOW": "w",
        "DURAJOB_STEP": "c", "DURAJOB_ERROR": "ConnectionError: c ***", "DURAJOB_TRY": "1",
        "DURAJOB_FILE": str(tmp_path / "workflows.toml"), "PWD": str(tmp_path),
        "DURAJOB_STORE": f"sqlite://{tmp_path / STORE}",
        "DURAJOB_MESSAGE": "thread x failed in step c: ConnectionError: c ***",
    }.items() <= words.items()  # fmt: skip
    assert Path(words["DURAJOB_LOG"]).exists()
    assert words["DURAJOB_EVENT_ID"].endswith(":1:1:failed")
    assert [("failed", "command", "sent", 1)] == kept()
    assert not Path("completed").exists()
    forked.run("resume", "x", check=0)
    assert Path("completed").exists()


def test_a_monitor_hears_of_a_run(forked: Forked, monitor: Monitor) -> None:
    """That it begins, fails, begins again and succeeds, as one run, with the end of the log."""
    write(f"notify = {{ ping = '{monitor.url}/key/{{workflow}}?create=1' }}\n")
    forked.run("start", "w", "-t", "x", env={"FAIL": "c"}, check=1)
    forked.run("resume", "x", check=0)
    path = "/key/w{}?create=1"
    assert [path.format(end) for end in ("/start", "/fail", "/start", "")] == monitor.paths
    assert {"POST"} == {each.method for each in monitor.heard}
    assert 1 == len({UUID(each.run) for each in monitor.heard})
    assert 4 == len({each.event for each in monitor.heard})
    failed = monitor.heard[1].body
    assert "thread x failed in step c: ConnectionError: c failed on demand\n" in failed
    assert "Traceback" in failed
    assert [("sent", 1)] * 4 == [row[2:] for row in kept()]


def test_a_monitor_with_urls_of_its_own(forked: Forked, monitor: Monitor) -> None:
    """Only the URLs that are named are asked for, as they are, and by GET where it wants that."""
    write(
        "[workflows.w.notify.ping]\nmethod = 'GET'\n"
        f"success = '{monitor.url}/push/x?status=up'\nfailure = '{monitor.url}/push/x?status=down'"
    )
    forked.run("start", "w", env={"FAIL": "a"}, check=1)
    forked.run("start", "w", check=0)
    assert [("GET", f"/push/x?status={how}", "") for how in ("down", "up")] == [
        (each.method, each.path, each.run) for each in monitor.heard
    ]


def test_a_thread_that_was_interrupted_once_is_told_of_once(forked: Forked) -> None:
    """By the tick that finds it, and not again when a person settles its step, nor at its
    resume. Interrupted a second time, it is told of a second time."""
    write("[workflows.w.notify]\ninterrupted = 'true'\n")
    forked.run("start", "w", "-t", "x", env={"DIE": "b:after"})
    forked.run("tick", "-q", check=0)
    wait_for(lambda: [("interrupted", "command", "sent", 1)] == kept())
    forked.run("complete", "x", "b", "--reason", "seen", check=0)
    forked.run("tick", "-q", check=0)
    forked.run("resume", "x", env={"DIE": "c:after"})
    assert ["interrupted"] == [row[0] for row in kept()]
    forked.run("resume", "x", check=0)
    assert ["interrupted"] * 2 == [row[0] for row in kept()]


def test_a_monitor_is_not_told_how_a_person_ended_a_run(forked: Forked, monitor: Monitor) -> None:
    """It was no success, and no failure of the job."""
    write(f"notify = {{ ping = '{monitor.url}/key' }}\n")
    forked.run("start", "w", "-t", "x", env={"FAIL": "c"}, check=1)
    forked.run("cancel", "x", check=0)
    assert ["/key/start", "/key/fail"] == monitor.paths


def test_a_slow_monitor_does_not_hold_the_run_up(
    forked: Forked, monitor: Monitor, effects: Path
) -> None:
    """That it has begun is told beside; its end is not told before that."""
    monitor.open.clear()
    write(f"notify = {{ ping = '{monitor.url}/x' }}\n")
    run = forked.begin("start", "w", "-t", "x", "-q")
    run.until(lambda: len(lines(effects)) == 4)
    run.until(lambda: [("/x/start")] == monitor.paths)
    monitor.open.set()
    run.wait(check=0)
    assert ["/x/start", "/x"] == monitor.paths


def test_what_fails_to_be_told_is_told_later(forked: Forked, monitor: Monitor) -> None:
    """No exit status changes; a warning says so, also where all else is quiet; a later drive tries
    again when that is due, the older ping first, and what has been told is not told again."""
    write(
        f"[workflows.w.notify]\nping = '{monitor.url}/x'\n"
        "completed = 'echo $DURAJOB_TRY $DURAJOB_EVENT_ID >> told; test -f mended || "
        "{ echo out of ink >&2; exit 3; }'\n"
    )
    monitor.status = 500
    first = forked.run("start", "w", "-t", "x", "-q", check=0)
    said = "warning: nobody was told that thread x has completed: the command ended with exit "
    assert f"{said}status 3: out of ink; it is tried again from" in first.stderr
    said = "warning: a monitor was not told that thread x has completed: 127.0.0.1: HTTP 500"
    assert said in first.stderr
    assert ["/x/start", "/x"] == monitor.paths
    monitor.status = 200
    Path("mended").touch()
    soon = forked.run("start", "w", "-t", "y", "-q", check=0)
    assert "" == soon.stderr
    # The monitor is told in order, at once; the command waits until it is due.
    assert ["/x/start", "/x", "/x", "/x/start", "/x"] == monitor.paths
    assert monitor.heard[1].event == monitor.heard[2].event
    assert 2 == len(told())
    for thread in ("z", "zz"):
        assert "" == forked.run("start", "w", "-t", thread, "-q", env=LATER, check=0).stderr
    tries = Counter(line.split()[1] for line in told())
    assert [2, 1, 1, 1] == list(tries.values())
    assert ["1", "1", "2", "1", "1"] == [line.split()[0] for line in told()]
    assert {"sent", "dropped"} == {row[2] for row in kept()}


def test_a_start_that_could_not_be_told_in_time_is_never_told(
    forked: Forked, monitor: Monitor
) -> None:
    """A monitor that heard of it after the end would wait for an end that has been."""
    monitor.status = 503
    write(f"notify = {{ ping = '{monitor.url}/x' }}\n")
    forked.run("start", "w", "-t", "x", "-q", check=0)
    monitor.status, before = 200, len(monitor.paths)
    forked.run("start", "w", "-t", "y", "-q", check=0)
    # The start of y is told of unless y has ended by then.
    assert ["/x", "/x"] == [path for path in monitor.paths[before:] if path != "/x/start"]
    assert monitor.paths[before:].count("/x/start") <= 1
    assert ("started", "ping", "dropped", 1) == kept()[0]


def test_a_late_command_is_killed_with_all_it_started(forked: Forked) -> None:
    """After its timeout, and the exit status of the run is what it was."""
    write("[workflows.w.notify]\ntimeout = '300ms'\ncompleted = 'sleep 60 & echo $! > pid; wait'\n")
    done = forked.run("start", "w", "-t", "x", check=0)
    assert "the command was killed after 300ms" in done.stderr
    pid = int(Path("pid").read_text())
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or _is_dead(pid))


def _commands() -> str:
    """The command lines of processes that work in this folder."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(process / "cwd") == os.getcwd():
                lines.append((process / "cmdline").read_text().replace("\0", " "))
    return "\n".join(lines)


def _is_dead(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_of_many_who_deliver_each_notification_is_sent_by_one(forked: Forked) -> None:
    """Eight drives that end together; and a command whose process was killed keeps it."""
    write("notify = { completed = 'echo $DURAJOB_THREAD >> told; test -f mended' }\n")
    for number in range(6):
        forked.run("start", "w", "-t", f"t{number}", "-q", check=0)
    Path("mended").touch()
    runs = [forked.begin("start", "w", "-t", f"late{n}", "-q", env=LATER) for n in range(8)]
    for run in runs:
        run.wait(check=0)
    heard = Counter(told())
    assert {**{f"t{n}": 2 for n in range(6)}, **{f"late{n}": 1 for n in range(8)}} == heard


def test_a_command_whose_process_was_killed_is_not_run_beside_itself(forked: Forked) -> None:
    """It keeps the notification as long as it runs; then it is run once more, as the same event,
    since nobody has seen its end."""
    write(
        "[workflows.w.notify]\ncompleted = 'echo $DURAJOB_EVENT_ID >> told; "
        "until test -e go; do sleep 0.01; done'"
    )
    run = forked.begin("start", "w", "-t", "x", "-q")
    run.until(lambda: told())
    run.kill()
    write("notify = { completed = 'echo $DURAJOB_EVENT_ID >> told', timeout = '1ms' }")
    forked.run("start", "w", "-t", "y", "-q", env=LATER)
    first, *others = told()
    assert first not in others
    Path("go").touch()

    def told_again() -> bool:
        forked.run("start", "w", "-q", env=LATER)
        return first in told()[1:]

    wait_for(told_again)
    assert 2 == Counter(told())[first]


def test_a_question_and_a_stop_are_told(forked: Forked, monitor: Monitor) -> None:
    """A person is told what is asked; a monitor, of a question and a stop by its log."""
    write(
        f"[workflows.w.notify]\nping = '{monitor.url}/x'\n"
        "waiting = 'echo $DURAJOB_MESSAGE > told'\n",
        graph=f"{ASKING}:plain",
    )
    forked.run("start", "w", "-t", "x", "-q", check=3)
    assert ["thread x waits for an answer: your name?"] == told()
    assert ["/x/start", "/x/log"] == monitor.paths
    assert "thread x waits for an answer: your name?" == monitor.heard[1].body


def test_an_interrupted_thread_is_told_of_once(forked: Forked, monitor: Monitor) -> None:
    """By whoever finds it: recover, and the resume that it leads to."""
    write(f"notify = {{ ping = '{monitor.url}/x', interrupted = 'echo $DURAJOB_EVENT >> told' }}\n")
    env = {"DIE": "c:before"}
    assert -signal.SIGKILL == forked.run("start", "w", "-t", "x", env=env).exit_status
    forked.run("recover", "--wait", check=0)
    forked.run("start", "w", "-t", "y", check=0)
    assert ["interrupted"] == told()
    # A start is told of unless the run has ended by then.
    assert ["/x/log", "/x", "/x"] == [path for path in monitor.paths if path != "/x/start"]


def test_an_interrupted_thread_that_cannot_be_resumed_is_told_of_once(forked: Forked) -> None:
    """Whoever looks for such threads finds it each time, and tells of each death once."""
    write("notify = { interrupted = 'echo $DURAJOB_EVENT_ID >> told' }\nmax_resumes = 1\n")
    env = {"DIE_EACH_TIME": "c:before"}
    assert -signal.SIGKILL == forked.run("start", "w", "-t", "x", env=env).exit_status
    for status in (75, 1, 1):
        forked.run("recover", "--wait", env=env, check=status)
    assert ["1", "2"] == [event.split(":")[2] for event in told()]
    assert [("interrupted", "command", "sent", 1)] * 2 == kept()


def test_a_tick_tells_of_what_it_does_not_resume(forked: Forked) -> None:
    """An interrupted thread, once; and what an earlier process could not tell."""
    write(
        "[workflows.w.notify]\ninterrupted = 'echo $DURAJOB_EVENT >> told'\n"
        "completed = 'echo $DURAJOB_EVENT $DURAJOB_TRY >> told; test -f mended'\n"
    )
    forked.run("start", "w", "-q", check=0)
    env = {"DIE": "c:before"}
    assert -signal.SIGKILL == forked.run("start", "w", env=env).exit_status
    Path("mended").touch()
    for _ in range(2):
        forked.run("tick", "-q", check=0)
        wait_for(lambda: "interrupted" in told())
    # The process that a tick has in the background deliver, at a later time.
    wait_for(lambda: "tick --drive" not in _commands())
    forked.run("tick", "--drive", "-q", env=LATER, check=0)
    assert [("completed", "sent", 2), ("interrupted", "sent", 1)] == [
        (name, status, tries) for name, _, status, tries in kept()
    ]
    assert ["completed 1", "completed 2", "interrupted"] == sorted(told())


def test_a_missed_slot_is_told_of_once(forked: Forked, monitor: Monitor) -> None:
    """However often the schedule finds it missed; no thread was started for it."""
    write(f"notify = {{ ping = '{monitor.url}/x', missed = 'cat > told' }}\n")
    forked.run("start", "w", "-t", "x", "-q", check=0)
    settings = load_settings(None, None)
    policy = NotifyPolicy(
        commands={"missed": ""}, pings={"log": ""}, run_ids=True, method="POST", timeout=1.0
    )
    said: list[str] = []
    for _ in range(2):
        connection = sqlite3.connect(STORE)
        with connection:
            announce_missed(
                connection.cursor(),
                policy,
                workflow="w",
                definition=json.dumps({"name": "w", "file": None}),
                slot="2026-11-22T06:00+01:00",
                reason="the machine was off",
            )
        connection.close()
        deliver_due(settings, said.append)
    assert [] == said
    given = json.loads(Path("told").read_text())
    slot = "2026-11-22T06:00+01:00"
    assert (None, "w", slot) == (given["thread"], given["workflow"], given["slot"])
    assert ["/x/start", "/x", "/x/log"] == monitor.paths
    words = "workflow w has missed its slot 2026-11-22T06:00+01:00: the machine was off"
    assert words == monitor.heard[2].body


def test_one_that_nobody_wants_any_more_is_dropped(forked: Forked) -> None:
    """What was mended in workflows.toml holds for what is still to be told."""
    write("notify = { completed = 'false' }\n")
    forked.run("start", "w", "-t", "x", "-q", check=0)
    write("notify = { failed = 'true' }\n")
    forked.run("start", "w", "-t", "y", "-q", env=LATER, check=0)
    assert [("completed", "command", "dropped", 1)] == kept()


def test_one_that_fails_for_a_day_is_given_up(forked: Forked) -> None:
    """It is tried less and less often, and no more after a day."""
    write("notify = { completed = 'false' }\n")
    forked.run("start", "w", "-t", "x", "-q", check=0)
    env = {**LATER, "OFFSET": "90000"}
    done = forked.run("start", "w", "-t", "y", "-q", env=env, check=0)
    assert "thread x has completed: the command ended with exit status 1; it is given up" in (
        done.stderr
    )
    assert ("completed", "command", "given_up", 2) == kept()[0]


def test_where_nobody_is_to_be_told_nothing_is_written(forked: Forked) -> None:
    """No row, and no commit more; with a notification, its own three."""

    def commits() -> int:
        connection = sqlite3.connect(STORE)
        found = connection.execute("SELECT value FROM meta WHERE key = 'commits'").fetchone()[0]
        connection.close()
        return int(found)

    write("")
    forked.run("start", "w", "-q", check=0)
    plain = commits()
    assert [] == kept()
    write("notify = { failed = 'false' }")
    forked.run("start", "w", "-q", check=0)
    assert (2 * plain, []) == (commits(), kept())
    write("notify = { completed = 'true' }")
    forked.run("start", "w", "-q", check=0)
    assert 3 * plain + 2 == commits()


def test_a_default_holds_for_all_and_is_taken_back(forked: Forked) -> None:
    """[defaults.notify] tells of built-in workflows too; a workflow's own goes before it."""
    write("notify = { failed = '' }\n")
    text = Path("workflows.toml").read_text()
    default = "[defaults.notify]\nfailed = 'echo $DURAJOB_WORKFLOW >> told'\n"
    Path("workflows.toml").write_text(default + text)
    forked.run("start", "w", "-q", env={"FAIL": "a"}, check=1)
    forked.run("start", "durable", "-i", "seconds:=0", "-i", "fail_at=B", "-q", check=1)
    assert ["durable"] == told()


def test_the_environment_of_a_command_is_the_threads(forked: Forked, tmp_path: Path) -> None:
    """It runs in the folder and with the PATH that the thread was started with, whoever runs it."""
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "tell"
    tool.write_text("#!/bin/sh\npwd >> told\ntest -f mended\n")
    tool.chmod(0o755)
    write("notify = { completed = 'tell' }\n")
    path = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    forked.run("start", "w", "-q", env=path, check=0)
    Path("mended").touch()
    (tmp_path / "else").mkdir()
    os.chdir(tmp_path / "else")
    write("notify = { failed = 'true' }\n")
    other = Forked(folder=tmp_path / "bin", cwd=tmp_path / "else")
    env = {**LATER, "DURAJOB_STORE": str(tmp_path / STORE)}
    other.run("start", "w", "-q", env=env, check=0)
    assert [str(tmp_path)] * 2 == told(tmp_path)
