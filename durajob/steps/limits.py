"""How an attempt ends that did not end by itself."""

from __future__ import annotations


class StepTimeout(TimeoutError):
    """An attempt took longer than it may, or gave no sign of life for too long."""
