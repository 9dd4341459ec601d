"""The end of a failed attempt's log, for whoever only reads what cron mails."""

from __future__ import annotations

from pathlib import Path

from durajob.model import StepError

_LINES = 10


def log_tail(error: StepError) -> tuple[str, ...]:
    """The last lines of the log of what failed; none where there is none, or it cannot be read.

    Of a command only what it said itself: where in durajob its end was noticed tells nobody
    anything.
    """
    if error.log is None:
        return ()
    from durajob.store.logs import last_lines

    streams = ("out", "err", "log") if error.type == "CommandFailed" else None
    return tuple(last_lines(Path(error.log), _LINES, streams=streams))
