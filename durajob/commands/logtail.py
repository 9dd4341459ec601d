"""The end of a failed attempt's log, for whoever only reads what cron mails."""

from __future__ import annotations

from pathlib import Path

from durajob.model import StepError

_LINES = 10


def log_tail(error: StepError) -> tuple[str, ...]:
    """The last lines of the log of what failed; none where there is none, or it cannot be read.

    Only what the step said itself: how it failed is told anyway, and its traceback in the log.
    """
    if error.log is None:
        return ()
    from durajob.store.logs import last_lines

    return tuple(last_lines(Path(error.log), _LINES, streams=("out", "err", "log")))
