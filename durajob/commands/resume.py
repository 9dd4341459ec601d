"""Pick up a thread at ``next``; one that has ended is reported and left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durajob.commands import running
from durajob.commands.ids import check_thread_id, whole_number
from durajob.commands.reading import reading
from durajob.commands.running import Options
from durajob.config.settings import Settings
from durajob.model import ThreadResult

if TYPE_CHECKING:
    from durajob.events import Observer


def resume(
    thread: str,
    *,
    settings: Settings,
    on_busy: str | None,
    timeout: str | None,
    detach: bool,
    take_over: bool,
    here: bool,
    reset_resumes: bool,
    accept_change: bool,
    if_epoch: str | None,
    observer: Observer,
) -> ThreadResult:
    """Drive a thread on from its latest checkpoint.

    Raises:
        ThreadNotFound, AmbiguousThread: when ``thread`` names none, or several.
        DurajobError: see the modules that are called.
    """
    check_thread_id(thread)
    running.check_choice("--on-busy", on_busy, running.BUSY_CHOICES)
    seconds = running.check_timeout(timeout)
    epoch = None if if_epoch is None else _epoch(if_epoch)
    with reading(thread, settings) as (reader, name):
        row = reader.row(name)
    assert row is not None, "it was just resolved"
    if running.has_ended(row):
        return running.shown(name, settings, notes=("nothing to do",))
    insisted = {
        "--take-over": take_over,
        "--here": here,
        "--reset-resumes": reset_resumes,
        "--accept-change": accept_change,
    }
    options = Options(
        on_busy=on_busy or "fail",
        timeout=seconds,
        take_over=take_over,
        here=here,
        reset_resumes=reset_resumes,
        accept_change=accept_change,
        said=tuple(option for option, is_said in insisted.items() if is_said),
        epoch=epoch,
    )
    if detach:
        from durajob.commands.detach import drive_detached

        return drive_detached(name, options, settings)
    from durajob.engine.signals import Drain, watch

    drain = Drain()
    with watch(drain):
        return running.run_existing(
            row, settings=settings, options=options, observer=observer, drain=drain
        )


def _epoch(text: str) -> int:
    hint = "durajob status THREAD --json shows it"
    return whole_number("--if-epoch", text, what="epoch", least=0, most=10**18, hint=hint)
