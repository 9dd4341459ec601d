"""Threads of slots: each slot has one of its own, within its workflow and beside others.

Said by rule, from the expression and the template, so that a thousand schedules are read soon.
Slots are only tried where the rule cannot tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from durajob.config.specs import WorkflowSpec
from durajob.config.template import (
    DEFAULT_TEMPLATE,
    render_pattern,
    render_thread_id,
    slot_directives,
)
from durajob.config.toml import Document
from durajob.cron import Cron
from durajob.errors import ConfigError, DurajobError

_VARIES = {"?": "0123456789", "!": "+-"}
"""What stands for a digit, or the sign of an offset, in a pattern of thread ids."""


def tells_apart(spec: WorkflowSpec, cron: Cron) -> bool:
    """Whether any two slots differ in what the template shows of them; False is no answer."""
    shown = slot_directives(spec.thread or DEFAULT_TEMPLATE)
    in_year = shown >= {"m", "d"} or "j" in shown
    date = shown >= {"G", "V", "u"} or (in_year and bool(shown & {"Y", "y"}))
    hour = "H" in shown or len(cron.hours) == 1
    minute = "M" in shown or len(cron.minutes) == 1
    return date and hour and minute


def check_threads(
    document: Document, name: str, spec: WorkflowSpec, slots: Sequence[datetime]
) -> None:
    """Refuse a template that gives two of these slots one thread, or could tell none apart."""
    key = ("workflows", name, "thread")
    template = spec.thread or DEFAULT_TEMPLATE
    if not slot_directives(template):
        raise document.error(
            key,
            "has no {slot:…} in it, so that all slots of the schedule would have one thread",
            hint=f"for example {name}-{{slot:%Y-%m-%d}}",
        )
    seen: dict[str, datetime] = {}
    for slot in slots:
        try:
            thread = render_thread_id(template, workflow=name, slot=slot, input=spec.input)
        except DurajobError as error:
            raise document.error(key, error.message, hint=error.hint) from error
        before = seen.setdefault(thread, slot)
        if before is not slot:
            raise document.error(
                key,
                f"gives the slots {before:%Y-%m-%d %H:%M} and {slot:%Y-%m-%d %H:%M} one thread",
                hint=f"for example {name}-{{slot:%Y-%m-%dT%H%M}}",
            )


def check_templates(
    document: Document, workflows: Mapping[str, WorkflowSpec]
) -> dict[str, ConfigError]:
    """The workflows whose slots could have the threads of another one's."""
    problems: dict[str, ConfigError] = {}
    seen = _Patterns()
    for name, spec in workflows.items():
        if spec.schedule is None:
            continue
        template = spec.thread or DEFAULT_TEMPLATE
        other = seen.add(render_pattern(template, workflow=name, input=spec.input), name)
        if other is not None:
            problems[name] = document.error(
                ("workflows", name, "thread"),
                f"could give slots of workflow {name} the threads of workflow {other}",
                hint="begin it with {workflow}-",
            )
    return problems


class _Patterns:
    """Patterns of thread ids, of which no two have a thread id in common."""

    def __init__(self) -> None:
        # By what would be left if every digit varied, then by which of them do: of those that
        # agree in both, only equal ones have something in common.
        self._names: dict[str, dict[str, dict[str, str]]] = {}

    def add(self, pattern: str, name: str) -> str | None:
        """The name of one before, which has a thread id in common with it."""
        digits = re.sub(r"[0-9]", "0", pattern)
        alike = self._names.setdefault(re.sub(r"[0-9+!-]", "?", digits), {})
        for kind, names in alike.items():
            if kind == digits:
                if pattern in names:
                    return names[pattern]
                continue
            for other, its_name in names.items():
                if _have_common(pattern, other):
                    return its_name
        alike.setdefault(digits, {})[pattern] = name
        return None


def _have_common(first: str, second: str) -> bool:
    return all(
        a == b or b in _VARIES.get(a, "") or a in _VARIES.get(b, "")
        for a, b in zip(first, second, strict=True)
    )
