"""Limits of steps as the Workflow builder takes them."""

from __future__ import annotations

import re
from typing import Any, TypedDict

import pytest

from durajob import Workflow, heartbeat
from durajob.errors import ConfigError
from durajob.policies import StepPolicy


class State(TypedDict, total=False):
    n: int


def nothing(state: State) -> None:
    """A step that does nothing but show a sign of life, which it may do outside of a run."""
    heartbeat()


def test_limits_become_seconds_of_the_policy() -> None:
    """A duration, seconds, or a function of the state; what is not said stays unsaid."""
    wf = Workflow("w", State)
    wf.step(timeout="1m30s", idle_timeout=2, isolate=True, name="a")(nothing)
    wf.step(timeout=len, name="b")(nothing)
    nothing({})
    assert {
        "a": StepPolicy(timeout=90.0, idle_timeout=2.0, isolate=True),
        "b": StepPolicy(timeout=len),
    } == dict(wf.policies)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": "soon"}, "step 'a': timeout: 'soon' is not a duration"),
        ({"timeout": 0}, "step 'a': timeout: 0 is not a duration"),
        ({"timeout": True}, "timeout: True is not a duration"),
        ({"timeout": float("nan")}, "nan is not a duration"),
        ({"timeout": 1e9}, "is not a duration"),
        ({"idle_timeout": -1}, "step 'a': idle_timeout: -1 is not"),
        ({"idle_timeout": len}, "is not a duration"),
        ({"isolate": 1}, "isolate is 1, not True or False"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_at_once(options: Any, said: str) -> None:
    """When the step is declared, by its name and the rule."""
    with pytest.raises(ConfigError, match=re.escape(said)):
        Workflow("w", State).step(**options, name="a")(nothing)
