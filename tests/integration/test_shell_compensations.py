"""Shell steps that are undone: by a command, told what its step was given and what it found out."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from tests.forked import Forked
from tests.harness import wait_for
from tests.integration.judge import lines
from tests.integration.test_shell_steps import configure, is_running, start, step

KILLED = -signal.SIGKILL
FAIL = step("fail", "echo no; exit 9")


def compensations(thread: Any) -> dict[str, tuple[str, int]]:
    """Status and number of attempts of each compensation."""
    return {
        each["step"]: (each["status"], each["attempts"])
        for each in thread["steps"]
        if each["step"].endswith(":compensate")
    }


def test_what_a_step_found_out_is_handed_to_the_command_that_undoes_it(
    forked: Forked, effects: Path
) -> None:
    """By variables and files, and nothing by substitution: the state as the step was given it,
    the result as it left it. Of the step's surroundings it takes what it does not say itself."""
    Path("elsewhere").mkdir()
    tell = (
        'echo "$DURAJOB_RESULT_ID $DURAJOB_STATE_ID $DURAJOB_INPUT_ID $DURAJOB_STEP '
        '$DURAJOB_ATTEMPT $A $B ${DURAJOB_OUTPUT-none} $(basename "$PWD")" >> $EFFECTS\n'
        'cat $DURAJOB_RESULT $DURAJOB_STATE >> $EFFECTS; rm "$DURAJOB_DIR/made"'
    )
    configure(
        step("first", 'echo "id=1" > $DURAJOB_OUTPUT')
        + step(
            "make",
            'touch "$DURAJOB_DIR/made"\necho "id=$DURAJOB_INPUT_TEXT" > $DURAJOB_OUTPUT',
            env={"A": "a", "B": "b"},
            compensate={"run": tell, "env": {"B": "own"}, "cwd": "elsewhere"},
        )
        + FAIL
    )
    text = "'; touch broken; $(touch broken)"
    thread = start(forked, "-i", "id=0", "-i", f"text={text}", check=1)
    assert ("failed", "compensated") == (thread["status"], thread["outcome"])
    assert not Path("elsewhere/broken").exists()
    told = {"id": "1", "text": text}
    assert [
        f"{text} 1 0 make:compensate 1 a own none elsewhere",
        json.dumps({"id": text}) + json.dumps(told),
    ] == effects.read_text().splitlines()
    assert [] == list(Path(".durajob").rglob("made"))


def test_branches_are_undone_each_with_its_item_and_what_it_found_out(
    forked: Forked, effects: Path
) -> None:
    """The state is that of the latest checkpoint. What ``when`` left out is not undone, nor the
    one branch of an empty list."""
    undo = 'echo "$DURAJOB_ITEM $DURAJOB_INDEX $DURAJOB_RESULT_GOT $DURAJOB_STATE_RATE" >> $EFFECTS'
    configure(
        step("plan", "echo rate=7 > $DURAJOB_OUTPUT", when="true", compensate="echo p >> $EFFECTS")
        + step("not", "exit 9", when="false", compensate="echo never >> $EFFECTS")
        + step(
            "each",
            'echo "got=$((10 * DURAJOB_ITEM))" > $DURAJOB_OUTPUT',
            foreach="items",
            when="test $DURAJOB_ITEM != 2",
            compensate=undo,
        )
        + step("other", "true", needs=["plan"])
        + step("none", "true", foreach="nothing", needs=["each"], compensate="exit 1")
        + step("fail", "exit 9", needs=["none", "other"])
    )
    text = Path("workflows.toml").read_text()
    needs = {"not": '["plan"]', "each": '["not"]'}
    for name, each in needs.items():
        text = text.replace(f'name = "{name}"', f'name = "{name}"\nneeds = {each}')
    Path("workflows.toml").write_text(text)
    thread = start(forked, "-i", "items:=[1,2,3]", "-i", "nothing:=[]", check=1)
    assert ("fail", "compensated") == (thread["error"]["step"], thread["outcome"])
    assert ["1 0 10 7", "3 2 30 7", "p"] == sorted(effects.read_text().splitlines())
    once = ("succeeded", 1)
    assert {
        "each[2]:compensate": once,
        "each[0]:compensate": once,
        "plan:compensate": once,
    } == compensations(thread)


