"""What somebody is to be told of: noted by the commit that makes it so, and kept until told.

A notification is one event told by one means: a command, or a ping. Whoever delivers it holds
its byte of the lock file meanwhile, and so does the command that it runs: so it is delivered by
one process at a time, and a process that dies lets go of it. It counts as sent once that is
committed; where the process dies before, it is delivered once more, under the same event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from durajob import clock
from durajob.model import StepError
from durajob.policies import NotifyPolicy
from durajob.store import outbox_queries as queries


class Notification(NamedTuple):
    """One that is due."""

    id: int
    event: str  # the same for all means and tries
    means: str
    name: str
    workflow: str
    row: int | None
    epoch: int | None
    definition: str  # JSON
    details: Mapping[str, Any]
    at: int
    tries: int  # before this one


class Announcer:
    """Notes what becomes of one thread, in the transactions that make it so."""

    def __init__(self, policy: NotifyPolicy, *, row: int, workflow: str, definition: str) -> None:
        self.policy = policy
        self._row = row
        self._workflow = workflow
        self._definition = definition

    @staticmethod
    def of(
        policy: NotifyPolicy | None, *, row: int, workflow: str, definition: str
    ) -> Announcer | None:
        """None where nobody is to be told of anything."""
        if policy is None:
            return None
        return Announcer(policy, row=row, workflow=workflow, definition=definition)

    def announce(
        self, cursor: Any, name: str, *, epoch: int, error: StepError | None = None
    ) -> None:
        """Note that the run of ``epoch`` has begun, or how it ended, if anybody wants to know."""
        means = self.policy.means(name)
        if not means:
            return
        values = {
            "event": f":{self._row}:{epoch}:{name}",
            "name": name,
            "workflow": self._workflow,
            "id": self._row,
            "epoch": epoch,
            "definition": self._definition,
            "details": json.dumps({"error": None if error is None else error._asdict()}),
        }
        _note(cursor, means, values)


def announce_missed(
    cursor: Any, policy: NotifyPolicy, *, workflow: str, definition: str, slot: str, reason: str
) -> None:
    """Note that a slot was missed, in the transaction that settles it.

    ``definition`` is as a thread's row has it: JSON of the workflow's name and file.
    """
    values = {
        "event": f":{workflow}:{slot}:missed",
        "name": "missed",
        "workflow": workflow,
        "id": None,
        "epoch": None,
        "definition": definition,
        "details": json.dumps({"slot": slot, "reason": reason}),
    }
    _note(cursor, policy.means("missed"), values)


def _note(cursor: Any, means: Sequence[str], values: Mapping[str, Any]) -> None:
    now = clock.now()
    if "ping" in means:
        cursor.execute(queries.HASTEN_PINGS, {"now": now, "workflow": values["workflow"]})
    for each in means:
        cursor.execute(queries.NOTIFY, {**values, "means": each, "now": now})
