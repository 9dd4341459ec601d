"""Admitting a thread: its row is durable before anything of it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durajob.engine import environment
from durajob.engine.graph import Shape
from durajob.registry import Definition


def thread_row(
    thread: str,
    *,
    definition: Definition,
    shape: Shape,
    input: Mapping[str, Any],
    file: str | None,
    slot: str | None,
) -> dict[str, Any]:
    """The row of a new thread, as it is admitted."""
    return {
        "thread": thread,
        "workflow": definition.name,
        "input": environment.dumps(dict(input)),
        "next": environment.dumps(shape.entries),
        "total": shape.total,
        "slot": slot,
        **definition_columns(definition, shape, file),
    }


def definition_columns(definition: Definition, shape: Shape, file: str | None) -> dict[str, Any]:
    """How a row says what it runs, and under what: written at admission and at each claim."""
    name = definition.target if definition.source == "target" else definition.name
    return {
        "definition": environment.dumps({"name": name, "file": file}),
        "shape": environment.dumps(dict(shape.parts)),
        "fingerprint": shape.fingerprint,
        "environment": environment.dumps(environment.describe(file)),
    }
