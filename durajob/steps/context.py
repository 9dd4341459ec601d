"""The step that is running here, for the helpers that a step calls.

A context variable: concurrent steps, and threads that a step starts with a copied context,
each see their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from durajob.model import StepProgress


class CommandRoom(NamedTuple):
    """What a shell command needs of the run around it."""

    workflow: str
    input: Mapping[str, Any]
    folder: str  # the thread's own, for what is to outlive a resume
    lock: int  # the descriptor that holds the thread's lock


class StepContext(Protocol):
    """What the engine offers to helpers inside a running attempt."""

    thread: str
    step: str
    attempt: int

    def report(self, progress: StepProgress, /) -> None:
        """Show progress to whoever watches; may be called as often as one likes."""

    def store_progress(self) -> None:
        """Keep what was reported last, if it was too soon for that when it was."""

    def beat(self) -> None:
        """Show a sign of life; may be called as often as one likes."""

    def print(self, text: str, stream: str = "out", /) -> None:
        """Keep what the step printed (``out``, ``err``) or logged (``log``)."""

    def descriptor(self) -> int | None:
        """What programs of this step are to have as standard output, so that it is kept.

        None where descriptors 1 and 2 are the step's own, in a worker process.
        """

    def printed(self) -> int:
        """How much the step and its programs have printed until now, in any unit."""

    def last_lines(self) -> list[str]:
        """The end of what the step and its programs have printed."""

    def command_room(self) -> CommandRoom:
        """For shell steps, which always run in the owner's own process."""

    def nothing_to_undo(self) -> None:
        """The step has done nothing: when it finishes, no compensation of it is due."""

    def effect_key(self, name: str, /) -> str:
        """The idempotency key of an effect."""

    def begin_effect(self, name: str, in_doubt: str, /) -> tuple[bool, str, Any]:
        """Whether an effect is done already, its key, and its result if so; if not, it begins."""

    def finish_effect(self, name: str, result: Any, /) -> Any:
        """An effect is done; gives its result as the store has it."""

    def fail_effect(self, name: str, /) -> None:
        """An effect has said by an exception that it was not done."""

    def take_lock(self, name: str, limit: int, wait: float | None, /) -> int:
        """Wait for a lock of the store, and give the number to let go of it by.

        Raises:
            LockTimeout: when it could not be had within ``wait`` seconds.
            StepFault: when this attempt holds it as its policy says.
            Leave: when the attempt is not to wait any longer.
        """

    def release_lock(self, number: int, /) -> None:
        """Let go of a lock."""

    def sleep(self, seconds: float | None, until: int | None, /) -> None:
        """Return when so many seconds are over, or at a wall-clock time.

        Raises:
            Leave: when the thread is to sleep without this process, or to stop.
        """

    def ask(
        self,
        prompt: Any,
        schema: dict[str, Any] | None,
        expires: float | None,
        on_expiry: dict[str, Any] | None,
        /,
    ) -> Any:
        """The answer to the step's next question, which expires after so many seconds.

        Raises:
            Unanswered: when there is none yet.
            ApprovalExpired: when there was none in time, and ``on_expiry`` has none either.
        """


class Leave(BaseException):
    """Leave the step: its attempt is taken back, and begins from its top another time.

    No Exception, so that a step which catches those is left all the same.
    """

    def __init__(self, wake_at: int | None = None) -> None:
        """``wake_at``: when it is to begin again; None when somebody asked to stop."""
        super().__init__(wake_at)
        self.wake_at = wake_at


class Unanswered(Leave):
    """Leave the step until a person has answered what it asks."""


current: ContextVar[StepContext | None] = ContextVar("durajob_step", default=None)
"""None outside of steps, so that a step's function can be called and tested alone."""
