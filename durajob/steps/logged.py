"""What a step says through ``logging``, kept with what it prints.

A handler of the root logger, where the user's code has set up none of its own. It is on while
steps run, here or in a worker process.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from durajob.steps.context import current

_LEVEL = logging.INFO
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@contextmanager
def logging_to_steps(out: Any, err: Any) -> Iterator[None]:
    """Have records end up in the log of the step that made them.

    ``out`` and ``err`` are the standard streams that were there before: a handler that users'
    code has pointed at one of them goes on with today's, which knows the step.
    """
    root = logging.getLogger()
    moved = _move_handlers({id(out): sys.stdout, id(err): sys.stderr})
    handler, level = _ToStep(), root.level
    own = not root.handlers
    if own:
        root.addHandler(handler)
        if level in (logging.NOTSET, logging.WARNING):
            root.setLevel(_LEVEL)
    try:
        yield
    finally:
        if own:
            root.removeHandler(handler)
            root.setLevel(level)
        for each, stream in moved:
            each.stream = stream


def _move_handlers(streams: dict[int, Any]) -> list[tuple[Any, Any]]:
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    moved = []
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and id(handler.stream) in streams:
                moved.append((handler, handler.stream))
                handler.stream = streams[id(handler.stream)]
    return moved


class _ToStep(logging.Handler):
    """Puts a record into the log of the step that is running where it was made."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: what cannot be formatted is told by ``logging`` itself."""
        try:
            context = current.get()
            if context is None:
                if record.levelno >= logging.WARNING:
                    sys.stderr.write(f"{_text(record, self)}\n")
                return
            context.print(f"{_text(record, self)}\n", "log")
        except Exception:
            self.handleError(record)


def _text(record: logging.LogRecord, handler: logging.Handler) -> str:
    text = f"{record.levelname} {record.name}: {record.getMessage()}"
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    if extra:
        text += " " + json.dumps(extra, default=repr, ensure_ascii=False)
    if record.exc_info:
        formatter = handler.formatter or logging.Formatter()
        text += "\n" + formatter.formatException(record.exc_info)
    return text
