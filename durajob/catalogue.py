"""What the commands that show the registry return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from durajob.model import ErrorInfo, Result


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowInfo:
    """One workflow of the registry, as ``workflows`` and ``validate`` show it."""

    name: str
    source: str  # "built-in", or the path of the workflows.toml
    target: str
    description: str
    thread: str | None = None
    problem: ErrorInfo | None = None  # set by validate
    steps: tuple[str, ...] = field(default=())  # set by validate


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False, match_args=False)
class Workflows(Result):
    """The answer to ``workflows`` and ``validate``."""

    workflows: Sequence[WorkflowInfo]
    file: str | None  # the workflows.toml in use


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that ``doctor`` looked at."""

    check: str
    level: Literal["ok", "warning", "error"]
    message: str
    hint: str | None = None  # the cure


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False, match_args=False)
class Health(Result):
    """The answer to ``doctor``."""

    findings: Sequence[Finding]
    store: str  # its URL


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False, match_args=False)
class Initialised(Result):
    """The answer to ``init``."""

    created: Sequence[str]
