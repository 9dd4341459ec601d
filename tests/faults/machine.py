"""Random commands and faults, in random order, held against a simple model.

The model knows of each thread whether it was admitted, whether it has ended and how; the judge
knows which steps finished. Hypothesis draws what happens, and shortens what went wrong.
"""

from __future__ import annotations

import argparse
import errno
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.faults.cases import CASES
from tests.faults.trial import Trial, remove, scratch
from tests.faults.zygote import Zygote

CALLS = st.integers(1, 400)


class Jobs(RuleBasedStateMachine):
    """Threads of one store."""

    zygote: Zygote  # one for all runs of the machine: see ``explore``
    threads = Bundle("threads")

    def __init__(self) -> None:
        super().__init__()
        self.folder = scratch()
        self.trials: list[Trial] = []
        self.ended: dict[str, Any] = {}  # by thread, as it was shown when it had ended

    @rule(target=threads, name=st.sampled_from(("chain", "loop", "retried", "once_only", "saga")))
    def meet(self, name: str) -> Trial:
        """A thread that is yet to be started."""
        thread = f"t{len(self.trials):03}"
        trial = Trial(CASES[name], self.zygote, self.folder, thread=thread)
        self.trials.append(trial)
        return trial

    @rule(trial=threads)
    def drive(self, trial: Trial) -> None:
        """Start or resume it, undisturbed: it ends."""
        ended, _ = trial.drive()
        assert self._last_exit_status(trial) == ended.exit_status, ended.err
        self._look(trial)
        assert trial.thread in self.ended

    @rule(trial=threads, at=CALLS, deed=st.sampled_from(("before", "after", "torn")))
    def kill(self, trial: Trial, at: int, deed: str) -> None:
        """Start or resume it, and kill that at a call."""
        _, fired = trial.drive(at=str(at), do=deed)
        self._look(trial, killed=fired is not None)

    @rule(
        trial=threads,
        at=CALLS,
        code=st.sampled_from((errno.ENOSPC, errno.EIO)),
        many=st.sampled_from((1, 1_000_000)),
    )
    def fail(self, trial: Trial, at: int, code: int, many: int) -> None:
        """Start or resume it, and let a call fail."""
        ended, _ = trial.drive(**{"at": str(at), "do": str(code), "for": str(many)})
        assert ended.exit_status in (self._last_exit_status(trial), 69, 74), ended.err
        self._look(trial)

    @rule(trial=threads)
    def cancel(self, trial: Trial) -> None:
        """End it for good, whatever it has come to."""
        thread = self._look(trial)
        ended = trial.command("cancel", trial.thread, "--json")
        status = None if thread is None else thread["status"]
        if thread is None:
            assert ended.exit_status in (66, 69)
        elif status == "completed" or thread["outcome"] == "compensated":
            assert ended.exit_status == (0 if status == "cancelled" else 65), ended.out
        else:
            assert 0 == ended.exit_status, ended.out
            assert "cancelled" == json.loads(ended.out)["data"]["thread"]["status"]
        self._look(trial)

    @invariant()
    def list_tells_of_all(self) -> None:
        """``list`` shows every thread that was admitted, each as it ended."""
        if not self.trials:
            return
        ended = self.trials[0].command("list", "--json")
        if not Path(self.folder / self.trials[0].store).exists():
            return
        shown = {
            one["thread"]: one["status"] for one in json.loads(ended.out)["data"]["threads"] or ()
        }
        for thread, last in self.ended.items():
            assert last["status"] == shown[thread]

    @invariant()
    def the_judge_is_content(self) -> None:
        """Nothing repeated, nothing lost, no wrong status."""
        assert [] == [fault for trial in self.trials for fault in trial.faults]

    def teardown(self) -> None:
        """Clear the store away."""
        remove(self.folder)

    def _last_exit_status(self, trial: Trial) -> int:
        """What a run of it that comes to an end exits with."""
        is_cancelled = self.ended.get(trial.thread, {}).get("status") == "cancelled"
        return 4 if is_cancelled else trial.case.exit_status

    def _look(self, trial: Trial, *, killed: bool = False) -> Any:
        thread = trial.look(killed=killed)
        before = self.ended.get(trial.thread)
        if before is not None:
            assert before == thread, "it had ended, and is shown otherwise"
        elif thread is not None and (
            thread["status"] in ("completed", "cancelled") or thread["outcome"] == "compensated"
        ):
            self.ended[trial.thread] = thread
        return thread


def explore(*, examples: int, steps: int, shorten: bool = True) -> None:
    """Let hypothesis look for a sequence of events that breaks a promise."""
    Jobs.zygote = Zygote()
    try:
        run_state_machine_as_test(
            Jobs,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                phases=(Phase.generate, Phase.shrink) if shorten else (Phase.generate,),
                suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )
    finally:
        Jobs.zygote.close()


def main(argv: list[str]) -> int:
    """Explore from the command line; raises when something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args(argv)
    explore(examples=args.examples, steps=args.steps)
    print(f"{args.examples} sequences of up to {args.steps} events: no promise broken")  # noqa: T201 - a command's answer
    return 0
