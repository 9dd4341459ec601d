"""Delivering what is due, one after the other, and what comes of a try."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from durajob import clock
from durajob.config.settings import Settings
from durajob.errors import DurajobError, NotFound
from durajob.model import Thread
from durajob.notify.command import run_command
from durajob.notify.message import HAPPENED, Message, message_of
from durajob.policies import PINGS, NotifyPolicy
from durajob.registry import Definition, Registry
from durajob.store.notifications import Notification
from durajob.store.outbox import About, Outbox

FIRST_WAIT, LONGEST_WAIT = 30.0, 3600.0
"""Seconds until the second try; each further wait is twice as long."""
GIVEN_UP_AFTER = 86_400.0
"""Seconds after an event from which on nobody is told of it any more."""

Say = Callable[[str], None]
"""Hears, in a sentence, of what could not be delivered. Must not raise."""


def deliver_due(settings: Settings, say: Say) -> None:
    """Deliver every notification of the store that is due; never raises for what goes wrong."""
    try:
        outbox = Outbox(settings.store.path, create=False)
        try:
            _deliver_all(outbox, settings, say)
        finally:
            outbox.close()
    except (DurajobError, OSError) as error:
        say(f"notifications could not be delivered: {error}")


def note_interrupted(threads: Sequence[Thread], settings: Settings) -> bool:
    """Note of threads whose owner is gone that somebody is to be told so; once for each time.
    Whether anybody is.

    Whoever delivers next tells it. That a thread is interrupted is the caller's to know.
    """
    registries: dict[Path | None, Registry] = {}

    def policy(definition: str) -> NotifyPolicy | None:
        try:
            return _definition(definition, settings, registries).notify
        except DurajobError:
            return None  # whoever resumes the thread is told what is wrong there

    if not threads:
        return False
    outbox = Outbox(settings.store.path, create=False)
    try:
        return outbox.note_interrupted(threads, policy)
    finally:
        outbox.close()


def begin_delivering(settings: Settings, row: int, workflow: str) -> None:
    """Have a thread of this process tell a monitor that a run has begun, while that goes on."""
    deliver = partial(_deliver_start, settings, row, workflow)
    threading.Thread(target=deliver, name="durajob ping", daemon=True).start()


def _deliver_start(settings: Settings, row: int, workflow: str) -> None:
    """What the monitor has not heard yet comes first. What goes wrong here is told of, and tried
    again, at the end."""
    try:
        outbox = Outbox(settings.store.path, create=False)
        try:
            for notification in outbox.due():
                if (notification.means, notification.workflow) != ("ping", workflow):
                    continue
                if _deliver(outbox, notification, settings) is not None:
                    return
                if (notification.row, notification.name) == (row, "started"):
                    return
        finally:
            outbox.close()
    except (DurajobError, OSError):
        return


def _deliver_all(outbox: Outbox, settings: Settings, say: Say) -> None:
    stuck: set[str] = set()  # workflows whose monitor cannot be reached
    for notification in outbox.due():
        ping = notification.means == "ping"
        if ping and notification.workflow in stuck:
            continue
        error = _deliver(outbox, notification, settings)
        if error is None:
            continue
        say(error)
        if ping:
            stuck.add(notification.workflow)


def _deliver(outbox: Outbox, notification: Notification, settings: Settings) -> str | None:
    """One notification; what went wrong, for people."""
    try:
        definition = _definition(notification.definition, settings, {})
        policy = definition.notify
    except NotFound:
        return _drop(outbox, notification)  # the workflow was taken out of its file
    except DurajobError as error:
        trouble = str(error)
        return _try(outbox, notification, _happened(notification, None), lambda number: trouble)
    if policy is None or notification.means not in policy.means(notification.name):
        return _drop(outbox, notification)
    about = None if notification.row is None else outbox.about(notification.row)
    if _is_overtaken(notification, about):
        return _drop(outbox, notification)

    def send(number: int) -> str | None:
        message = message_of(notification, about, definition, settings, number)
        return _send(outbox, notification, policy, message)

    happened = _happened(notification, about)
    return _try(outbox, notification, happened, send, patience=policy.timeout)


def _is_overtaken(notification: Notification, about: About | None) -> bool:
    """Whether nobody is to hear of it any more: the thread was pruned, or a run that was to be
    told of as begun has ended; a monitor would wait for its end in vain."""
    if notification.row is None:
        return False
    if about is None:
        return True
    begun = notification.name == "started"
    return begun and (about.status, about.epoch) != ("running", notification.epoch)


def _try(
    outbox: Outbox,
    notification: Notification,
    happened: str,
    send: Callable[[int], str | None],
    *,
    patience: float = 0.0,
) -> str | None:
    with outbox.taken(notification, patience=patience) as ours:
        if not ours:
            return None
        number = notification.tries + 1
        wait = min(FIRST_WAIT * 2 ** min(notification.tries, 20), LONGEST_WAIT)
        again_at = clock.now() + round(wait * 1e6)
        outbox.begin(notification, again_at=again_at)
        try:
            error = send(number)
        except (DurajobError, OSError) as trouble:
            error = str(trouble)
        if error is None:
            outbox.end(notification, "sent")
            return None
        given_up = again_at - notification.at > GIVEN_UP_AFTER * 1e6
        if given_up:
            outbox.end(notification, "given_up", error)
        else:
            outbox.put_off(notification, error)
    whom = "a monitor" if notification.means == "ping" else "nobody"
    was = "was not told" if notification.means == "ping" else "was told"
    then = "it is given up" if given_up else f"it is tried again from {clock.to_rfc3339(again_at)}"
    return f"{whom} {was} that {happened}: {error}; {then}"


def _send(
    outbox: Outbox, notification: Notification, policy: NotifyPolicy, message: Message
) -> str | None:
    if notification.means == "command":
        return run_command(
            policy.commands[notification.name],
            message,
            timeout=policy.timeout,
            lock=outbox.locks.fd,
        )
    from durajob.notify.ping import send_ping  # HTTP is not for who pings nobody

    return send_ping(
        policy.pings[PINGS[notification.name]],
        message,
        run_id=policy.run_ids,
        method=policy.method,
        timeout=policy.timeout,
    )


def _drop(outbox: Outbox, notification: Notification) -> str | None:
    with outbox.taken(notification, patience=0.0) as ours:
        if ours:
            outbox.end(notification, "dropped")
    return None


def _definition(
    kept: str, settings: Settings, registries: dict[Path | None, Registry]
) -> Definition:
    """Today's: a wrong address that was mended is not tried again."""
    named = json.loads(kept)
    file = Path(named["file"]) if named["file"] else None
    if file is None or not file.exists():
        file = settings.file
    return registries.setdefault(file, Registry(file)).get(named["name"])


def _happened(notification: Notification, about: About | None) -> str:
    if notification.row is None:
        return f"workflow {notification.workflow} has missed {notification.details.get('slot')}"
    who = about.thread if about else f"of workflow {notification.workflow}"
    return f"thread {who} {HAPPENED[notification.name]}"
