"""What is told of an event: the thread as JSON, a few words for an environment, a text."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from durajob import clock
from durajob.config.settings import Settings
from durajob.masking import Mask
from durajob.model import StepError, Thread
from durajob.record import Record
from durajob.registry import Definition
from durajob.render.objects import thread_object
from durajob.render.text import json_text
from durajob.store.files import log_folder
from durajob.store.logs import last_lines, log_path
from durajob.store.notifications import Notification
from durajob.store.outbox import About
from durajob.store.read import Reader

_LINES = 50  # of a log
_LONGEST_BODY = 10_000  # bytes of a ping; its end is kept
_LONGEST_TEXT = 4_000  # characters of a variable


HAPPENED = {
    "started": "has begun",
    "completed": "has completed",
    "failed": "has failed",
    "waiting": "waits for an answer",
    "stopped": "was stopped",
    "interrupted": "was interrupted",
}


class Message(Record):
    """What a command or a monitor is told."""

    event: str  # the event's id
    run: str  # the run's id, a UUID
    json: str
    environment: Mapping[str, str]
    folder: str  # where a command runs
    body: str


def message_of(
    notification: Notification,
    about: About | None,
    definition: Definition,
    settings: Settings,
    number: int,
) -> Message:
    """What is told, as the thread stands now; secrets are masked.

    Raises:
        DurajobError: when the store cannot be read.
    """
    thread: Thread | None = None
    lines: list[str] = []
    path = settings.store.path
    if about is not None:
        with Reader(path, known_before=True) as reader:
            thread = reader.find(about.thread, whole=True)
            lines = _lines(notification, reader, about.thread, path)
    mask = Mask(definition.secrets, os.environ)
    mask.learn(thread)
    thread = mask.value(thread)
    kept = notification.details.get("error")
    error = None if kept is None else mask.value(StepError(**kept))
    sentence = mask.text(_sentence(notification, thread, error))
    return Message(
        event=notification.event,
        run=_run_id(notification),
        json=json_text(thread_object(thread, whole=True) if thread else _slot_object(notification)),
        environment=_environment(notification, thread, error, sentence, settings, number)
        | _path(about),
        folder=_folder(about, definition),
        body=_cut("\n".join([sentence, *(mask.text(line) for line in lines)])),
    )


def _lines(notification: Notification, reader: Reader, thread: str, store: Path) -> list[str]:
    """The end of the log: of the attempt that failed, else of the last that have run."""
    if notification.name == "started":
        return []
    kept = notification.details.get("error")
    if kept is not None and kept.get("log"):
        return last_lines(Path(kept["log"]), _LINES)
    row, begun = reader.begun(thread)
    folder = log_folder(store) / str(row)
    found: list[str] = []
    for attempt in reversed(begun[-_LINES:]):
        log = log_path(folder, attempt.step, attempt.visit, attempt.attempt)
        found = [*last_lines(log, _LINES - len(found)), *found]
        if len(found) >= _LINES:
            break
    return found


def _sentence(notification: Notification, thread: Thread | None, error: StepError | None) -> str:
    if thread is None:
        slot, reason = notification.details.get("slot"), notification.details.get("reason")
        return f"workflow {notification.workflow} has missed its slot {slot}: {reason}"
    name, of = notification.name, f"thread {thread.thread}"
    if error is not None:
        where = f" in step {error.step}" if error.step else ""
        what = " ".join(f"{error.type}: {error.message}".split())
        return f"{of} failed{where}: {what[:1000]}"
    if name == "waiting" and thread.waiting_for:
        asked = thread.waiting_for[0]
        prompt = asked.prompt if isinstance(asked.prompt, str) else json_text(asked.prompt)
        return f"{of} waits for an answer: {' '.join(prompt.split())[:1000]}"
    return f"{of} {HAPPENED[name]}"


def _environment(
    notification: Notification,
    thread: Thread | None,
    error: StepError | None,
    sentence: str,
    settings: Settings,
    number: int,
) -> dict[str, str]:
    slot = thread.slot if thread else notification.details.get("slot")
    texts = {
        "EVENT": notification.name,
        "EVENT_ID": notification.event,
        "EVENT_AT": clock.to_rfc3339(notification.at),
        "TRY": str(number),
        "MESSAGE": sentence,
        "WORKFLOW": notification.workflow,
        "THREAD": thread.thread if thread else None,
        "SLOT": slot,
        "STEP": error.step if error else None,
        "ERROR": f"{error.type}: {error.message}" if error else None,
        "LOG": error.log if error else None,
        "STORE": settings.store.url,
        "FILE": str(settings.file) if settings.file else None,
    }
    # What an environment cannot hold is left out: a zero byte, a lone surrogate.
    return {
        f"DURAJOB_{name}": text[:_LONGEST_TEXT].replace("\0", "").encode(errors="replace").decode()
        for name, text in texts.items()
        if text
    }


def _path(about: About | None) -> dict[str, str]:
    path = about.environment.get("path") if about else None
    return {"PATH": path} if path else {}


def _folder(about: About | None, definition: Definition) -> str:
    """Where the thread was started; for a slot, beside the workflows.toml."""
    folders = (about.environment.get("cwd") if about else None, definition.base)
    return next((str(each) for each in folders if each and os.access(each, os.X_OK)), "/")


def _slot_object(notification: Notification) -> dict[str, Any]:
    return {
        "thread": None,
        "workflow": notification.workflow,
        "slot": notification.details.get("slot"),
        "reason": notification.details.get("reason"),
    }


def _run_id(notification: Notification) -> str:
    """The same for all that a monitor hears of one thread."""
    from hashlib import sha256

    store, *place = notification.event.split(":")
    of = place[0] if notification.row is not None else ":".join(place)
    return str(UUID(bytes=sha256(f"{store}:{of}".encode()).digest()[:16], version=5))


def _cut(text: str) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= _LONGEST_BODY else data[-_LONGEST_BODY:].decode("utf-8", "ignore")
