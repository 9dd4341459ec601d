"""Thread ids as they are typed."""

from __future__ import annotations

from durajob.errors import InvalidThreadId
from durajob.model import THREAD_ID_RULE, is_thread_id


def check_thread_id(text: str) -> None:
    """Refuse what can be no thread id, nor the beginning of one."""
    if not is_thread_id(text):
        shown = text[:60] + ("…" if len(text) > 60 else "")
        raise InvalidThreadId(f"the thread id {shown!r} is not allowed", hint=THREAD_ID_RULE)
