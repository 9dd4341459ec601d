"""What durajob does around a step, as a workflow or workflows.toml asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from durajob.record import Record


class RetryPolicy(Record):
    """When and how a failed step is tried again; what to retry on is always said."""

    attempts: int = 3
    wait: float = 1.0  # seconds before the second attempt
    factor: float = 2.0  # each further wait is so many times longer
    max_wait: float = 300.0
    jitter: bool = True  # each wait is a random part of its length, from half to all of it
    total: float | None = None  # seconds from the first attempt's start; none begins later
    on: tuple[type[BaseException] | str | Callable[[BaseException], object], ...] = ()
    """Classes, predicates, or their names (``ConnectionError``, ``module:name``)."""
    on_exit: tuple[int, ...] = ()
    """Exit codes of a program that the step ran, or of a ``sys.exit()``."""


class LockPolicy(Record):
    """A lock of the store that a step holds while an attempt of it runs."""

    name: str
    limit: int = 1  # so many may hold it at once
    wait: float | None = None  # seconds; None for as long as it takes


MAX_HOLDERS = 1000
"""The largest ``limit`` of a lock."""
LOCK_NAME_RULE = "a lock's name is 1 to 500 characters, all of them printable"


def is_lock_name(name: object) -> bool:
    """Whether ``name`` obeys LOCK_NAME_RULE."""
    return isinstance(name, str) and 1 <= len(name) <= 500 and name.isprintable()


class Compensation(Record):
    """What undoes a step that has finished, when its thread fails for good or is cancelled."""

    run: Callable[[Any, Any], Any] | str
    """Called with what the step was given and what it returned; text is a target, or the
    command of a step that is one."""
    retry: RetryPolicy | None = None
    timeout: float | None = None  # seconds that one attempt may take
    isolate: bool = False  # whether it runs in a process of its own, limit or not


class StepPolicy(Record):
    """What durajob does around one step."""

    retry: RetryPolicy | None = None
    max_crashes: int | None = None  # so often in a row it may kill its process
    lock: LockPolicy | None = None
    delay: float | None = None  # seconds from when the step is due to when it begins
    compensate: Compensation | None = None
    timeout: float | Callable[[Any], float] | None = None
    """Seconds that one attempt may take, or what tells them from the state."""
    idle_timeout: float | None = None  # seconds that it may go without a sign of life
    isolate: bool | None = None  # whether it runs in a process of its own; None: not said


class NotifyPolicy(Record):
    """Who is told of what becomes of a workflow's threads."""

    commands: Mapping[str, str]  # by event: failed, completed, waiting, interrupted, missed
    pings: Mapping[str, str]  # URLs of a monitor, by kind: start, success, failure, log
    run_ids: bool  # whether a ping says which run it belongs to, as ``rid``
    method: str  # of the pings
    timeout: float  # seconds that a command or a ping may take

    def means(self, event: str) -> tuple[str, ...]:
        """How the event is told of: by a ``command``, by a ``ping``."""
        command = ("command",) if event in self.commands else ()
        return (*command, "ping") if PINGS.get(event) in self.pings else command


PINGS: Mapping[str, str] = {
    "started": "start",
    "completed": "success",
    "failed": "failure",
    "waiting": "log",
    "stopped": "log",
    "interrupted": "log",
    "missed": "log",
}
"""The kind of ping that tells a monitor of an event."""


class ShellApproval(Record):
    """What a person is asked before a command runs."""

    prompt: str
    schema: Mapping[str, Any] | None  # JSON Schema that the answer must fit
    expires: float | None  # seconds from when it is first asked; the step fails then


class ShellStep(Record):
    """A step that is a shell command, as workflows.toml has it."""

    name: str
    run: str
    needs: tuple[str, ...]  # the steps that must have finished first
    shell: tuple[str, ...]  # the program and its options; the command comes last
    cwd: str | None  # absolute; None for the folder that the thread was started in
    env: Mapping[str, str]
    when: str | None  # a command: exit status 0 for yes, 1 for no
    foreach: str | None  # the key of the list in the state
    timeout: float | None  # seconds
    idle_timeout: float | None  # seconds without a sign of life
    grace: float  # seconds between being asked to end and being killed
    compensate: ShellStep | None = None  # the command that undoes it
    approval: ShellApproval | None = None


GRACE = 5 * 60.0
"""Seconds that a tick may be late for a slot before the slot counts as missed."""


class Schedule(Record):
    """When slots of a workflow are due, and what becomes of those that cannot be run in time."""

    cron: str
    timezone: str
    start: int | None = None  # microseconds: no slot is earlier
    end: int | None = None  # nor later
    jitter: float = 0.0  # seconds: each slot is due so much later at most
    catchup: float = 3600.0  # seconds: a slot that is later is not run any more
    missed: str = "latest"  # of the missed ones: none, the latest, or all are run
    overlap: str = "skip"  # while the slot before still runs: skip, or queue
