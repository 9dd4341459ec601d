"""kill -9 at calls of what a person does by hand: it is done whole, or not at all."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.cases import CASES
from tests.faults.kills import DEEDS
from tests.faults.sweep import count_calls
from tests.faults.trial import Trial, remove, scratch
from tests.faults.zygote import Zygote

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None and "DURAJOB_CI" not in os.environ,
    reason="the preload library needs a C compiler (cc)",
)
POINTS = int(os.environ.get("HAND_POINTS", "6"))
"""How many calls of each verb are tried, drawn at random."""
CHAIN = CASES["chain"]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    """What the commands are forked from."""
    zygote = Zygote()
    yield zygote
    zygote.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory."""
    folder = scratch()
    yield folder
    remove(folder)


@pytest.mark.parametrize("verb", ["complete", "skip", "fork"])
def test_a_kill_at_any_call_leaves_it_done_or_not(zygote: Zygote, folder: Path, verb: str) -> None:
    """Typed again it is done; the thread then goes on, and no step that was settled runs."""
    begun = Trial(CHAIN, zygote, folder / "begun")
    begun.drive(at=str(count_calls(CHAIN, zygote) * 2 // 3), do="before")
    thread = begun.look()
    assert thread is not None
    assert "interrupted" == thread["status"]
    step = thread["next"][0]
    out = [name for name in CHAIN.state["out"] if verb != "skip" or name != step]
    command = {
        "complete": ("complete", "t", step, "-i", f'out:=["{step}"]', "--reason", "by hand"),
        "skip": ("skip", "t", step, "--reason", "by hand"),
        "fork": ("fork", "t", "--from", step, "-t", "new"),
    }[verb]
    calls = folder / "calls"
    counted = _copy(begun, folder / "counted")
    assert 0 == counted.command(*command, FAULT_AT="0", FAULT_TRACE=str(calls)).exit_status
    count, dice = len(calls.read_text().splitlines()), random.Random(verb)
    for at in sorted(dice.sample(range(1, count + 1), min(POINTS, count))):
        trial = _copy(begun, folder / "trial")
        fault = {"FAULT_AT": str(at), "FAULT_DO": dice.choice(DEEDS)}
        trial.command(*command, FAULT_LOG=str(folder / "fired"), **fault)
        again = trial.command(*command)
        assert 0 == again.exit_status, (at, again)
        before = trial.journal.path.read_text().count(step)
        resumed = "new" if verb == "fork" else "t"
        assert 0 == trial.command("resume", resumed).exit_status, at
        status = trial.command("status", resumed, "--json").out
        assert out == json.loads(status)["data"]["thread"]["state"]["out"], at
        runs = trial.journal.path.read_text().count(step) - before
        assert (runs > 0) == (verb == "fork"), (at, runs)
        remove(folder / "trial")


def _copy(trial: Trial, folder: Path) -> Trial:
    shutil.copytree(trial.folder, folder)
    return Trial(CHAIN, trial.zygote, folder)
