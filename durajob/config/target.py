"""Targets: where a workflow's graph is found, as text.

``./file.py:name`` names an attribute of a file, ``package.module:name`` one of a module. This is
the grammar only; the registry loads what is named.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from durajob.config.names import is_workflow_name
from durajob.record import Record

TARGET_RULE = "a target is ./file.py:name or package.module:name"

_NOTHING_SAID = frozenset(
    {
        "app", "build", "build_graph", "builder", "compiled", "create_graph", "flow", "get_graph",
        "graph", "main", "make_graph", "pipeline", "workflow", "workflows", "__init__", "__main__",
    }
)  # fmt: skip
"""Names that every other file gives its graph, and so no label for a thread."""


class Target(Record):
    """A target taken apart: exactly one of ``file`` and ``module`` is set."""

    file: str | None = None
    module: str | None = None
    attribute: str  # may be dotted

    def __str__(self) -> str:
        return f"{self.file or self.module}:{self.attribute}"

    def within(self, base: Path) -> Target:
        """The same target with its file made absolute, so that it means the same anywhere."""
        if self.file is None:
            return self
        return self._replace(file=os.path.abspath(base / self.file))

    @property
    def labels(self) -> tuple[str, ...]:
        """Names for the workflow, the best first; each obeys the rule for workflow names."""
        place = Path(self.file) if self.file else Path(*(self.module or "").split("."))
        stem = place.stem if self.file else place.name
        attribute = self.attribute.rpartition(".")[2]
        parts = (attribute, stem, place.parent.name)
        said = [name for name in parts if name and name not in _NOTHING_SAID]
        candidates = (*said[:1], stem, f"{stem}.{attribute}")
        return tuple(dict.fromkeys(_label(name) for name in candidates))


def parse_target(text: str) -> Target:
    """Take a target apart.

    Raises:
        ValueError: when it is none; the message says what is missing.
    """
    place, colon, attribute = text.rpartition(":")
    if not colon or not place:
        raise ValueError(f"{text!r} does not say which name in it: {TARGET_RULE}")
    if not all(part.isidentifier() for part in attribute.split(".")):
        raise ValueError(f"{attribute!r} is no Python name: {TARGET_RULE}")
    if "\0" in place:
        raise ValueError(f"{text!r} holds a zero byte: {TARGET_RULE}")
    if "/" in place or place.endswith(".py"):
        return Target(file=place, attribute=attribute)
    if not all(part.isidentifier() for part in place.split(".")):
        raise ValueError(f"{place!r} is neither a file (./{place}) nor a module: {TARGET_RULE}")
    return Target(module=place, attribute=attribute)


def _label(name: str) -> str:
    label = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:100]
    return label if is_workflow_name(label) else "workflow"
