"""The rule for workflow names, and the nearest name to a mistyped one."""

from __future__ import annotations

import re
from collections.abc import Iterable

WORKFLOW_NAME_RULE = (
    "a workflow name is 1 to 100 characters: letters and digits of ASCII and . _ - , "
    "beginning with a letter or digit"
)
_WORKFLOW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def is_workflow_name(text: str) -> bool:
    """Whether ``text`` obeys WORKFLOW_NAME_RULE; a target never does, for its colon."""
    return _WORKFLOW_NAME.fullmatch(text) is not None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was most likely meant to be, if any is near."""
    import difflib  # only where something is already wrong

    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(name[:200].casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None
