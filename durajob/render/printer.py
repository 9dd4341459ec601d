"""The one printer: decides what is shown, where, and how, for every command.

Data goes to standard output; errors, notes and the next command go to standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from durajob import clock
from durajob.durations import counted, format_duration
from durajob.model import (
    Approvals,
    ErrorInfo,
    Overview,
    Result,
    StepError,
    Thread,
    ThreadList,
    ThreadResult,
    ThreadStatus,
)
from durajob.render import marks
from durajob.render.sink import Sink
from durajob.render.text import error_text, one_line

if TYPE_CHECKING:
    from durajob.masking import Mask
    from durajob.recovery import Recovery
    from durajob.slots import SlotList, Ticked

R = TypeVar("R")

PAUSES = (ThreadStatus.STOPPED, ThreadStatus.SLEEPING, ThreadStatus.WAITING)
"""In these a thread only waits for its next turn: nothing went wrong."""
_PATIENCE = 5.0
"""Seconds that a reader of standard error may hang before it is given up."""

_BATCH = 16_000  # characters that are written at once


class Printer:
    """How this process shows things; made once the options are known."""

    def __init__(
        self,
        *,
        command: str,
        out: Sink,
        err: Sink,
        json: bool = False,
        quiet: bool = False,
        out_tables: bool = False,
        out_color: bool = False,
        err_color: bool = False,
        complete: Callable[[str], str] = str,
        mask: Callable[[], Mask | None] = lambda: None,
    ) -> None:
        self.command = command
        self.out = out
        self.err = err
        self.json = json
        if json:  # now: what is told at the end of a job, or as the process ends, is not to wait
            import_module("durajob.render.objects")
        self.quiet = quiet
        self.out_tables = out_tables  # tables on standard output, rather than plain lines
        self.out_color = out_color
        self.err_color = err_color
        self.complete = complete  # puts into commands the options that they need here
        self.mask = mask  # what is secret, once the settings are known

    def result(self, result: Result) -> int:
        """Show what a command that reads returned; the exit status."""
        result = self.masked(result)
        if isinstance(result, Overview):
            typed = {thread: self.complete(text) for thread, text in result.commands.items()}
            result = result._replace(commands=typed)
        if self.json:
            self.line(self._envelope(result))
        elif not self.quiet:
            self._page(result)
        self.rest(result)
        return result.exit_status

    def driven(
        self, result: ThreadResult, *, elapsed: float | None, tail: Sequence[str] = ()
    ) -> int:
        """Show how a thread stands that was driven, or was to be; the exit status.

        ``elapsed`` is how many seconds it was driven for, None when it was not; ``tail`` the end
        of the log of the step that failed, for those who have seen nothing of it.
        """
        result = self.masked(result)
        if self.json:
            self.line(self._envelope(result))
        elif not self.quiet and result.exit_status == 0:
            self.line(self.summary(result.thread, elapsed))
        self.rest(result, tail=self.masked(tail))
        return result.exit_status

    def threads(self, threads: Iterable[Thread]) -> int:
        """Show threads as they are read, an object a line; the exit status."""
        from durajob.render.envelope import json_line
        from durajob.render.objects import thread_object

        mask = self.mask()

        def lines() -> Iterator[str]:
            for thread in () if self.quiet else threads:
                if mask is not None:
                    mask.learn(thread)
                shown = thread if mask is None else mask.value(thread)
                yield json_line(thread_object(shown, whole=False))

        self.lines(lines())
        return 0

    def long_list(self, threads: Iterable[Thread], limit: int, *, store: str) -> int:
        """Show as one envelope threads that are not to be in memory at once; the exit status."""
        from durajob.render.longlist import write

        self.rest(write(self.command, threads, self.out, limit=limit, store=store))
        return 0

    def error(self, error: ErrorInfo, exit_status: int, *, details: str = "") -> int:
        """Show an error that left no result; ``details`` is a traceback that was asked for."""
        error = self.masked(error)
        if details:
            self.err.write(details, patience=_PATIENCE)
        if self.json:
            from durajob.render.envelope import error_envelope

            self.line(error_envelope(self.command, self._completed(error), exit_status))
        else:
            self.say_error(error.message)
            self.say_hint("hint", error.hint)
        return exit_status

    def warn(self, text: str) -> None:
        """Say what went wrong beside, and changes nothing of what was answered."""
        mask = self.mask()
        shown = text if mask is None else mask.text(text)
        self.err.write(f"warning: {one_line(shown)}\n", patience=_PATIENCE)

    def note(self, text: str) -> None:
        """Tell people something besides the answer."""
        if not self.json and not self.quiet:
            self.err.write(one_line(text) + "\n", patience=_PATIENCE)

    def interrupted(self, thread: str | None) -> None:
        """Say that the process ends at once; called from any thread, takes no lock."""
        resume = f"durajob resume {thread}" if thread else None
        error = ErrorInfo(code="interrupted", message="ended at once", hint=resume)
        if self.json:
            from durajob.render.envelope import error_envelope

            text = error_envelope(self.command, self._completed(error), 130)
            self.out.write(text + "\n", patience=1.0)
        else:
            self.err.write("\n" + self._styled("error: ", marks.ERROR) + "ended at once\n")
            self.say_hint("resume with", resume)

    def masked(self, result: R) -> R:
        """What may be shown of ``result``."""
        mask = self.mask()
        if mask is None:
            return result
        mask.learn(result)
        return mask.value(result)

    def summary(self, thread: Thread, elapsed: float | None) -> str:
        """How a thread stands, in a line; ``elapsed`` is how many seconds it was driven for."""
        look = marks.THREAD[thread.status]
        style = look.style if self.out_color else ""
        mark = marks.paint(look.mark, style) + " " if self.out_tables else ""
        took = "" if elapsed is None else f" in {format_duration(elapsed)}"
        status = marks.paint(thread.status.value, style)
        total = thread.done if thread.total is None else thread.total
        of = f"{thread.done} of " if total != thread.done else ""
        steps = of + counted(total, "step")
        return f"{mark}{thread.thread} {status}: {steps}{took}"

    def line(self, text: str) -> None:
        """Write a line of data."""
        self.out.write(text + "\n")

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines as they come, many at once: a write for each would take as long as all
        else. Ends when nobody reads any more."""
        held, size = list[str](), 0
        try:
            for line in lines:
                held.append(line)
                size += len(line)
                if size > _BATCH:
                    self.line("\n".join(held))
                    held, size = [], 0
                    if self.out.dead:
                        break
        finally:
            if held:
                self.line("\n".join(held))

    def rest(self, result: Result, *, tail: Sequence[str] = ()) -> None:
        """What people are told besides: the error, notes, the next command."""
        failing = result.exit_status != 0
        if failing and not self.json:
            self._blame(result, tail)
        if self.quiet and not failing:
            return
        if not self.quiet:
            remark = _remark(result)
            for note in (*result.notes, *(() if remark is None else (remark,))):
                self.err.write(one_line(note) + "\n", patience=_PATIENCE)
        if not self.json:
            self.say_hint(invitation(result.next_command), result.next_command)

    def say_error(self, message: str, head: str = "error: ") -> None:
        """Say what is wrong."""
        head = self._styled(head, marks.ERROR)
        self.err.write(f"{head}{one_line(message)}\n", patience=_PATIENCE)

    def say_log(self, log: str | None, tail: Sequence[str]) -> None:
        """Say where a log is, under its last lines."""
        for line in tail:
            self.err.write(f"  | {one_line(line)}\n", patience=_PATIENCE)
        self.say_hint("log", log)

    def say_hint(self, label: str, text: str | None) -> None:
        """Say what to do, if there is anything."""
        if text:
            told = self._styled(one_line(self.complete(text)), marks.HINT)
            self.err.write(f"  {label}: {told}\n", patience=_PATIENCE)

    def _envelope(self, result: Result) -> str:
        from durajob.render.envelope import envelope

        if result.error is not None:
            result = result._replace(error=self._completed(result.error))
        return envelope(self.command, result)

    def _completed(self, error: ErrorInfo) -> ErrorInfo:
        return error._replace(hint=None if error.hint is None else self.complete(error.hint))

    def _page(self, result: Result) -> None:
        if self.command == "metrics":
            from durajob.render.exposition import shown

            self.out.write(shown(result))
            return
        text = getattr(result, "text", None)  # what is a file's is shown as it is
        if text is not None:
            self.out.write(text)
            return
        from durajob.render.pages import pages

        blocks = pages(result, now=clock.now(), terminal=self.out_tables)
        if self.out_tables and blocks:
            from durajob.render.tables import draw

            draw(blocks, self.out, color=self.out_color)
        else:
            from durajob.render.plain import plain_text

            self.out.write(plain_text(blocks))

    def _blame(self, result: Result, tail: Sequence[str]) -> None:
        """One line that says what is wrong, then where to look."""
        step_error = result.thread.error if isinstance(result, ThreadResult) else None
        if step_error is not None and isinstance(result, ThreadResult) and _failed(result):
            self.say_error(_step_failure(result.thread, step_error))
            self.say_log(step_error.log, tail)
        elif result.error is not None:
            self.say_error(result.error.message, "" if _paused(result) else "error: ")
            if result.error.hint != result.next_command:
                self.say_hint("hint", result.error.hint)
        elif isinstance(result, ThreadResult):
            self.say_error(f"thread {result.thread.thread} is {result.thread.status.value}", "")

    def _styled(self, text: str, style: str) -> str:
        return marks.paint(text, style) if self.err_color else text


