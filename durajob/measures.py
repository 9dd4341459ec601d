"""What ``metrics`` measures, before it is written in anybody's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from durajob.model import Result


class Sample(NamedTuple):
    """One value. ``suffix`` tells the parts of a summary apart: _sum, _count."""

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


class Measure(NamedTuple):
    """Values of one kind."""

    name: str
    kind: str  # gauge or summary
    help: str
    samples: Sequence[Sample]


class Measures(Result):
    """The answer to ``metrics``."""

    measures: Sequence[Measure]
    store: str  # its URL
    output: str | None = None  # the file that it was written to
