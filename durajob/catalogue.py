"""What the commands that show the registry return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from durajob.model import ErrorInfo, Result
from durajob.record import Record


class WorkflowInfo(Record):
    """One workflow of the registry, as ``workflows`` and ``validate`` show it."""

    name: str
    source: str  # "built-in", or the path of the workflows.toml
    target: str
    description: str
    thread: str | None = None
    problem: ErrorInfo | None = None  # set by validate
    steps: tuple[str, ...] = ()  # set by validate


class Workflows(Result):
    """The answer to ``workflows`` and ``validate``."""

    workflows: Sequence[WorkflowInfo]
    file: str | None  # the workflows.toml in use


class Finding(Record):
    """One thing that ``doctor`` looked at."""

    check: str
    level: Literal["ok", "warning", "error"]
    message: str
    hint: str | None = None  # the cure


class Health(Result):
    """The answer to ``doctor``."""

    findings: Sequence[Finding]
    store: str  # its URL


class Initialised(Result):
    """The answer to ``init``."""

    created: Sequence[str]
