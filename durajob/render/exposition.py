"""Measures in the text format that Prometheus reads; prometheus-client writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from durajob.measures import Measures
from durajob.model import Result


def exposition(measures: Measures) -> str:
    """The text, with help and type of each measure, and labels escaped."""
    from prometheus_client import generate_latest

    return generate_latest(_Collected(measures)).decode()


def shown(result: Result) -> str:
    """What ``metrics`` prints: nothing where it has written a file."""
    return exposition(result) if isinstance(result, Measures) and result.output is None else ""


def measures_data(measures: Measures) -> dict[str, Any]:
    """The same for JSON."""
    shown = [
        {
            "name": measure.name,
            "type": measure.kind,
            "help": measure.help,
            "samples": [
                {
                    "name": measure.name + sample.suffix,
                    "labels": dict(sample.labels),
                    "value": sample.value,
                }
                for sample in measure.samples
            ],
        }
        for measure in measures.measures
    ]
    return {"measures": shown, "store": measures.store, "output": measures.output}


class _Collected:
    """What prometheus-client asks for its metrics: here, no more than a list of them."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    def collect(self) -> Iterator[Any]:
        from prometheus_client import Metric

        for measure in self._measures.measures:
            metric = Metric(measure.name, measure.help, measure.kind)
            for sample in measure.samples:
                metric.add_sample(measure.name + sample.suffix, dict(sample.labels), sample.value)
            yield metric
