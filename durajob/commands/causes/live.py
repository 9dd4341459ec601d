"""Causes of threads that somebody holds: an owner, one to be, or what an owner left behind."""

from __future__ import annotations

import os
from typing import Any

from durajob.cause import Cause
from durajob.commands.causes.facts import (
    Facts,
    error_details,
    error_text,
    flight_text,
    flown,
    time_text,
)
from durajob.model import LockWait, ThreadStatus
from durajob.store.holders import all_holders, holders
from durajob.store.processes import is_gone, is_stopped

# What holds a thread back, whatever its status.


def cancelling(facts: Facts) -> Cause | None:
    """A person wants it to end, and it has not yet."""
    found = facts.found
    if not found.cancelling or found.thread.is_final:
        return None
    user = "somebody" if found.cancelled is None else found.cancelled.user
    owner = found.thread.owner
    if owner is None:
        text = f"is to be cancelled, as {user} asked, and nobody carries that out"
        return Cause("to_be_cancelled", text, f"durajob cancel {facts.name}")
    text = f"is being cancelled, as {user} asked, by process {owner.pid}"
    look = f"durajob logs {facts.name} -f"
    return Cause("being_cancelled", text, look=look, details={"pid": owner.pid})


def left_behind(facts: Facts) -> Cause | None:
    """A program of a step outlived its owner, and keeps the lock."""
    found = facts.found
    if not found.held or found.owner is None or not is_gone(found.owner):
        return None
    left = holders(facts.store, found.id)
    if not left:
        return None
    told = ", ".join(f"process {each.pid} ({each.name})" for each in left[:3])
    text = f"is held by {told}, which its former owner left behind"
    return Cause(
        "left_behind",
        text,
        f"{facts.resume} --take-over",
        details={"pids": [each.pid for each in left]},
    )


def claimed(facts: Facts) -> Cause | None:
    """Somebody has the lock, and has not claimed it yet: it waits its turn, or loads the graph."""
    found, most = facts.found, facts.limits.max_running
    if not found.held or found.thread.status is ThreadStatus.RUNNING:
        return None
    pids = [each.pid for each in all_holders(facts.store, found.id)]
    by = f"process {pids[0]}" if pids else "a process"
    details = {"pids": pids}
    if most is not None and _seats(facts, most) >= most:
        text = f"waits its turn in {by}: {most} threads of this store run already (max_running)"
        look = "durajob list --status running"
        return Cause("waits_its_turn", text, look=look, details={**details, "max_running": most})
    return Cause("just_claimed", f"is just being claimed by {by}", details=details)


def _seats(facts: Facts, most: int) -> int:
    from durajob.store.files import lock_path
    from durajob.store.locks import LockFile

    locks = LockFile(lock_path(facts.store), create=False)
    try:
        return locks.count_seats(most)
    finally:
        locks.close()


# Running.


def owner_stopped(facts: Facts) -> Cause | None:
    """Its owner was stopped, as by Ctrl-Z."""
    owner = facts.found.owner
    if owner is None or owner["host"] != os.uname().nodename or not is_stopped(owner["pid"]):
        return None
    pid = owner["pid"]
    text = f"is driven by process {pid}, which somebody has stopped: it goes on with kill -CONT"
    return Cause("owner_stopped", text, f"{facts.resume} --take-over", details={"pid": pid})


def waits_for_lock(facts: Facts) -> Cause | None:
    """All that runs of it waits for a lock."""
    found = facts.found
    waiting = {wait.step for wait in found.locks}
    if not waiting or any(flight.step not in waiting for flight in found.flights):
        return None
    wait = found.locks[0]
    text = f"waits for lock {wait.name!r} in step {wait.step} since {time_text(wait.since)}: "
    by = next((each.thread for each in wait.holders if each.thread not in (None, facts.name)), None)
    more = f" (and for {len(found.locks) - 1} more)" if found.locks[1:] else ""
    return Cause(
        "waits_for_lock",
        text + _held_by(wait) + more,
        look=f"durajob why {by}" if by else None,
        details={
            "step": wait.step,
            "lock": wait.name,
            "holders": [_holder(h) for h in wait.holders],
        },
    )


def _held_by(wait: LockWait) -> str:
    if not wait.holders:
        return "others wait before it"
    first = wait.holders[0]
    more = f" and {len(wait.holders) - 1} more" if wait.holders[1:] else ""
    whose = "a thread that was pruned" if first.thread is None else f"thread {first.thread}"
    return f"step {first.step} of {whose} (process {first.pid}) holds it{more}"


def _holder(holder: Any) -> dict[str, Any]:
    return {**holder._asdict(), "since": time_text(holder.since)}


def sleeps_shortly(facts: Facts) -> Cause | None:
    """All that runs of it sleeps, for so short that its owner waits for it."""
    found, owner = facts.found, facts.found.thread.owner
    awake = any(flight.step not in found.sleepers for flight in found.flights)
    if found.asleep is None or awake or (found.backoffs and not found.flights):
        return None
    step, until = found.asleep
    text = f"sleeps in step {step} until {time_text(until)}, {_by(owner)}"
    details = {**_driver(owner), "step": step, "wake_at": time_text(until)}
    return Cause("sleeps_shortly", text, details=details)


def works(facts: Facts) -> Cause | None:
    """A step is running."""
    found, owner = facts.found, facts.found.thread.owner
    if not found.flights:
        return None
    first = found.flights[0]
    more = f" and {len(found.flights) - 1} more" if found.flights[1:] else ""
    text = (
        f"is running step {flight_text(first)}, since {time_text(first.since)}{more}, {_by(owner)}"
    )
    return Cause(
        "running",
        text,
        look=f"durajob logs {facts.name} -f",
        details={**_driver(owner), "steps": [flown(each) for each in found.flights[:20]]},
    )


def backs_off(facts: Facts) -> Cause | None:
    """A step that failed is tried again later."""
    found, owner = facts.found, facts.found.thread.owner
    if not found.backoffs:
        return None
    first = found.backoffs[0]
    of = f" of {first.max_attempts}" if first.max_attempts else ""
    text = (
        f"waits to try step {first.step} again at {time_text(first.due_at)}: attempt "
        f"{first.attempt}{of} failed with {error_text(first.error)}"
    )
    return Cause(
        "backs_off",
        text,
        look=f"durajob logs {facts.name} {first.step} --attempt {first.attempt}",
        details={**_driver(owner), "due_at": time_text(first.due_at), **error_details(first.error)},
    )


def between_steps(facts: Facts) -> Cause | None:
    """Nothing of it runs just now, but its owner does."""
    owner = facts.found.thread.owner
    text = f"is between two steps, {_by(owner)}"
    return Cause("running", text, look=f"durajob logs {facts.name} -f", details=_driver(owner))


def _by(owner: Any) -> str:
    return "" if owner is None else f"in process {owner.pid} on {owner.host}"


def _driver(owner: Any) -> dict[str, Any]:
    return {} if owner is None else {"pid": owner.pid, "host": owner.host}
