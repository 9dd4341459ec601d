"""Figures of a store, for Prometheus: on standard output, or in a file that is replaced at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from durajob import __version__
from durajob.commands.whole_file import whole_file
from durajob.config.settings import Settings
from durajob.errors import NoStore
from durajob.measures import Measure, Measures, Sample
from durajob.model import AttemptStatus, ThreadStatus
from durajob.store.look import Look
from durajob.store.statistics import Statistics, statistics

_LASTING = (
    *(ThreadStatus.PENDING, ThreadStatus.INTERRUPTED, ThreadStatus.STOPPED),
    *(ThreadStatus.SLEEPING, ThreadStatus.WAITING, ThreadStatus.FAILED),
)
"""Statuses of which it matters how long a thread has them."""
_OUTCOMES = ("queued", "started", "skipped", "missed")
_NOTIFICATIONS = ("open", "sent", "dropped", "given_up")


def metrics(*, settings: Settings, output: str | None) -> Measures:
    """What the store holds, in figures. A store that is not there yet holds nothing.

    Raises:
        StoreError: when the store cannot be read.
        StorageError: when ``output`` cannot be written.
    """
    try:
        with Look(settings.store.path) as look:
            found, exists = statistics(look), True
    except NoStore:
        found, exists = _NOTHING, False
    result = Measures(
        measures=tuple(_measures(found, exists)), store=settings.store.url, output=output
    )
    if output is not None:
        from durajob.render.exposition import exposition

        path = Path(output)
        refusal = f"{path} cannot be written"
        hint = "--output names a file in a folder that is there and that you may write to"
        # Its reader is another user.
        with whole_file(path, refusal=refusal, hint=hint, mode=0o644) as file:
            file.write(exposition(result))
    return result


_NOTHING = Statistics(
    threads=Counter(),
    since={},
    wakes={},
    completed={},
    attempts=Counter(),
    notifications={},
    slots={},
    started={},
    size=0,
    log_size=0,
)


def _measures(found: Statistics, exists: bool) -> list[Measure]:
    workflows = sorted({workflow for workflow, _ in found.threads})
    return [
        Measure(
            "durajob_info", "gauge", "The durajob that wrote this.",
            [Sample(1, {"version": __version__})],
        ),
        Measure(
            "durajob_store_exists", "gauge", "Whether there is a store yet.", [Sample(int(exists))]
        ),
        Measure("durajob_store_size_bytes", "gauge", "Of the store's file.", [Sample(found.size)]),
        Measure(
            "durajob_store_log_size_bytes", "gauge", "Of its write-ahead log.",
            [Sample(found.log_size)],
        ),
        Measure(
            "durajob_threads", "gauge", "Threads that the store holds.",
            [
                Sample(found.threads[workflow, status], _labels(workflow, status))
                for workflow in workflows
                for status in ThreadStatus
            ],
        ),
        Measure(
            "durajob_oldest_timestamp_seconds", "gauge",
            "When the thread that has had this status longest was last written.",
            [
                Sample(_seconds(found.since[workflow, status]), _labels(workflow, status))
                for workflow in workflows
                for status in _LASTING
                if (workflow, status) in found.since
            ],
        ),
        Measure(
            "durajob_next_wake_timestamp_seconds", "gauge", "When the first sleeping thread wakes.",
            [Sample(_seconds(at), {"workflow": name}) for name, at in sorted(found.wakes.items())],
        ),
        *_completed(found),
        Measure(
            "durajob_attempts", "gauge", "Attempts at steps that the store holds.",
            [
                Sample(found.attempts[workflow, status], _labels(workflow, status))
                for workflow in workflows
                for status in AttemptStatus
            ],
        ),
        *_slots(found),
        Measure(
            "durajob_notifications", "gauge", "Notifications that the store holds.",
            [
                Sample(found.notifications.get(status, 0), {"status": status})
                for status in _NOTIFICATIONS
            ],
        ),
    ]  # fmt: skip


def _completed(found: Statistics) -> list[Measure]:
    completed = sorted(found.completed.items())
    return [
        Measure(
            "durajob_last_success_timestamp_seconds", "gauge", "When a thread last completed.",
            [Sample(_seconds(each.last_at), {"workflow": name}) for name, each in completed],
        ),
        Measure(
            "durajob_last_duration_seconds", "gauge",
            "From start to end of the thread that completed last.",
            [Sample(_seconds(each.last), {"workflow": name}) for name, each in completed],
        ),
        _summary(
            "durajob_duration_seconds",
            "From start to end of the completed threads that the store holds.",
            {name: (each.threads, each.sum) for name, each in completed},
        ),
    ]  # fmt: skip


def _slots(found: Statistics) -> list[Measure]:
    started = sorted(found.started.items())
    scheduled = sorted({workflow for workflow, _ in found.slots})
    return [
        Measure(
            "durajob_slots", "gauge", "Slots of schedules that the store holds.",
            [
                Sample(
                    found.slots.get((workflow, outcome), 0),
                    {"workflow": workflow, "outcome": outcome},
                )
                for workflow in scheduled
                for outcome in _OUTCOMES
            ],
        ),
        Measure(
            "durajob_last_slot_timestamp_seconds", "gauge",
            "The latest slot that a tick has started.",
            [Sample(_seconds(each.last_at), {"workflow": name}) for name, each in started],
        ),
        Measure(
            "durajob_last_slot_late_seconds", "gauge", "How late the tick came to that slot.",
            [Sample(_seconds(each.last_late), {"workflow": name}) for name, each in started],
        ),
        _summary(
            "durajob_slot_late_seconds",
            "How late ticks came to the slots that they have started.",
            {name: (each.slots, each.sum) for name, each in started},
        ),
    ]  # fmt: skip


def _summary(name: str, help: str, found: Mapping[str, tuple[int, int]]) -> Measure:
    """Of each workflow how many there were, and their sum in microseconds."""
    samples = [
        Sample(value, {"workflow": workflow}, suffix)
        for workflow, (count, total) in found.items()
        for suffix, value in (("_count", count), ("_sum", _seconds(total)))
    ]
    return Measure(name, "summary", help, samples)


def _labels(workflow: str, status: ThreadStatus | AttemptStatus) -> dict[str, str]:
    return {"workflow": workflow, "status": status.value}


def _seconds(microseconds: int) -> float:
    return microseconds / 1_000_000
