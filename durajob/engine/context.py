"""What the helpers in ``durajob.steps`` see of a running attempt, in the owner's process."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

from durajob import clock
from durajob.engine.effects import Effects
from durajob.engine.pipes import Pipe
from durajob.engine.waits import Waits
from durajob.events import StepPrinted, StepProgressed
from durajob.model import StepProgress
from durajob.policies import StepPolicy
from durajob.steps.context import CommandRoom
from durajob.store.ledger import Attempt
from durajob.store.logs import AttemptLog, log_path

if TYPE_CHECKING:
    from durajob.engine.step import Run

_SHOW_EVERY = 0.1  # seconds between two progress events of one attempt
_STORE_EVERY = 1.0  # seconds between two stored ones


class AttemptContext(Waits):
    """One attempt's; see ``StepContext`` for what each method promises."""

    def __init__(self, run: Run, attempt: Attempt, policy: StepPolicy) -> None:
        super().__init__(run, attempt.place, policy)
        self.thread = run.thread
        self.step = attempt.place.step
        self.attempt = attempt.number
        self._effects = Effects(run.effects, run.questions, attempt, run.serde)
        self._approvals = itertools.count(1)
        self.did_nothing = False
        self._run = run
        self._attempt = attempt
        self._shown = self._stored = 0.0
        self._unstored: StepProgress | None = None
        self._mutex = threading.Lock()
        self._log: AttemptLog | None = None
        self._pipe: Pipe | None = None
        run.output.begin(self)

    @property
    def log(self) -> AttemptLog:
        """The log of this attempt."""
        with self._mutex:
            if self._log is None:
                attempt, output = self._attempt, self._run.output
                self._log = AttemptLog(
                    log_path(output.folder, self.step, attempt.visit, attempt.number),
                    mask=output.mask,
                    max_size=output.max_size,
                    show=self._show,
                )
            return self._log

    def report(self, progress: StepProgress, /) -> None:
        if progress.note is not None:
            progress = progress._replace(note=self._run.output.masked(progress.note))
        now = self.beaten = clock.monotonic()
        last = progress.total is not None and progress.done >= progress.total
        if last or now - self._shown >= _SHOW_EVERY:
            self._shown = now
            self._run.observer.notify(
                StepProgressed(
                    thread=self.thread,
                    at=clock.now(),
                    step=self.step,
                    visit=self._attempt.visit,
                    progress=progress,
                )
            )
        with self._mutex:
            self._unstored = progress
        self.store_progress()

    def store_progress(self) -> None:
        """Store what was said last, unless something was stored just before."""
        with self._mutex:
            now = clock.monotonic()
            if self._unstored is not None and now - self._stored >= _STORE_EVERY:
                self._stored = now
                self._run.ledger.set_progress(self._attempt, self._unstored)
                self._unstored = None

    def print(self, text: str, stream: str = "out", /) -> None:
        self.log.write(text, stream)

    def descriptor(self) -> int | None:
        log = self.log
        with self._mutex:
            if self._pipe is None:
                self._pipe = self._run.output.open_pipe(log)
            return self._pipe.writing

    def printed(self) -> int:
        return self.log.taken

    def last_lines(self) -> list[str]:
        if self._pipe is not None:
            self._pipe.drain()
        return self.log.last_lines()

    def command_room(self) -> CommandRoom:
        return self._run.room

    def nothing_to_undo(self) -> None:
        self.did_nothing = True

    def effect_key(self, name: str, /) -> str:
        return self._effects.key(name)

    def begin_effect(self, name: str, in_doubt: str, /) -> tuple[bool, str, Any]:
        return self._effects.begin(name, in_doubt)

    def finish_effect(self, name: str, result: Any, /) -> Any:
        return self._effects.finish(name, result)

    def fail_effect(self, name: str, /) -> None:
        self._effects.fail(name)

    def ask(
        self,
        prompt: Any,
        schema: dict[str, Any] | None,
        expires: float | None,
        on_expiry: dict[str, Any] | None,
        /,
    ) -> Any:
        return self._run.questions.ask(
            self._attempt.place,
            f"approval:{next(self._approvals)}",
            prompt,
            schema=schema,
            expires=expires,
            on_expiry=on_expiry,
        )

    def close(self) -> None:
        """The attempt has ended."""
        self.end()
        self._run.output.end(self)
        if self._pipe is not None:
            self._run.output.close_pipe(self._pipe)
        if self._log is not None:
            self._log.close()

    def _show(self, line: str) -> None:
        self._run.observer.notify(
            StepPrinted(thread=self.thread, at=clock.now(), step=self.step, line=line)
        )