def test_a_command_that_undoes_is_retried_and_has_a_limit_and_a_log(
    forked: Forked, effects: Path
) -> None:
    """Its timeout ends all that it has started; its retries are its own, on exit statuses; what
    it prints is in the log of its attempt."""
    undo = (
        "echo try $DURAJOB_ATTEMPT\n"
        "case $DURAJOB_ATTEMPT in\n"
        "1) sh -c 'echo $$ >> $EFFECTS; exec setsid sleep 600' & wait;;\n"
        "2) exit 7;; 3) exit 8;; esac"
    )
    retry = {"attempts": 5, "on_exit": [7, 124], "wait": "1ms"}
    configure(
        step(
            "make",
            "true",
            compensate={"run": undo, "timeout": "2s", "grace": "1ms", "retry": retry},
        )
        + FAIL
    )
    thread = start(forked, check=1)
    assert ("failed", "compensating", ["make:compensate"]) == (
        thread["status"],
        thread["outcome"],
        thread["next"],
    )
    assert ("make:compensate", "exit status 8: try 3", 3) == (
        thread["error"]["step"],
        thread["error"]["message"],
        thread["error"]["attempt"],
    )
    assert not is_running(int(lines(effects)[0]))
    logged = forked.run("logs", "t", "make:compensate", "--attempt", "1", check=0).stdout
    assert "try 1" in logged
    assert "longer than its timeout of 2.0s" in logged
    done = forked.run("resume", "t", "--json", check=1).thread
    assert ("compensated", {"make:compensate": ("succeeded", 4)}) == (
        done["outcome"],
        compensations(done),
    )


def test_a_command_that_undoes_survives_kills(forked: Forked, effects: Path) -> None:
    """The command works on without its owner, and keeps the thread; then the saga goes on."""
    configure(
        step("a", "true", compensate="echo a >> $EFFECTS")
        + step("b", "true", compensate="echo $$ >> $EFFECTS; until test -e go; do sleep 0.01; done")
        + FAIL
    )
    run = forked.begin("start", "job", "-t", "t")
    run.until(lambda: lines(effects))
    assert KILLED == run.kill().exit_status
    busy = forked.run("resume", "t", check=75)
    assert lines(effects)[0] in busy.stderr
    Path("go").touch()
    wait_for(lambda: not is_running(int(lines(effects)[0])))
    thread = forked.run("resume", "t", "--json", check=1).thread
    assert "compensated" == thread["outcome"]
    assert {"b:compensate": ("succeeded", 2), "a:compensate": ("succeeded", 1)} == compensations(
        thread
    )
    assert "a" == lines(effects)[-1]


def test_the_runs_timeout_and_a_second_signal_end_a_command_that_undoes(
    forked: Forked, effects: Path
) -> None:
    """At once, with all that it has started; the thread goes on at that compensation."""
    undo = "test -e go || { sh -c 'echo $$ >> $EFFECTS; exec setsid sleep 600' & wait; }"
    configure(step("a", "true", compensate=undo) + FAIL)
    run = forked.begin("start", "job", "-t", "t", "--json")
    run.until(lambda: lines(effects))
    run.signal(signal.SIGTERM)
    run.until(lambda: "asked to stop" in run.stderr)
    run.signal(signal.SIGTERM)
    run.wait(check=130)
    run = forked.begin("resume", "t", "--timeout", "1h", "--json", env={"FAULTS": "run_out"})
    run.until(lambda: len(lines(effects)) == 2)
    run.run_out()
    thread = run.wait(check=124).thread
    assert ("stopped", "compensating") == (thread["status"], thread["outcome"])
    assert {"a:compensate": ("timed_out", 2)} == compensations(thread)
    wait_for(lambda: not any(is_running(int(pid)) for pid in lines(effects)))
    Path("go").touch()
    assert "compensated" == forked.run("resume", "t", "--json", check=1).thread["outcome"]


def test_a_cancel_undoes_what_commands_have_done(forked: Forked, effects: Path) -> None:
    """What was in flight is ended with its owner, and is not undone."""
    configure(
        step("a", "true", compensate="echo a >> $EFFECTS")
        + step("b", "echo $$ >> $EFFECTS; sleep 600", compensate="echo b >> $EFFECTS")
    )
    run = forked.begin("start", "job", "-t", "t")
    run.until(lambda: lines(effects))
    done = forked.run("cancel", "t", "--json", "--grace", "100ms", check=0).thread
    assert KILLED == run.wait().exit_status
    assert ("cancelled", "compensated") == (done["status"], done["outcome"])
    command, *undone = lines(effects)
    assert (False, ["a"]) == (is_running(int(command)), undone)
