"""What many commands take and tell: thread ids, numbers, reasons, the command that comes next."""

from __future__ import annotations

from durajob import clock
from durajob.errors import CrashLoop, InvalidThreadId, UsageError
from durajob.model import THREAD_ID_RULE, Thread, ThreadStatus, is_thread_id

_LONGEST_REASON = 2_000


def check_thread_id(text: str) -> None:
    """Refuse what can be no thread id, nor the beginning of one."""
    if not is_thread_id(text):
        shown = text[:60] + ("…" if len(text) > 60 else "")
        raise InvalidThreadId(f"the thread id {shown!r} is not allowed", hint=THREAD_ID_RULE)


def check_reason(text: str | None) -> None:
    """Refuse a reason that is too long, or says nothing."""
    if text is not None and not text.strip():
        raise UsageError("--reason is empty", hint="say in a few words why; it is kept")
    if text is not None and len(text) > _LONGEST_REASON:
        raise UsageError(
            f"--reason has {len(text):,} characters",
            hint=f"at most {_LONGEST_REASON:,}; keep the rest elsewhere",
        )


def whole_number(
    option: str,
    text: str,
    *,
    what: str = "number",
    least: int = 1,
    most: int = 1_000_000_000,
    hint: str | None = None,
) -> int:
    """The number that was typed for ``option``; ``what`` says what it counts.

    Raises:
        UsageError: when it is none, or not from ``least`` to ``most``.
    """
    # Python refuses to read thousands of digits.
    if text.isascii() and text.isdigit() and len(text) < 19 and least <= int(text) <= most:
        return int(text)
    raise UsageError(
        f"{option} {text[:40]!r} is no {what}",
        hint=hint or f"write a whole number, {least} or more",
    )


def resume_command(thread: Thread) -> str:
    """What a person would type to go on with a thread."""
    error = thread.error if thread.status is ThreadStatus.FAILED else None
    loops = error is not None and error.type == CrashLoop.__name__
    return f"durajob resume {thread.thread}" + (" --reset-resumes" if loops else "")


def way_on(thread: Thread) -> str:
    """What a person would type to have a thread go on that is not driven."""
    is_over = thread.wake_at is not None and thread.wake_at <= clock.now()
    if not thread.waiting_for or thread.answered or is_over:
        return resume_command(thread)
    return answer_command(thread)


def answer_command(thread: Thread) -> str:
    """What a person would type to answer the first of the thread's questions."""
    which = f" --question {thread.waiting_for[0].id}" if thread.waiting_for[1:] else ""
    return f"durajob answer {thread.thread} VALUE{which}"
