"""What a step waits for before or while it runs: a lock, a time.

A stop that somebody asks for ends each of these waits at once. The step is left then, its
attempt taken back; at the resume it begins from its top.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from langgraph.errors import GraphBubbleUp, GraphInterrupt

from durajob import clock
from durajob.durations import format_duration
from durajob.engine.pool import Drained
from durajob.errors import StepFault
from durajob.events import Notice
from durajob.model import SHORT_SLEEP
from durajob.policies import LockPolicy, StepPolicy
from durajob.steps.context import Leave
from durajob.steps.lock import LockTimeout
from durajob.store.ledger import Place
from durajob.store.named import Turn

if TYPE_CHECKING:
    from durajob.engine.step import Run

_SOONEST, _LATEST = 0.005, 0.05  # seconds between two looks at a lock
_TELL_AFTER = 0.5  # seconds of waiting for a lock until people are told


class Waits:
    """The waits of one attempt, as the helpers in ``durajob.steps`` ask for them."""

    def __init__(self, run: Run, place: Place, policy: StepPolicy) -> None:
        self._held_by_policy = policy.lock
        self._of = run
        self._at = place
        self.beaten = clock.monotonic()
        self._ended = threading.Event()
        self._turns: dict[int, Turn] = {}
        self._numbers = itertools.count(1)
        self._sleeps = itertools.count(1)

    def take_lock(self, name: str, limit: int, wait: float | None, /) -> int:
        if self._held_by_policy is not None and name == self._held_by_policy.name:
            raise StepFault(
                f"step {self._at.step} asks for lock {name!r}, which it holds by its policy: "
                "it would wait for itself",
                hint="leave one of the two out",
            )
        policy = LockPolicy(name=name, limit=limit, wait=wait)
        turn = take_turn(self._of, self._at.step, policy, self)
        number = next(self._numbers)
        self._turns[number] = turn
        return number

    def release_lock(self, number: int, /) -> None:
        turn = self._turns.pop(number, None)
        if turn is not None:
            turn.leave()

    def sleep(self, seconds: float | None, until: int | None, /) -> None:
        wake_at = until if until is not None else clock.now() + round((seconds or 0) * 1e6)
        fall_asleep(self._of, self._at, next(self._sleeps), wake_at, self)

    def beat(self) -> None:
        """A sign of life: to wait for what durajob keeps is not to hang."""
        self.beaten = clock.monotonic()

    @property
    def ended(self) -> bool:
        """Whether the attempt has: a worker of it may still wait."""
        return self._ended.is_set()

    def end(self) -> None:
        """The attempt has ended: what it still held is free."""
        self._ended.set()
        for number in list(self._turns):
            self.release_lock(number)


def take_turn(run: Run, step: str, policy: LockPolicy, attempt: Waits | None = None) -> Turn:
    """Wait for a lock and hold it; ``attempt`` is what waits, once it has begun.

    Raises:
        LockTimeout: when the policy's wait is over.
        Leave: when the step is to wait no longer.
    """
    turn = run.ledger.queue_up(policy.name, limit=policy.limit, step=step)
    try:
        _wait(run, step, policy, turn, attempt)
    except BaseException:
        turn.leave()
        raise
    return turn


def _wait(run: Run, step: str, policy: LockPolicy, turn: Turn, attempt: Waits | None) -> None:
    began, told = clock.monotonic(), False
    while not turn.try_enter():
        waited = clock.monotonic() - began
        if policy.wait is not None and waited >= policy.wait:
            raise LockTimeout(
                f"lock {policy.name!r} could not be had within {format_duration(policy.wait)}: "
                f"{_holders(turn)}"
            )
        if waited >= _TELL_AFTER and not told:
            told = True
            text = f"step {step} waits for lock {policy.name!r}: {_holders(turn)}"
            run.observer.notify(Notice(thread=run.thread, at=clock.now(), text=text))
        pause = min(_LATEST, max(_SOONEST, waited / 20))
        if policy.wait is not None:
            pause = min(pause, policy.wait - waited)
        if run.drain.wait(pause) or run.failed or (attempt is not None and attempt.ended):
            raise Leave()
        if attempt is not None:
            attempt.beat()


def _holders(turn: Turn) -> str:
    holders = turn.holders()
    if not holders:
        return "others wait before it"
    shown = [
        f"step {each.step} of thread {each.thread or '(pruned)'} (process {each.pid})"
        for each in holders[:5]
    ]
    more = f" and {len(holders) - 5} more" if len(holders) > 5 else ""
    return f"held by {', '.join(shown)}{more}"


def fall_asleep(
    run: Run, place: Place, number: int, wake_at: int, attempt: Waits | None = None
) -> None:
    """Sleep; return when it is over. ``attempt`` is what sleeps, once it has begun.

    Raises:
        Leave: when the thread is to sleep without this process, or to stop.
    """
    said = run.ledger.fall_asleep(place, number, wake_at)
    if said is None:
        return
    left = (said - clock.now()) / 1e6
    if left > SHORT_SLEEP:
        raise Leave(said)
    end = clock.monotonic() + left
    while (left := end - clock.monotonic()) > 0:
        if run.drain.wait(left if attempt is None else min(left, _LATEST)):
            raise Leave()
        if attempt is not None:
            attempt.beat()
    run.ledger.wake_up(place, number)


def leave_graph(run: Run, leave: Leave) -> GraphBubbleUp:
    """What takes LangGraph out of a step that was left.

    To sleep is to LangGraph like a question that nobody sees: the other branches finish first.
    """
    if leave.wake_at is None:
        return Drained()
    run.sleeps.append(leave.wake_at)
    return GraphInterrupt()


def wakes_soon(run: Run) -> bool:
    """Once nothing runs but sleeps: whether the first to wake is worth waiting for.

    Then wait for it, and the graph is to be run on.
    """
    if not run.sleeps or run.questions.open:
        return False
    left = (min(run.sleeps) - clock.now()) / 1e6
    if left > SHORT_SLEEP:
        return False
    if left > 0 and run.drain.wait(left):
        return False
    run.sleeps.clear()
    return True
