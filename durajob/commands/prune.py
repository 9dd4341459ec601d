"""``durajob prune``: what is deleted, by the options or by ``[retention]``.

What is chosen has ended and can never run again. Of threads that stay, the checkpoints go that
no resume needs; one that somebody drives is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from durajob import clock
from durajob.config.settings import Settings
from durajob.durations import counted, parse_duration
from durajob.errors import ConfigError, NoStore, UsageError
from durajob.pruning import Left, Pruned
from durajob.store.agenda import DAY
from durajob.store.prune import Ended, Overview, Pruner, Size, Thinned

if TYPE_CHECKING:
    from durajob.config.specs import RetentionSpec

STATUSES = ("completed", "cancelled", "failed")
_TOLD = 100  # threads that stay, and why
_WORTH_IT = 1_000_000  # bytes
_ALL_TIME = 1 << 62  # later than any time


class Rule(NamedTuple):
    """How long threads of a workflow stay, in seconds since they ended; None: for ever."""

    completed: float | None = None
    cancelled: float | None = None
    failed: float | None = None  # and compensated; what can be resumed always stays
    checkpoints: float | None = None  # spent ones, since the thread was last touched
    keep: int = 0  # of the threads that have ended, so many of the newest stay


NOTHING = Rule()


class Rules(NamedTuple):
    """Rules by workflow, and that for all others."""

    by_workflow: Mapping[str, Rule]
    otherwise: Rule
    said: bool = False  # in workflows.toml: then old rows of the ledger of slots go, too

    def of(self, workflow: str) -> Rule:
        """The rule for a workflow."""
        return self.by_workflow.get(workflow, self.otherwise)

    @property
    def thin(self) -> bool:
        """Whether spent checkpoints go at all."""
        return any(
            rule.checkpoints is not None for rule in (self.otherwise, *self.by_workflow.values())
        )


class Plan(NamedTuple):
    """What is to be deleted."""

    threads: Sequence[tuple[Ended, Size]]
    thinned: Sequence[Thinned]
    orphans: Sequence[tuple[Path, int]]  # folders that belong to no thread, and their bytes
    left: Sequence[Left]


def prune(
    *,
    settings: Settings,
    older_than: str | None = None,
    status: Sequence[str] = (),
    workflow: str | None = None,
    dry_run: bool = False,
    compact: bool = False,
) -> Pruned:
    """Delete what the options choose; without ``older_than`` and ``status``, what
    ``[retention]`` says; without that, all that has ended.

    Raises:
        UsageError: when a status or a duration is not one.
    """
    rules = _rules(settings, older_than, status, workflow)
    try:
        plan = _plan(settings, rules, explain="failed" in status)
    except NoStore:
        return _result(settings, Plan((), (), (), ()), dry_run=dry_run)
    if dry_run:
        return _result(settings, plan, dry_run=True)
    return _carry_out(settings, plan, rules, compact=compact)


def follow_retention(*, settings: Settings, seconds: float) -> Pruned | None:
    """Delete what ``[retention]`` names, within so many seconds; for ``tick``.

    None where there is no such table or no store, or all was done within the last day. What
    there was no time for is left to the next call.
    """
    rules = _retention(settings)
    if rules is None:
        return None
    deadline = clock.monotonic() + seconds
    path = settings.store.path
    try:
        with Overview(path) as overview:
            last = overview.pruned_at()
        if last is not None and 0 <= clock.now() - last < DAY:
            return None
        plan = _plan(settings, rules)
    except NoStore:
        return None
    return _carry_out(settings, plan, rules, deadline=deadline, note=True)


def has_retention(settings: Settings) -> bool:
    """Whether workflows.toml names something to be pruned; noted in the store where not, so that
    nobody asks again within a day."""
    try:
        found = _retention(settings) is not None
    except ConfigError:
        return False
    if not found:
        pruner = Pruner(settings.store.path)
        try:
            pruner.note_no_retention()
        finally:
            pruner.close()
    return found


def chosen(threads: Sequence[Ended], rules: Rules, now: int) -> list[Ended]:
    """The threads that have ended and that the rules no longer keep, oldest first."""
    kept: dict[str, int] = {}
    found = []
    for thread in reversed(threads):
        if not thread.ended:
            continue
        rule = rules.of(thread.workflow)
        kept[thread.workflow] = kept.get(thread.workflow, 0) + 1
        age = getattr(rule, thread.status)
        if kept[thread.workflow] > rule.keep and age is not None and _is_before(thread, now, age):
            found.append(thread)
    return found[::-1]


def _is_before(thread: Ended, now: int, age: float) -> bool:
    # After a clock was set back, what has just ended lies in the future.
    return age == 0.0 or thread.at <= now - round(age * 1_000_000)


def _plan(settings: Settings, rules: Rules, *, explain: bool = False) -> Plan:
    path = settings.store.path
    now = clock.now()
    with Overview(path) as overview:
        ended = overview.ended()
        found = chosen(ended, rules, now)
        threads = [
            (thread, overview.size(thread.row, thread.thread))
            for thread in found
            if not thread.untold
        ]
        going = {thread.row for thread, _ in threads}
        before = {name: _before(rule.checkpoints, now) for name, rule in rules.by_workflow.items()}
        otherwise = _before(rules.otherwise.checkpoints, now)
        spent = overview.spent(before, otherwise) if rules.thin else []
        orphans = overview.orphans()
    return Plan(
        threads=threads,
        thinned=[each for each in spent if each.row not in going],
        orphans=orphans,
        left=[
            *(Left(each.thread, "its end is still to be told") for each in found if each.untold),
            *(
                Left(each.thread, f"it can still run; to end it: durajob cancel {each.thread}")
                for each in (ended if explain else ())
                if not each.ended and rules.of(each.workflow).failed is not None
            ),
        ],
    )


def _carry_out(
    settings: Settings,
    plan: Plan,
    rules: Rules,
    *,
    compact: bool = False,
    deadline: float | None = None,
    note: bool = False,
) -> Pruned:
    path = settings.store.path
    before = _length(path)
    pruner = Pruner(path, deadline=deadline)
    try:
        gone = {each.row for each in pruner.delete(plan.threads)}
        thinned = list(pruner.thin(plan.thinned))
        slots = 0
        if rules.said:
            now = clock.now()
            slots = pruner.forget_slots(lambda workflow: _before(rules.of(workflow).completed, now))
        swept = pruner.sweep(plan.orphans)
        free = pruner.give_back()
        if compact:
            pruner.compact()
            free = 0
        notes = _notes(free, fixed=pruner.is_fixed(), late=pruner.is_late, slots=slots)
        held = [
            Left(thread.thread, "another process holds it")
            for thread, _ in plan.threads
            if thread.row not in gone and not pruner.is_late
        ]
        if note and not pruner.is_late:
            pruner.note_pruned()
    finally:
        pruner.close()
    done = Plan(
        threads=[(thread, size) for thread, size in plan.threads if thread.row in gone],
        thinned=thinned,
        orphans=swept,
        left=[*plan.left, *held],
    )
    return _result(settings, done, freed=max(before - _length(path), 0), notes=notes)


def _result(
    settings: Settings,
    plan: Plan,
    *,
    dry_run: bool = False,
    freed: int = 0,
    notes: tuple[str, ...] = (),
) -> Pruned:
    statuses: dict[str, int] = {}
    for thread, _ in plan.threads:
        statuses[thread.status] = statuses.get(thread.status, 0) + 1
    return Pruned(
        threads=len(plan.threads),
        statuses=statuses,
        checkpoints=sum(each.checkpoints for each in plan.thinned),
        folders=len(plan.orphans),
        bytes=sum(size.bytes + size.folders for _, size in plan.threads)
        + sum(each.bytes for each in plan.thinned)
        + sum(size for _, size in plan.orphans),
        freed=freed,
        left=plan.left[:_TOLD],
        store=settings.store.url,
        dry_run=dry_run,
        notes=notes,
    )


def _notes(free: int, *, fixed: bool, late: bool, slots: int) -> tuple[str, ...]:
    notes = []
    if slots:
        notes.append(f"{counted(slots, 'row')} of the ledger of slots deleted, too")
    if late:
        notes.append("the time for it was over; the rest goes the next time")
    if fixed and free > _WORTH_IT:
        notes.append(
            f"{free:,} bytes are free inside the store, and used again; this store was made by an "
            "earlier durajob: prune --compact shortens the file, while jobs wait"
        )
    return tuple(notes)


def _rules(
    settings: Settings, older_than: str | None, status: Sequence[str], workflow: str | None
) -> Rules:
    for each in status:
        if each not in STATUSES:
            raise UsageError(
                f"--status {each[:40]!r}: prune deletes what has ended",
                hint=f"--status takes {', '.join(STATUSES)}",
            )
    rules = _retention(settings) if older_than is None and not status else None
    if rules is None:
        age = _age(older_than)
        wanted = status or STATUSES
        rule = Rule(
            completed=age if "completed" in wanted else None,
            cancelled=age if "cancelled" in wanted else None,
            failed=age if "failed" in wanted else None,
            checkpoints=None if status else age,
        )
        rules = Rules({}, rule)
    if workflow is None:
        return rules
    return rules._replace(by_workflow={workflow: rules.of(workflow)}, otherwise=NOTHING)


def _age(text: str | None) -> float:
    try:
        return 0.0 if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--older-than: {error}", hint="for example --older-than 30d") from error


def _retention(settings: Settings) -> Rules | None:
    """What workflows.toml says; None where it says nothing."""
    if settings.file is None:
        return None
    from durajob.config.load import load_config
    from durajob.config.specs import RetentionSpec

    config = load_config(settings.file)
    own = {name: spec.retention for name, spec in config.workflows.items() if spec.retention}
    if config.retention is None and not own:
        return None
    general = config.retention or RetentionSpec()
    by_workflow = {name: _rule(said, general) for name, said in own.items()}
    return Rules(by_workflow, _rule(general), said=True)


def _rule(*given: RetentionSpec) -> Rule:
    """Each key from the first table that has it."""
    said = {
        name: next((getattr(each, name) for each in given if getattr(each, name) is not None), None)
        for name in Rule._fields
    }
    return Rule(**{name: value for name, value in said.items() if value is not None})


def _before(age: float | None, now: int) -> int | None:
    if age is None:
        return None
    return _ALL_TIME if age == 0.0 else now - round(age * 1_000_000)


def _length(path: Path) -> int:
    with suppress(OSError):
        return os.stat(path).st_size
    return 0
