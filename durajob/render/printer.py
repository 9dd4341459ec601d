"""The one printer: decides what is shown, where, and how, for every command.

Data goes to standard output; errors, notes and the next command go to standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

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
from durajob.render.envelope import envelope, error_envelope, thread_line
from durajob.render.pages import error_text, pages
from durajob.render.plain import plain_text
from durajob.render.sink import Sink
from durajob.render.text import one_line

if TYPE_CHECKING:
    from durajob.cause import Why
    from durajob.history import History
    from durajob.logbook import Logs
    from durajob.masking import Mask
    from durajob.picture import Picture
    from durajob.recovery import Recovered
    from durajob.render.pump import Painter
    from durajob.slots import Ticked
    from durajob.timeline import Timeline
    from durajob.watching import Watching

R = TypeVar("R")

_PAUSES = (ThreadStatus.STOPPED, ThreadStatus.SLEEPING, ThreadStatus.WAITING)
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
        self.quiet = quiet
        self.out_tables = out_tables  # tables on standard output, rather than plain lines
        self.out_color = out_color
        self.err_color = err_color
        self.complete = complete  # puts into commands the options that they need here
        self._mask = mask  # what is secret, once the settings are known

    def result(self, result: Result) -> int:
        """Show what a command that reads returned; the exit status."""
        result = self._masked(result)
        if isinstance(result, Overview):
            typed = {thread: self.complete(text) for thread, text in result.commands.items()}
            result = result._replace(commands=typed)
        if self.json:
            self._line(self._envelope(result))
        elif not self.quiet:
            self._page(result)
        self._rest(result)
        return result.exit_status

    def driven(
        self, result: ThreadResult, *, elapsed: float | None, tail: Sequence[str] = ()
    ) -> int:
        """Show how a thread stands that was driven, or was to be; the exit status.

        ``elapsed`` is how many seconds it was driven for, None when it was not; ``tail`` the end
        of the log of the step that failed, for those who have seen nothing of it.
        """
        result = self._masked(result)
        if self.json:
            self._line(self._envelope(result))
        elif not self.quiet and result.exit_status == 0:
            self._line(self._summary(result.thread, elapsed))
        self._rest(result, tail=self._masked(tail))
        return result.exit_status

    def threads(self, threads: Iterable[Thread]) -> int:
        """Show threads as they are read, an object a line; the exit status."""
        mask = self._mask()

        def lines() -> Iterator[str]:
            for thread in () if self.quiet else threads:
                if mask is not None:
                    mask.learn(thread)
                yield thread_line(thread if mask is None else mask.value(thread))

        self._lines(lines())
        return 0

    def ticked(self, result: Ticked) -> int:
        """Show what a tick did; what a person has to know is told even when quiet."""
        if not self.json:
            for alert in self._masked(result.alerts):
                self._say_error(alert.error.message)
                self._say_log(alert.log, alert.tail)
                hint = alert.error.hint or ""
                label = _invitation(hint) if hint.startswith("durajob ") else "hint"
                self._say_hint(label, hint)
        return self.result(result)

    def log(self, result: Logs, *, json_lines: bool) -> int:
        """Show the lines of logs as they come; the exit status."""
        from durajob.render.loglines import json_line, text_line

        mask = self._mask()
        if self.json:
            return self.result(result._replace(lines=list(result.lines)))
        for line in result.lines:
            shown = line if mask is None else mask.value(line)
            if json_lines:
                self._line(json_line(shown))
            else:
                self._line(text_line(shown, terminal=self.out_tables, color=self.out_color))
            if self.out.dead:
                break  # nobody reads any more
        self._rest(result)
        return result.exit_status

    def history(self, result: History, *, json_lines: bool, full: bool) -> int:
        """Show what happened to a thread, entry by entry; the exit status."""
        from durajob.render.past import Shape, json_line, text_lines

        mask = self._mask()
        if mask is not None:
            mask.learn(result.input)
        if self.json:
            return self.result(result._replace(entries=list(result.entries)))
        width = None if full or not self.out_tables else self.out.size()[0]
        shape = Shape(self.out_tables, self.out_color, width, full, self.out.shown)

        def lines() -> Iterator[str]:
            for entry in () if self.quiet else result.entries:
                shown = entry if mask is None else mask.value(entry)
                yield from (json_line(shown),) if json_lines else text_lines(shown, shape)

        self._lines(lines())
        self._rest(result)
        return result.exit_status

    def why(self, result: Why) -> int:
        """Say why a thread stands where it stands; both the sentence and the command are data."""
        mask = self._mask()
        if mask is not None:
            mask.learn(result.input)
            result = mask.value(result)
        cause = result.cause
        commands = [None if c is None else self.complete(c) for c in (cause.command, cause.look)]
        if self.json:
            cause = cause._replace(command=commands[0], look=commands[1])
            return self.result(result._replace(cause=cause))
        if not self.quiet:
            look = marks.THREAD[result.status].style if self.out_color else ""
            self._line(marks.paint(one_line(cause.sentence), look))
            for label, command in zip(("next", "look"), commands, strict=True):
                if command is not None:
                    told = marks.paint(command, marks.HINT if self.out_color else "")
                    self._line(f"  {label}: {told}")
        return result.exit_status

    def watched(self, result: Watching, painter: Callable[[], Painter], *, json_lines: bool) -> int:
        """Show a thread as it changes, until it has ended or nobody reads; the exit status."""
        from durajob.render import watched

        mask = self._mask()
        changes = result.changes if mask is None else map(mask.value, result.changes)
        if json_lines:
            watched.stream(changes, self.out, self._line)
            return result.exit_status
        if self.json or self.quiet:
            for _ in changes:
                pass
            return self.result(result.end())
        watched.paint(changes, painter(), self.out)
        if not self.out.dead:
            end = self._masked(result.end())
            self._line(self._summary(end.thread, None))
            self._rest(end)
        return result.exit_status

    def timeline(self, result: Timeline) -> int:
        """Show when each attempt ran, as bars on a terminal; the exit status."""
        if self.json or self.quiet or not self.out_tables or result.page is not None:
            return self.result(result)
        from durajob.render.bars import bar_lines

        result = self._masked(result)
        for line in bar_lines(result, width=self.out.size()[0], color=self.out_color):
            self._line(line)
        self._rest(result)
        return result.exit_status

    def graph(self, result: Picture) -> int:
        """Show a picture of a graph; the exit status."""
        if self.json or self.quiet:
            return self.result(result)
        from durajob.render import drawn

        if result.form == "mermaid":
            self.out.write(drawn.mermaid(result))
        elif result.form == "svg":
            from durajob.render.svg import svg

            self.out.write(svg(result))
        else:
            tables, color = self.out_tables, self.out_color
            if result.thread is not None:
                self._line(drawn.head_line(result.thread, color=color, drawn=tables))
            width = self.out.size()[0]
            for line in drawn.tree_lines(result, width=width, color=color, drawn=tables):
                self._line(line)
        return result.exit_status

    def webpage(self, result: Timeline, *, made_by: str) -> str:
        """The timeline as a page."""
        from durajob.render.webpage import webpage

        return webpage(self._masked(result), made_by=made_by)

    def recovered(self, outcome: Recovered) -> None:
        """Show how one of several threads ended, as it ends."""
        if self.json:
            return
        outcome = self._masked(outcome)
        thread, error = outcome.thread, outcome.error
        if error is not None:
            paused = thread.status in _PAUSES
            self._say_error(error.message, "" if paused else "error: ")
            self._say_hint(_invitation(error.hint), error.hint)
        elif not self.quiet:
            taken = thread.status is not ThreadStatus.COMPLETED
            text = f"{thread.thread} was taken by another process; left alone"
            self._line(text if taken else self._summary(thread, None))

    def error(self, error: ErrorInfo, exit_status: int, *, details: str = "") -> int:
        """Show an error that left no result; ``details`` is a traceback that was asked for."""
        error = self._masked(error)
        if details:
            self.err.write(details, patience=_PATIENCE)
        if self.json:
            self._line(error_envelope(self.command, self._completed(error), exit_status))
        else:
            self._say_error(error.message)
            self._say_hint("hint", error.hint)
        return exit_status

    def warn(self, text: str) -> None:
        """Say what went wrong beside, and changes nothing of what was answered."""
        mask = self._mask()
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
            text = error_envelope(self.command, self._completed(error), 130)
            self.out.write(text + "\n", patience=1.0)
        else:
            self.err.write("\n" + self._styled("error: ", marks.ERROR) + "ended at once\n")
            self._say_hint("resume with", resume)

    def _masked(self, result: R) -> R:
        mask = self._mask()
        if mask is None:
            return result
        mask.learn(result)
        return mask.value(result)

    def _envelope(self, result: Result) -> str:
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
        blocks = pages(result, now=clock.now(), terminal=self.out_tables)
        if self.out_tables and blocks:
            from durajob.render.tables import draw

            draw(blocks, self.out, color=self.out_color)
        else:
            self.out.write(plain_text(blocks))

    def _rest(self, result: Result, *, tail: Sequence[str] = ()) -> None:
        """What people are told besides: the error, notes, the next command."""
        failing = result.exit_status != 0
        if failing and not self.json:
            self._blame(result, tail)
        if self.quiet and not failing:
            return
        if not self.quiet:
            for note in (*result.notes, *_remarks(result)):
                self.err.write(one_line(note) + "\n", patience=_PATIENCE)
        if not self.json:
            self._say_hint(_invitation(result.next_command), result.next_command)

    def _blame(self, result: Result, tail: Sequence[str]) -> None:
        """One line that says what is wrong, then where to look."""
        step_error = result.thread.error if isinstance(result, ThreadResult) else None
        if step_error is not None and isinstance(result, ThreadResult) and _failed(result):
            self._say_error(_step_failure(result.thread, step_error))
            self._say_log(step_error.log, tail)
        elif result.error is not None:
            self._say_error(result.error.message, "" if _paused(result) else "error: ")
            if result.error.hint != result.next_command:
                self._say_hint("hint", result.error.hint)
        elif isinstance(result, ThreadResult):
            self._say_error(f"thread {result.thread.thread} is {result.thread.status.value}", "")

    def _summary(self, thread: Thread, elapsed: float | None) -> str:
        look = marks.THREAD[thread.status]
        style = look.style if self.out_color else ""
        mark = marks.paint(look.mark, style) + " " if self.out_tables else ""
        took = "" if elapsed is None else f" in {format_duration(elapsed)}"
        status = marks.paint(thread.status.value, style)
        total = thread.done if thread.total is None else thread.total
        of = f"{thread.done} of " if total != thread.done else ""
        steps = of + counted(total, "step")
        return f"{mark}{thread.thread} {status}: {steps}{took}"

    def _lines(self, lines: Iterable[str]) -> None:
        """Write lines as they come, many at once: a write for each would take as long as all
        else. Ends when nobody reads any more."""
        held, size = list[str](), 0
        try:
            for line in lines:
                held.append(line)
                size += len(line)
                if size > _BATCH:
                    self._line("\n".join(held))
                    held, size = [], 0
                    if self.out.dead:
                        break
        finally:
            if held:
                self._line("\n".join(held))

    def _line(self, text: str) -> None:
        self.out.write(text + "\n")

    def _say_error(self, message: str, head: str = "error: ") -> None:
        head = self._styled(head, marks.ERROR)
        self.err.write(f"{head}{one_line(message)}\n", patience=_PATIENCE)

    def _say_log(self, log: str | None, tail: Sequence[str]) -> None:
        for line in tail:
            self.err.write(f"  | {one_line(line)}\n", patience=_PATIENCE)
        self._say_hint("log", log)

    def _say_hint(self, label: str, text: str | None) -> None:
        if text:
            told = self._styled(one_line(self.complete(text)), marks.HINT)
            self.err.write(f"  {label}: {told}\n", patience=_PATIENCE)

    def _styled(self, text: str, style: str) -> str:
        return marks.paint(text, style) if self.err_color else text


def _failed(result: ThreadResult) -> bool:
    return result.thread.status is ThreadStatus.FAILED


def _paused(result: Result) -> bool:
    """Whether the thread only waits for its next turn: nothing went wrong."""
    return isinstance(result, ThreadResult) and result.thread.status in _PAUSES


def _step_failure(thread: Thread, error: StepError) -> str:
    what = error_text(error)
    if error.step is None:
        return f"thread {thread.thread} failed: {what}"
    attempt = "" if error.attempt is None else f" at attempt {error.attempt}"
    return f"step {error.step} failed{attempt}: {what}"


def _invitation(command: str | None) -> str:
    return "resume with" if (command or "").startswith("durajob resume") else "next"


def _remarks(result: Result) -> list[str]:
    """What an empty or a cut answer needs to be understood."""
    if isinstance(result, (ThreadList, Overview, Approvals)) and not result.exists:
        return [f"no store yet at {result.store}"]
    if isinstance(result, ThreadList):
        if not result.threads:
            return [f"no threads in {result.store}"]
        return ["there are more threads; see them with --limit"] if result.more else []
    if isinstance(result, Approvals) and not result.threads:
        return ["no thread waits for a person"]
    if isinstance(result, Overview) and not any(result.counts.values()):
        return [f"no threads in {result.store}"]
    # No module is loaded for a result that it cannot be of.
    origin = type(result).__module__
    if origin == "durajob.recovery":
        return _recovery_remarks(result)
    return _slot_remarks(result) if origin == "durajob.slots" else []


def _recovery_remarks(result: Result) -> list[str]:
    from durajob.recovery import Recovery

    if isinstance(result, Recovery) and not result.threads:
        where = f"in {result.store}" if result.exists else f": no store yet at {result.store}"
        return [f"nothing to recover {where}".replace(" :", ":")]
    return []


def _slot_remarks(result: Result) -> list[str]:
    from durajob.slots import SlotList, Ticked

    if isinstance(result, Ticked) and not (result.slots or result.threads or result.alerts):
        return ["nothing is due"]
    if isinstance(result, SlotList):
        if not result.slots:
            return [f"no slots in {result.store}"]
        return ["there are more slots; see them with -n"] if result.more else []
    return []
