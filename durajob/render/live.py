"""The live view of a thread that is being driven, on a terminal. Imports Rich.

The cursor stays visible: a job that is killed with -9 cannot give it back.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.live import Live as RichLive
from rich.text import Text

from durajob.durations import counted, format_duration
from durajob.events import Event, Notice, StepPrinted
from durajob.model import AttemptStatus, StepProgress, ThreadStatus
from durajob.render import marks
from durajob.render.lines import branches_text
from durajob.render.marks import Look
from durajob.render.sink import Sink
from durajob.render.tables import console
from durajob.render.tally import Row, Running, Tally
from durajob.render.text import cut, error_text, number, one_line, printed

_BAR = 16
_NAME = 24
_LEAST_ROWS = 3
_LEFT = {each: marks.THREAD[each] for each in (ThreadStatus.WAITING, ThreadStatus.SLEEPING)}
_QUEUED = 3
_AROUND = 4  # lines that are no steps: header, footer, what is hidden, the cursor's own


class Live:
    """A painter (``pump.Painter``) of a block of lines that changes in place."""

    def __init__(self, sink: Sink, *, color: bool) -> None:
        self._sink = sink
        self._tally = Tally()
        self._console: Console = console(sink, color=color)
        # Rich hides the cursor for as long as it draws.
        self._console.show_cursor = lambda show=True: False  # type: ignore[method-assign]
        self._frame = 0
        self._live = RichLive(
            console=self._console,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._begun = False
        self._ended = False

    def take(self, event: Event, /) -> None:
        """Learn of an event; what a step printed goes above the view."""
        self._tally.take(event)
        if isinstance(event, StepPrinted):
            self._above(Text(f"{one_line(event.step)}| ", marks.LABEL), printed(event.line))
        elif isinstance(event, Notice):
            self._above(Text(""), one_line(event.text))

    def refresh(self) -> None:
        """Draw a frame."""
        if not self._tally.thread and not self._tally.rows:
            return
        if not self._begun:
            self._live.start()
            self._begun = True
        self._console.size = self._sink.size()
        self._frame += 1
        self._live.update(self._view(), refresh=True)

    def finish(self) -> None:
        """Leave the last frame standing."""
        self._ended = True
        self.refresh()
        if self._begun:
            self._live.stop()

    def _above(self, head: Text, line: str) -> None:
        self._console.print(head.append(line, style=""), soft_wrap=True)

    def _view(self) -> Text:
        width, height = self._sink.size()
        queued = list(self._queued())
        room = height - _AROUND - len(queued)
        lines = [self._header(), *self._steps(max(room, _LEAST_ROWS)), *queued]
        if self._tally.status is None:
            lines.append(self._footer())
        for line in lines:
            line.truncate(max(width - 1, 1), overflow="ellipsis")
        return Text("\n", no_wrap=True, overflow="crop").join(lines)

    def _header(self) -> Text:
        tally = self._tally
        elapsed = format_duration(tally.elapsed)
        look = marks.THREAD[tally.status] if tally.status else self._spinner()
        text = Text.assemble(
            (f"{look.mark} ", look.style),
            (one_line(tally.workflow), marks.TITLE),
            f"  {tally.thread}",
        )
        if tally.status is not None:
            text.append(f"  {tally.status.value}", style=look.style)
        elif tally.resumed:
            text.append("  resumed", style=marks.LABEL)
        return text.append(f"  {elapsed}", style=marks.LABEL)

    def _footer(self) -> Text:
        tally = self._tally
        if tally.total is None:
            return Text(f"  {counted(tally.done, 'step')} done", style=marks.LABEL)
        bar = marks.bar(tally.done, tally.total, _BAR)
        return Text.assemble(
            ("  " + bar, "green"), (f" {tally.done} of {counted(tally.total, 'step')}", marks.LABEL)
        )

    def _queued(self) -> Iterator[Text]:
        if self._tally.status is not None:
            return
        waits = list(self._tally.queued.items())
        for step, lock in waits[:_QUEUED]:
            yield self._waits(step, lock)
        if waits[_QUEUED:]:
            more = f"  {marks.CUT} {len(waits) - _QUEUED} more wait for locks"
            yield Text(more, style=marks.LABEL)

    def _waits(self, step: str, lock: str) -> Text:
        text = Text.assemble(
            "  ", (marks.RETRY.mark, marks.RETRY.style), f" {cut(one_line(step), _NAME)}"
        )
        return text.append(f"  waits for {one_line(lock)}", style="magenta")

    def _steps(self, room: int) -> list[Text]:
        """As many steps as there is room for: those that run or failed, then the latest."""
        rows = list(self._tally.rows.values())
        if len(rows) <= room:
            return [self._step(row) for row in rows]
        busy = [row for row in rows if row.running or row.failed][-room:]
        names = {row.name for row in busy}
        quiet = [row.name for row in rows if row.name not in names]
        names |= set(quiet[len(quiet) - (room - len(busy)) :])
        hidden = Text(f"  {marks.CUT} {len(rows) - len(names)} more steps", style=marks.LABEL)
        return [hidden, *(self._step(row) for row in rows if row.name in names)]

    def _step(self, row: Row) -> Text:
        if row.branched:
            return self._fan_out(row)
        if row.running:
            return self._running(row, next(iter(row.running.values())))
        look = marks.PROBLEM if row.failed and row.error else marks.FINE
        if row.skipped:
            look = marks.ATTEMPT[AttemptStatus.SKIPPED]
        text = self._start(look, row)
        text.append(f"{format_duration(row.seconds):>7}", style=marks.LABEL)
        if row.attempt > 1:
            text.append(f"  attempt {row.attempt}", style="yellow")
        if row.error is not None:
            text.append("  " + error_text(row.error), style="red")
        return text

    def _running(self, row: Row, running: Running) -> Text:
        now = self._tally.now
        waits = running.retry_at is not None or running.lock is not None
        text = self._start(marks.RETRY if waits else self._spinner(), row)
        text.append(f"{format_duration(now - running.since):>7}", style=marks.LABEL)
        if running.attempt > 1 or running.retry_at is not None:
            most = "" if running.max_attempts is None else f" of {running.max_attempts}"
            text.append(f"  attempt {running.attempt}{most}", style="yellow")
        if running.retry_at is not None and running.error is not None:
            left = format_duration(max(running.retry_at - now, 0.0))
            text.append(f" failed, again in {left}", style="yellow")
            text.append(f"  {error_text(running.error)}", style="red")
        if running.lock is not None:
            text.append(f"  waits for {one_line(running.lock)}", style="magenta")
        elif running.progress is not None:
            self._progress(text, running.progress)
        return text

    def _fan_out(self, row: Row) -> Text:
        look = self._spinner() if row.running else marks.FINE
        text = self._start(marks.PROBLEM if row.failed and not row.running else look, row)
        seconds = self._tally.now - row.since if row.running else row.seconds
        text.append(f"{format_duration(seconds):>7}", style=marks.LABEL)
        if row.branches > row.done + len(row.running):
            text.append("  " + marks.bar(row.done, row.branches, _BAR), style="green")
        text.append("  " + branches_text(row), style="red" if row.failed else "")
        if row.error is not None:
            text.append("  " + error_text(row.error), style="red")
        return text

    def _progress(self, text: Text, progress: StepProgress) -> None:
        if progress.total is None:
            text.append(f"  {number(progress.done)}")
        else:
            text.append("  " + marks.bar(progress.done, progress.total, _BAR), style="cyan")
            text.append(f" {number(progress.done)}/{number(progress.total)}")
        if progress.note:
            text.append("  " + one_line(progress.note), style=marks.LABEL)

    def _start(self, look: Look, row: Row) -> Text:
        visit = f" visit {row.visit}" if row.visit > 1 and not row.branched else ""
        width = min(max(len(name) for name in self._tally.rows), _NAME)
        name = cut(one_line(row.name), _NAME)
        return Text.assemble(
            "  ", (look.mark, look.style), f" {name:<{width}}", (visit, marks.LABEL), " "
        )

    def _spinner(self) -> Look:
        if self._tally.status is not None:  # nobody drives it: what had begun was left
            return _LEFT.get(self._tally.status, marks.ATTEMPT[AttemptStatus.ABANDONED])
        if self._ended:
            return marks.ATTEMPT[AttemptStatus.RUNNING]
        return Look(marks.SPINNER[self._frame % len(marks.SPINNER)], "cyan")
