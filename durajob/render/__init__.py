"""Results and events made visible: JSON, plain lines, tables, a live view.

Knows the model and nothing that produces it. Rich is imported only by ``tables`` and
``live``, and those are imported only when something is really drawn on a terminal. What shows
one kind of result is imported when one is shown; ``VIEWS`` says where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple


class View(NamedTuple):
    """What shows one kind of result: functions of this package, as ``module:function``."""

    data: str  # of a result, what stands under ``data`` of its envelope
    page: str | None = None  # of a result, now and whether a terminal reads it, the blocks


VIEWS: Mapping[str, View] = {
    "Approvals": View("objects:approvals", "lists:approvals"),
    "ComingSlots": View("slots:coming_data", "slots:coming_page"),
    "Exports": View("keeping:exports_data"),
    "Health": View("catalogue:health_data", "catalogue:health_page"),
    "History": View("past:history_data"),
    "Imports": View("keeping:imports_data"),
    "Initialised": View("catalogue:initialised_data", "catalogue:initialised_page"),
    "Installation": View("slots:installation_data"),
    "Logs": View("loglines:logs_data"),
    "Measures": View("exposition:measures_data"),
    "Overview": View("objects:overview", "lists:overview"),
    "Picture": View("drawn:picture_data"),
    "Plan": View("plans:plan_data", "plans:plan_page"),
    "Pruned": View("keeping:pruned_data", "keeping:pruned_page"),
    "Recovery": View("objects:recovery", "lists:recovery"),
    "SlotList": View("slots:slots_data", "slots:slots_page"),
    "ThreadList": View("objects:thread_list", "lists:thread_list"),
    "ThreadResult": View("objects:thread_result", "pages:thread_page"),
    "Ticked": View("slots:ticked_data", "slots:slots_page"),
    "Timeline": View("bars:timeline_data", "bars:timeline_page"),
    "Why": View("objects:why"),
    "Workflows": View("catalogue:workflows_data", "catalogue:workflows_page"),
}
"""By the name of the result's type."""


def found(where: str) -> Any:
    """The function that stands there; its module is imported if it is not yet."""
    module, _, name = where.partition(":")
    return getattr(import_module(f"{__name__}.{module}"), name)