def _failed(result: ThreadResult) -> bool:
    return result.thread.status is ThreadStatus.FAILED


def _paused(result: Result) -> bool:
    return isinstance(result, ThreadResult) and result.thread.status in PAUSES


def _step_failure(thread: Thread, error: StepError) -> str:
    what = error_text(error)
    if error.step is None:
        return f"thread {thread.thread} failed: {what}"
    attempt = "" if error.attempt is None else f" at attempt {error.attempt}"
    return f"step {error.step} failed{attempt}: {what}"


def invitation(command: str | None) -> str:
    """What stands before a command that comes next."""
    return "resume with" if (command or "").startswith("durajob resume") else "next"


def _remark(result: Result) -> str | None:
    """What an empty or a cut answer needs to be understood."""
    tell = _REMARKS.get(type(result).__name__)
    return None if tell is None else tell(result)


def _of_threads(result: ThreadList) -> str | None:
    if result.more:
        return "there are more threads; see them with --limit"
    return None if result.threads else _empty(result)


def _of_overview(result: Overview) -> str | None:
    return None if any(result.counts.values()) else _empty(result)


def _empty(result: ThreadList | Overview) -> str:
    return f"no threads in {result.store}" if result.exists else _absent(result.store)


def _of_approvals(result: Approvals) -> str | None:
    if not result.exists:
        return _absent(result.store)
    return None if result.threads else "no thread waits for a person"


def _of_recovery(result: Recovery) -> str | None:
    if result.threads:
        return None
    where = f" in {result.store}" if result.exists else f": {_absent(result.store)}"
    return f"nothing to recover{where}"


def _of_tick(result: Ticked) -> str | None:
    return None if result.slots or result.threads or result.alerts else "nothing is due"


def _of_slots(result: SlotList) -> str | None:
    if result.more:
        return "there are more slots; see them with -n"
    return None if result.slots else f"no slots in {result.store}"


def _absent(store: str) -> str:
    return f"no store yet at {store}"


_REMARKS: Mapping[str, Callable[[Any], str | None]] = {
    "Approvals": _of_approvals,
    "Overview": _of_overview,
    "Recovery": _of_recovery,
    "SlotList": _of_slots,
    "ThreadList": _of_threads,
    "Ticked": _of_tick,
}
"""By the name of the result's type, as in ``VIEWS``."""
