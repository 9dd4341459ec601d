"""The causes that ``why`` knows, one small function each, and the order in which they are asked.

Each looks at the facts and gives its cause, or None where it is not the one. The first that gives
one is the answer: what holds a thread back, whatever its status, comes before what that says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from durajob.cause import Cause
from durajob.commands.causes import failed, halted, live
from durajob.commands.causes.facts import Facts, Limits, failure_text
from durajob.model import ThreadStatus

__all__ = ["Facts", "Limits", "cause_of"]


def cause_of(facts: Facts) -> Cause:
    """The first cause that holds."""
    for ask in (*_ANYWAY, *_OF_STATUS[facts.found.thread.status]):
        cause = ask(facts)
        if cause is not None:
            undoing = facts.found.thread.outcome == "compensating"
            details = {"outcome": "compensating", **cause.details} if undoing else cause.details
            text = f"thread {facts.name} {_undoing(facts) if undoing else ''}{cause.sentence}"
            return cause._replace(sentence=text, details=details)
    raise AssertionError("the last cause of each status always holds")


def _undoing(facts: Facts) -> str:
    cause = facts.found.thread.cause
    why = "it is cancelled" if cause is None else f"{failure_text(cause)}"
    return f"undoes what it has done, since {why}; it "


_Ask = Callable[[Facts], Cause | None]

_ANYWAY: Sequence[_Ask] = (live.cancelling, live.left_behind, live.claimed)

_HOLDING_BACK: Sequence[_Ask] = (
    halted.workflow_gone,
    halted.environment_gone,
    halted.too_many_resumes,
)

_OF_STATUS: dict[ThreadStatus, Sequence[_Ask]] = {
    ThreadStatus.COMPLETED: (halted.completed,),
    ThreadStatus.CANCELLED: (halted.cancelled,),
    ThreadStatus.RUNNING: (
        live.owner_stopped,
        live.waits_for_lock,
        live.sleeps_shortly,
        live.works,
        live.backs_off,
        live.between_steps,
    ),
    ThreadStatus.INTERRUPTED: (*_HOLDING_BACK, halted.interrupted),
    ThreadStatus.PENDING: (*_HOLDING_BACK, halted.pending),
    ThreadStatus.STOPPED: (*_HOLDING_BACK, halted.stopped),
    ThreadStatus.SLEEPING: (halted.sleeping, *_HOLDING_BACK, halted.overslept),
    ThreadStatus.WAITING: (halted.waiting, *_HOLDING_BACK, halted.answered),
    ThreadStatus.FAILED: (
        *(halted.compensated, failed.crash_loop, failed.changed),
        *(*_HOLDING_BACK, failed.settled, failed.step_failed, failed.failed),
    ),
}
