"""Workflows whose step fails in many ways; what is tried again stands in the judge's file."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from durajob import Workflow
from tests.integration.graphs import die_once, note


def is_worth_it(error: BaseException) -> bool:
    """A predicate that a workflows.toml names."""
    return "busy" in str(error)


class NoException:
    """A class that is none."""


def fails(state: dict[str, Any]) -> dict[str, Any]:
    """Fails as the environment says (HOW), unless it says nothing."""
    note("try")
    how = os.environ.get("HOW", "")
    die_once("try")
    if how.startswith("program"):
        subprocess.run(["sh", "-c", f"exit {how[7:]}"], check=True)
    if how.startswith("exit"):
        sys.exit(int(how[4:]))
    if how:
        try:
            raise KeyError("the cause")
        except KeyError as cause:
            error = ConnectionError(how)
            error.add_note("and a note")
            raise error from cause
    return {}


wf = Workflow("failing", dict)
wf.step(fails)
