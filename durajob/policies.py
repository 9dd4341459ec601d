"""What durajob does around a step, as a workflow or workflows.toml asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """When and how a failed step is tried again; what to retry on is always said."""

    attempts: int = 3
    wait: float = 1.0  # seconds before the second attempt
    factor: float = 2.0  # each further wait is so many times longer
    max_wait: float = 300.0
    jitter: bool = True  # each wait is a random part of its length, from half to all of it
    on: tuple[type[BaseException] | str | Callable[[BaseException], bool], ...]
    """Classes, names (``ConnectionError``, ``module:Class``) or predicates."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepPolicy:
    """What durajob does around one step."""

    retry: RetryPolicy | None = None
    max_crashes: int | None = None  # so often in a row it may kill its process
