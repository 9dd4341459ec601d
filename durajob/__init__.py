"""durajob: a crash-proof command-line job runner over LangGraph.

What a workflow's author imports stands here, and comes when it is asked for: the command
line imports this package too, and most commands need none of it.
"""

from __future__ import annotations

# typing takes long to import, and until durajob.__main__ is there, Python answers Ctrl-C itself.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from durajob.errors import ApprovalExpired
    from durajob.steps.approval import approval
    from durajob.steps.heartbeat import heartbeat
    from durajob.steps.lock import LockTimeout, lock
    from durajob.steps.once import idempotency_key, once
    from durajob.steps.progress import progress, track
    from durajob.steps.sleep import sleep
    from durajob.workflow import Workflow

    __version__: str

__all__ = [
    "ApprovalExpired",
    "LockTimeout",
    "Workflow",
    "__version__",
    "approval",
    "heartbeat",
    "idempotency_key",
    "lock",
    "once",
    "progress",
    "sleep",
    "track",
]

_HOMES = {
    "ApprovalExpired": "durajob.errors",
    "LockTimeout": "durajob.steps.lock",
    "Workflow": "durajob.workflow",
    "approval": "durajob.steps.approval",
    "heartbeat": "durajob.steps.heartbeat",
    "idempotency_key": "durajob.steps.once",
    "lock": "durajob.steps.lock",
    "once": "durajob.steps.once",
    "progress": "durajob.steps.progress",
    "sleep": "durajob.steps.sleep",
    "track": "durajob.steps.progress",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("durajob")
    elif name in _HOMES:
        from importlib import import_module

        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'durajob' has no attribute {name!r}")
    globals()[name] = value  # asked once only
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
