"""How an attempt ends that did not end by itself: past its limit, or with its process.

Both are kinds of builtin exceptions, so that a retry names them without importing anything:
``on = ["TimeoutError", "ChildProcessError"]``.
"""

from __future__ import annotations


class StepTimeout(TimeoutError):
    """An attempt took longer than it may, or gave no sign of life for too long."""


class StepDied(ChildProcessError):
    """The process in which a step ran has died: of a signal, out of memory, by ``os._exit``."""
