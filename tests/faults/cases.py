"""What is swept: each workflow with what must hold of it, and how its thread must end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.journal import Rules
from tests.faults.work import LENGTH, SIZE, VISITS, WIDE

TARGETS = Path(__file__).with_name("work.py")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A workflow under test."""

    name: str
    rules: Rules
    state: dict[str, Any]  # at the end
    exit_status: int = 0
    status: str = "completed"

    @property
    def target(self) -> str:
        """What ``start`` is told to run."""
        return f"{TARGETS}:{self.name}"


def _line(*names: str) -> dict[str, list[str]]:
    return {name: list(names[:i]) for i, name in enumerate(names)}


def _fan(wide: int) -> dict[str, Any]:
    works = [f"work[{i}]" for i in range(wide)]
    return {
        "rules": Rules(
            follows={
                "split": [],
                **{work: ["split"] for work in works},
                "join": ["split", *works],
            },
            width=4,
        ),
        "state": {"out": ["split", *works, "join"]},
    }


_CHAIN = [f"s{i}" for i in range(LENGTH)]
_LOOP = ["first", *(f"again#{i + 1}" for i in range(VISITS)), "last"]
_NESTED = ["before", "sub/x", "sub/y", "after"]
_RETRIED = ["calm", "flaky", "steady"]

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case(name="chain", rules=Rules(follows=_line(*_CHAIN)), state={"out": _CHAIN}),
        Case(name="fan", **_fan(WIDE)),
        Case(
            name="loop",
            rules=Rules(follows=_line(*_LOOP)),
            state={"out": _LOOP, "i": VISITS},
        ),
        Case(
            name="nested",
            rules=Rules(follows=_line(*_NESTED)),
            state={"out": ["before", "before", "sub/x", "sub/y", "after"]},
        ),
        Case(
            name="large",
            rules=Rules(follows=_line("heavy", "measure", "light")),
            state={"out": ["x" * SIZE, "light"], "i": SIZE, "n": 1},
        ),
        Case(
            name="lost",
            rules=Rules(follows=_line("first")),
            state={"out": []},  # the router failed before the step's checkpoint
            exit_status=1,
            status="failed",
        ),
        Case(
            name="once_only",
            rules=Rules(follows=_line("plan", "pay", "ship"), effects={"charge": "pay"}),
            state={"out": ["plan", "receipt", "ship"]},
        ),
        Case(
            name="saga",
            rules=Rules(
                follows={
                    **_line("a", "b", "c"),
                    "d": ["a", "b", "c"],
                    **{f"{name}:compensate": [name] for name in ("a", "b", "c")},
                },
                ends=["a", "b", "c", "c:compensate", "b:compensate", "a:compensate"],
                ends_for_good={f"{name}:compensate": ["d"] for name in ("a", "b", "c")},
            ),
            state={"out": ["a", "b", "c"]},
            exit_status=1,
            status="failed",
        ),
        Case(name="retried", rules=Rules(follows=_line(*_RETRIED)), state={"out": _RETRIED}),
    )
}


def step_name(shown: dict[str, Any]) -> str:
    """How the journal names a step that ``status --json`` shows."""
    step: str = shown["step"]
    return f"{step}#{shown.get('visit', 1)}" if step == "again" else step
