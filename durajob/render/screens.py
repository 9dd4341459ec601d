"""What is more than a page or an envelope: lines as they come, pictures, sentences, alerts.

Each function has a printer show one kind of result; most return the exit status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from durajob import clock
from durajob.model import ThreadResult, ThreadStatus
from durajob.render import marks
from durajob.render.printer import PAUSES, Printer, invitation
from durajob.render.text import one_line

if TYPE_CHECKING:
    from durajob.cause import Why
    from durajob.history import History
    from durajob.logbook import Logs
    from durajob.picture import Picture
    from durajob.recovery import Recovered
    from durajob.render.pump import Painter
    from durajob.slots import Ticked
    from durajob.timeline import Timeline
    from durajob.watching import Watching


def whole_thread(printer: Printer, result: ThreadResult) -> int:
    """Show a thread with nothing cut, however narrow the terminal; the exit status."""
    from durajob.render.pages import thread_page
    from durajob.render.plain import plain_text

    if printer.json or printer.quiet:
        return printer.result(result)
    shown = printer.masked(result)
    printer.out.write(plain_text(thread_page(shown, clock.now(), printer.out_tables, full=True)))
    printer.rest(shown)
    return result.exit_status


def log(printer: Printer, result: Logs, *, json_lines: bool) -> int:
    """Show the lines of logs as they come; the exit status."""
    from durajob.render.loglines import json_line, text_line

    mask = printer.mask()
    if printer.json:
        return printer.result(result._replace(lines=list(result.lines)))
    for line in result.lines:
        shown = line if mask is None else mask.value(line)
        if json_lines:
            printer.line(json_line(shown))
        else:
            printer.line(text_line(shown, terminal=printer.out_tables, color=printer.out_color))
        if printer.out.dead:
            break  # nobody reads any more
    printer.rest(result)
    return result.exit_status


def history(printer: Printer, result: History, *, json_lines: bool, full: bool) -> int:
    """Show what happened to a thread, entry by entry; the exit status."""
    from durajob.render.past import Shape, json_line, text_lines

    mask = printer.mask()
    if mask is not None:
        mask.learn(result.input)
    if printer.json:
        return printer.result(result._replace(entries=list(result.entries)))
    width = None if full or not printer.out_tables else printer.out.size()[0]
    shape = Shape(printer.out_tables, printer.out_color, width, full, printer.out.shown)

    def lines() -> Iterator[str]:
        for entry in () if printer.quiet else result.entries:
            shown = entry if mask is None else mask.value(entry)
            yield from (json_line(shown),) if json_lines else text_lines(shown, shape)

    printer.lines(lines())
    printer.rest(result)
    return result.exit_status


def watched(
    printer: Printer, result: Watching, painter: Callable[[], Painter], *, json_lines: bool
) -> int:
    """Show a thread as it changes, until it has ended or nobody reads; the exit status."""
    from durajob.render import watched as view

    mask = printer.mask()
    changes = result.changes if mask is None else map(mask.value, result.changes)
    if json_lines:
        view.stream(changes, printer.out, printer.line)
        return result.exit_status
    if printer.json or printer.quiet:
        for _ in changes:
            pass
        return printer.result(result.end())
    view.paint(changes, painter(), printer.out)
    if not printer.out.dead:
        end = printer.masked(result.end())
        printer.line(printer.summary(end.thread, None))
        printer.rest(end)
    return result.exit_status


def why(printer: Printer, result: Why) -> int:
    """Say why a thread stands where it stands; both the sentence and the command are data."""
    mask = printer.mask()
    if mask is not None:
        mask.learn(result.input)
        result = mask.value(result)
    cause = result.cause
    commands = [None if c is None else printer.complete(c) for c in (cause.command, cause.look)]
    if printer.json:
        cause = cause._replace(command=commands[0], look=commands[1])
        return printer.result(result._replace(cause=cause))
    if not printer.quiet:
        look = marks.THREAD[result.status].style if printer.out_color else ""
        printer.line(marks.paint(one_line(cause.sentence), look))
        for label, command in zip(("next", "look"), commands, strict=True):
            if command is not None:
                told = marks.paint(command, marks.HINT if printer.out_color else "")
                printer.line(f"  {label}: {told}")
    return result.exit_status


def timeline(printer: Printer, result: Timeline) -> int:
    """Show when each attempt ran, as bars on a terminal; the exit status."""
    if printer.json or printer.quiet or not printer.out_tables or result.page is not None:
        return printer.result(result)
    from durajob.render.bars import bar_lines

    result = printer.masked(result)
    for line in bar_lines(result, width=printer.out.size()[0], color=printer.out_color):
        printer.line(line)
    printer.rest(result)
    return result.exit_status


def webpage(printer: Printer, result: Timeline, *, made_by: str) -> str:
    """The timeline as a page."""
    from durajob.render.webpage import webpage as drawn

    return drawn(printer.masked(result), made_by=made_by)


def graph(printer: Printer, result: Picture) -> int:
    """Show a picture of a graph; the exit status."""
    if printer.json or printer.quiet:
        return printer.result(result)
    from durajob.render import drawn

    if result.form == "mermaid":
        printer.out.write(drawn.mermaid(result))
    elif result.form == "svg":
        from durajob.render.svg import svg

        printer.out.write(svg(result))
    else:
        tables, color = printer.out_tables, printer.out_color
        if result.thread is not None:
            printer.line(drawn.head_line(result.thread, color=color, drawn=tables))
        width = printer.out.size()[0]
        for line in drawn.tree_lines(result, width=width, color=color, drawn=tables):
            printer.line(line)
    return result.exit_status


def ticked(printer: Printer, result: Ticked) -> int:
    """Show what a tick did; what a person has to know is told even when quiet."""
    if not printer.json:
        for alert in printer.masked(result.alerts):
            printer.say_error(alert.error.message)
            printer.say_log(alert.log, alert.tail)
            hint = alert.error.hint or ""
            label = invitation(hint) if hint.startswith("durajob ") else "hint"
            printer.say_hint(label, hint)
    return printer.result(result)


def recovered(printer: Printer, outcome: Recovered) -> None:
    """Show how one of several threads ended, as it ends."""
    if printer.json:
        return
    outcome = printer.masked(outcome)
    thread, error = outcome.thread, outcome.error
    if error is not None:
        paused = thread.status in PAUSES
        printer.say_error(error.message, "" if paused else "error: ")
        printer.say_hint(invitation(error.hint), error.hint)
    elif not printer.quiet:
        taken = thread.status is not ThreadStatus.COMPLETED
        text = f"{thread.thread} was taken by another process; left alone"
        printer.line(text if taken else printer.summary(thread, None))
