"""Steps that are shell commands: what they are told, what they tell, and how they end."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked
from tests.harness import wait_for
from tests.integration.judge import lines


def configure(text: str) -> None:
    """Write a workflows.toml with one workflow, ``job``."""
    Path("workflows.toml").write_text(f"[workflows.job]\n{text}\n")


def step(name: str, run: str, **keys: Any) -> str:
    """A step as workflows.toml has it."""
    said = {"name": name, "run": run, **keys}
    written = "\n".join(f"{key} = {_toml(value)}" for key, value in said.items())
    return f"[[workflows.job.steps]]\n{written}\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def start(forked: Forked, *args: str, check: int = 0) -> Any:
    """Start the workflow as thread t; how it stands then."""
    return forked.run("start", "job", "-t", "t", *args, "--json", "-q", check=check).thread


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_input_state_and_outputs_go_by_files_and_variables(forked: Forked) -> None:
    """Text, JSON and lines; what one step finds out, the next is told. Nothing is substituted."""
    configure(
        step(
            "find",
            'printf "rows=12\\nok:=true\\ntext<<END\\none\\n\\ntwo=2\\nEND\\n" >> $DURAJOB_OUTPUT\n'
            'printf %s "who=$DURAJOB_INPUT_WHO" >> $DURAJOB_OUTPUT',
        )
        + step(
            "look",
            'echo "seen=$DURAJOB_STATE_ROWS $DURAJOB_STATE_OK $DURAJOB_STEP $DURAJOB_ATTEMPT'
            ' $EXTRA" > $DURAJOB_OUTPUT; echo "input:=$(cat $DURAJOB_INPUT)" >> $DURAJOB_OUTPUT',
            env={"EXTRA": "$HOME stays"},
        )
    )
    who = "'; touch broken; $(touch broken)"
    state = start(forked, "-i", f"who={who}")["state"]
    assert not Path("broken").exists()
    assert {
        "who": who,
        "rows": "12",
        "ok": True,
        "text": "one\n\ntwo=2",
        "seen": "12 true look 1 $HOME stays",
        "input": {"who": who},
    } == state


def test_foreach_runs_a_branch_for_each_item(forked: Forked) -> None:
    """Its outputs are gathered in order; what needs it and another step waits for all."""
    configure(
        step("list", 'echo "files:=[\\"a b\\", 2, {\\"n\\": 3}]" > $DURAJOB_OUTPUT')
        + step(
            "each",
            'echo "got=$DURAJOB_ITEM/$DURAJOB_INDEX" > $DURAJOB_OUTPUT',
            foreach="files",
            needs=["list"],
        )
        + step("join", "test -s $DURAJOB_STATE", needs=["each", "list"])
        + step("none", "exit 9", foreach="nothing", needs=["list"])
        + step("last", "echo end=1 > $DURAJOB_OUTPUT", needs=["none", "join"])
    )
    thread = start(forked, "-i", "nothing:=[]")
    assert [{"got": "a b/0"}, {"got": "2/1"}, {"got": '{"n": 3}/2'}] == thread["state"]["each"]
    assert ([], "1") == (thread["state"]["none"], thread["state"]["end"])
    names = [each["step"] for each in thread["steps"]]
    assert {"list", "each.items", "each[0]", "each[1]", "each[2]", "join", "last"} < set(names)


def test_a_foreach_without_its_list_fails_by_name(forked: Forked) -> None:
    """The step that would have made the list says what is missing."""
    configure(step("each", "true", foreach="files"))
    error = start(forked, check=1)["error"]
    assert ("each.items", True) == (error["step"], "'files'" in error["message"])


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ("echo one; echo two >&2; exit 3", "exit status 3: one\ntwo"),
        ("no-such-command", "exit status 127 (a command was not found)"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("kill -KILL $$", "killed by SIGKILL, perhaps because memory ran out"),
        ("echo 'a b' > $DURAJOB_OUTPUT", "line 1 of $DURAJOB_OUTPUT is neither"),
        ("echo 'a:=NaN' > $DURAJOB_OUTPUT", "NaN is no JSON"),
        ("printf 'a<<E\\nb\\n' > $DURAJOB_OUTPUT", "no line 'E' ends what it begins"),
    ],
)
def test_a_failure_says_how_the_command_ended(forked: Forked, run: str, told: str) -> None:
    """The exit status or the signal, and the last lines."""
    configure(step("bad", run))
    error = start(forked, check=1)["error"]
    assert "CommandFailed" == error["type"]
    assert told in error["message"]


def test_when_decides_whether_a_step_runs(forked: Forked) -> None:
    """0 is yes, 1 is no, anything else a failure; what follows runs all the same."""
    configure(
        step("yes", "echo yes=1 > $DURAJOB_OUTPUT", when="true")
        + step("no", "echo no=1 > $DURAJOB_OUTPUT", when='test "$DURAJOB_STATE_YES" = 2')
        + step("bad", "true", when="exit 2")
    )
    thread = start(forked, check=1)
    assert {"yes": "1"} == thread["state"]
    assert ("bad", "its when: exit status 2") == (
        thread["error"]["step"],
        thread["error"]["message"],
    )


def test_a_person_is_asked_before_a_command_runs(forked: Forked, effects: Path) -> None:
    """What fits is answered, and told to the command; ``when`` spares the question. Its
    idempotency key is the same at each attempt."""
    asked = {"prompt": "How many?", "schema": {"type": "integer"}, "expires": "1h"}
    tell = 'echo "$DURAJOB_ANSWER $DURAJOB_IDEMPOTENCY_KEY" >> $EFFECTS; test $DURAJOB_ATTEMPT = 2'
    retry = {"attempts": 2, "on_exit": 1, "wait": "1ms"}
    configure(
        step("not", "exit 9", when="false", approval="never?")
        + step("ask", tell, approval=asked, retry=retry)
    )
    waiting = start(forked, check=3)
    assert [("ask", "How many?")] == [
        (one["step"], one["prompt"]) for one in waiting["waiting_for"]
    ]
    forked.run("answer", "t", "many", check=65)
    forked.run("answer", "t", "7", check=0)
    first, second = (line.split() for line in effects.read_text().splitlines())
    assert "7" == first[0]
    assert first == second
    forked.run("start", "job", "-t", "u", check=3)
    late = {"FAULTS": "set_clock", "OFFSET": "3601"}
    failed = forked.run("resume", "u", "--json", env=late, check=1).thread
    assert "ApprovalExpired" == failed["error"]["type"]


def test_retries_are_on_exit_statuses(forked: Forked, effects: Path) -> None:
    """Those that are named, a timeout among them; no other."""
    retry = {"attempts": 5, "on_exit": [7, 124], "wait": "1ms"}
    configure(
        step(
            "try",
            "echo $DURAJOB_ATTEMPT >> $EFFECTS\n"
            "case $DURAJOB_ATTEMPT in 1) exit 7;; 2) sleep 60;; 3) exit 8;; esac",
            retry=retry,
            timeout="1500ms",
            grace="1ms",
        )
    )
    thread = start(forked, check=1)
    assert (["1", "2", "3"], 3) == (lines(effects), thread["error"]["attempt"])


def test_a_timeout_ends_all_that_the_command_has_started(forked: Forked, effects: Path) -> None:
    """Whatever ignores SIGTERM, and what has left the session and its parent."""
    configure(
        step(
            "hang",
            "trap '' TERM\n"
            "setsid sh -c 'echo $$ >> $EFFECTS; sleep 60' &\n"
            "(setsid sh -c 'echo $$ >> $EFFECTS; exec sleep 60' &)\n"
            "echo $$ >> $EFFECTS; while :; do sleep 1; done",
            timeout="2s",
            grace="100ms",
        )
    )
    thread = start(forked, check=1)
    (hang,) = thread["steps"]
    assert ("timed_out", "CommandTimeout") == (hang["status"], hang["error"]["type"])
    assert hang["seconds"] < 2.0 + 0.1 + 1.0
    assert 3 == len(lines(effects))
    assert [] == [pid for pid in lines(effects) if is_running(int(pid))]


def test_the_runs_timeout_and_a_second_signal_end_commands(forked: Forked, effects: Path) -> None:
    """Nothing of the run stays behind."""
    configure(step("hang", "echo $$ >> $EFFECTS; sleep 60"))
    run = forked.begin("start", "job", "-t", "t", "--timeout", "1h", env={"FAULTS": "run_out"})
    run.until(lambda: lines(effects))
    run.run_out()
    run.wait(check=124)
    run = forked.begin("resume", "t")
    run.until(lambda: len(lines(effects)) == 2)
    run.signal(signal.SIGINT)
    run.until(lambda: "asked to stop" in run.stderr)
    run.signal(signal.SIGINT)
    run.wait(check=130)
    wait_for(lambda: not any(is_running(int(pid)) for pid in lines(effects)))


def test_an_orphan_keeps_its_thread_until_it_is_ended(forked: Forked, effects: Path) -> None:
    """A command whose owner was killed works on: 75 names it, --take-over ends it."""
    configure(step("work", "echo $$ >> $EFFECTS; test -e $EFFECTS.go || sleep 60"))
    owner = forked.begin("start", "job", "-t", "t")
    owner.until(lambda: lines(effects))
    owner.kill()
    (orphan,) = lines(effects)
    assert "interrupted" == forked.run("status", "t", "--json").thread["status"]
    refused = forked.run("resume", "t", "--json", check=75)
    assert "busy" == refused.json["error"]["code"]
    assert f"process {orphan} (" in refused.json["error"]["message"]
    assert "left behind" in refused.json["error"]["message"]
    assert "--take-over" in refused.json["error"]["hint"]
    assert is_running(int(orphan))
    Path(f"{effects}.go").touch()
    forked.run("resume", "t", "--take-over", "-q", check=0)
    assert not is_running(int(orphan))
    assert 2 == len(lines(effects))


def test_a_program_left_in_the_background_does_not_keep_the_thread(
    forked: Forked, effects: Path
) -> None:
    """An owner that ends by itself lets go of the thread, whoever has its descriptor."""
    configure(
        step("leave", "sleep 60 > /dev/null 2>&1 & echo $! >> $EFFECTS")
        + step("fail", "test -e $EFFECTS.go")
    )
    start(forked, check=1)
    (left,) = lines(effects)
    try:
        Path(f"{effects}.go").touch()
        assert is_running(int(left))
        forked.run("resume", "t", "-q", check=0)
    finally:
        os.kill(int(left), signal.SIGKILL)


def test_the_threads_folder_and_finished_steps_outlive_a_kill(
    forked: Forked, effects: Path
) -> None:
    """DURAJOB_DIR is the same at the resume; what has finished does not run again."""
    configure(
        step("make", "echo make >> $EFFECTS; echo made > $DURAJOB_DIR/file")
        + step(
            "use",
            "echo use >> $EFFECTS\n"
            'test -e $EFFECTS.died || { touch $EFFECTS.died; kill -9 "$OWNER"; sleep 60; }\n'
            'echo "was=$(cat $DURAJOB_DIR/file)" > $DURAJOB_OUTPUT',
            shell=["/bin/sh", "-ec"],
        ).replace("$OWNER", "$PPID")
    )
    assert -signal.SIGKILL == forked.run("start", "job", "-t", "t").exit_status
    done = forked.run("resume", "t", "--take-over", "--json", check=0)
    assert "made" == done.thread["state"]["was"]
    assert ["make", "use", "use"] == lines(effects)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (step("a", "true", needs="b") + step("b", "true", needs="a"), "a needs b needs a"),
        (step("a", "true", needs="a"), "a needs a"),
        (step("a", "true", needs=["bb"]) + step("b", "true"), "there is no step 'bb'"),
        (step("a", "true") + step("a", "true"), "two steps have this name"),
        (step("a", " "), "steps.a.run: is empty"),
        (step("1a", "true"), "'1a' is no name"),
        (step("a", "true", env={"DURAJOB_X": "1"}), "'DURAJOB_X' cannot be set"),
        (step("a", "true", retry={"attempts": 2}), "does not say what to retry on"),
        (step("a", "true", retry={"on": "X"}), "a command has no exceptions"),
        (step("a", "true", retry={"on_exit": 300}), "must be at most 255"),
        (step("a", "true", timeout="-1s"), "is not a duration"),
        (step("a", "true", foreach="a"), "other than the step's name"),
        (step("a", "true", tiemout="1s"), "unknown key"),
        (step("a", "true", approval=" "), "asks nothing"),
        (step("a", "true", approval={"prompt": "x", "expires": "-1d"}), "is not a duration"),
        (step("a", "true", approval={"prompt": "x", "schema": {"type": "z"}}), "no JSON Schema"),
        ('graph = "./x.py:g"\n' + step("a", "true"), "a graph, or steps that are commands"),
        ("steps = []", "is empty"),
    ],
)
def test_what_makes_no_sense_is_refused(forked: Forked, text: str, told: str) -> None:
    """By validate, and before a thread exists; the key path is named."""
    configure(text)
    refused = forked.run("validate", "--json", check=78)
    (workflow,) = refused.data["workflows"]
    assert told in workflow["problem"]["message"]
    assert "workflows.job" in workflow["problem"]["message"]
    assert 78 == forked.run("start", "job", "-t", "t").exit_status
    assert [] == forked.run("list", "--json").data["threads"]
