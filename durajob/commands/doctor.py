"""``durajob doctor``: whether the store, the machine and the clock are fit for jobs.

It changes nothing. Users' code is imported in a process of its own, and with a time limit:
what goes wrong there is a finding.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from durajob import clock
from durajob.catalogue import Finding, Health
from durajob.commands.fitting import misfits
from durajob.config.settings import Settings
from durajob.durations import counted, format_duration
from durajob.errors import DurajobError, NoStore, StoreDamaged
from durajob.model import ErrorInfo
from durajob.store import check, machine
from durajob.store.files import log_folder, work_folder
from durajob.store.read import Reader

_LEAST_FREE = 100_000_000
_SHARE_FREE = 0.02
_AHEAD = 5.0  # seconds that the store may be ahead of the clock
_SHOWN = 20  # findings of one kind


def doctor(*, settings: Settings, definitions: bool) -> Health:
    """Look at everything; the exit status is that of a store that cannot be used, else 0."""
    path = settings.store.path
    findings = [*_sqlite()]
    exists, trouble = False, None
    try:
        with Reader(path):
            exists = True
        findings.append(_fine("store", f"{path} is there and can be read"))
    except NoStore:
        findings.append(_fine("store", f"no store yet at {path}; durajob start creates it"))
    except DurajobError as error:
        trouble = error
        findings.append(_refusal("store", error))
    findings += [*_file_system(path), *_space(path)]
    if exists:
        try:
            findings += _of_store(path)
            if definitions:
                findings += _definitions(settings)
        except DurajobError as error:
            trouble = error
            findings.append(_refusal("integrity", error))
    findings += _workflows(settings)
    return Health(
        exit_status=0 if trouble is None else trouble.exit_status,
        error=None
        if trouble is None
        else ErrorInfo(code=trouble.code, message=trouble.message, hint=trouble.hint),
        findings=tuple(findings),
        store=settings.store.url,
        notes=() if trouble else (_summary(findings),),
    )


def _of_store(path: Path) -> Iterator[Finding]:
    """What is to be said of a store that can be opened.

    Raises:
        StoreDamaged: after the findings that say how it is damaged.
    """
    yield from _permissions(path)
    damage = list(check.damages(path))
    for sentence in damage[:_SHOWN]:
        yield Finding(check="integrity", level="error", message=sentence)
    if damage:
        raise StoreDamaged(
            f"the store {path} is damaged: {len(damage)} findings",
            hint=f"keep {path} and its -wal as they are, and put a copy of the store back",
        )
    yield _fine("integrity", "every page, row and checksum is right")
    yield from _clock(path)
    yield from _logs(path)


def _sqlite() -> Iterator[Finding]:
    try:
        yield _fine("sqlite", f"SQLite {machine.sound_sqlite()}")
    except DurajobError as error:
        yield _refusal("sqlite", error)


def _file_system(path: Path) -> Iterator[Finding]:
    folder = machine.existing_folder(path)
    kind = machine.file_system(folder)
    if kind in machine.REMOTE:
        yield Finding(
            check="file system",
            level="error",
            message=f"{folder} is on {kind}: two machines may both believe that they own a thread",
            hint="put the store on a local file system",
        )
    elif not machine.locks(path):
        yield Finding(
            check="file system",
            level="error",
            message=f"{kind} at {folder} does not lock files",
            hint="put the store on a local file system",
        )
    else:
        lost = "; it is lost when the machine goes down" if kind in ("tmpfs", "ramfs") else ""
        yield Finding(
            check="file system",
            level="warning" if lost else "ok",
            message=f"{folder} is on {kind}{lost}",
            hint="put the store on a disk" if lost else None,
        )


def _space(path: Path) -> Iterator[Finding]:
    folder = machine.existing_folder(path)
    free, total, files = machine.free_space(folder)
    text = f"{_size(free)} free of {_size(total)} at {folder}"
    if free < _LEAST_FREE or free < total * _SHARE_FREE or files == 0:
        text += ", and no file can be made" if files == 0 else ""
        yield Finding(
            check="free space",
            level="error" if free < _LEAST_FREE // 100 or files == 0 else "warning",
            message=text,
            hint="free some space: jobs stop (74) when there is none, and can be resumed then",
        )
    else:
        yield _fine("free space", text)


def _clock(path: Path) -> Iterator[Finding]:
    now, latest = clock.now(), check.latest_time(path)
    ahead = 0 if latest is None else (latest - now) / 1_000_000
    if ahead > _AHEAD:
        yield Finding(
            check="clock",
            level="warning",
            message=f"the clock is {format_duration(ahead)} behind what the store has seen",
            hint="set the clock; nothing is ordered by it, but times that are shown are wrong",
        )
    else:
        yield _fine("clock", clock.to_rfc3339(now) or "")


def _permissions(path: Path) -> Iterator[Finding]:
    """What others may change is refused when the store is opened; here: what they may read."""
    readable = [
        each
        for each in (path, Path(f"{path}-wal"), Path(f"{path}-lock"), log_folder(path))
        if each.exists() and each.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]
    for each in readable:
        yield Finding(
            check="permissions",
            level="warning",
            message=f"others may read {each} (mode {stat.S_IMODE(each.stat().st_mode):04o})",
            hint=f"chmod go-rwx {each}",
        )
    if not readable:
        yield _fine("permissions", "nobody else may read or change the store")


def _logs(path: Path) -> Iterator[Finding]:
    there = sorted(
        each
        for folder in (log_folder(path), work_folder(path))
        for each in folder.glob("*")
        if each.name.isdigit() and each.is_dir()
    )
    rows = check.row_ids(path)  # after the folders: a thread is older than its own
    orphans = [each for each in there if int(each.name) not in rows]
    for each in orphans[:_SHOWN]:
        yield Finding(
            check="logs",
            level="warning",
            message=f"{each} belongs to no thread",
            hint=f"rm -r {each}",
        )
    if len(orphans) > _SHOWN:
        message = f"and {len(orphans) - _SHOWN} folders more"
        yield Finding(check="logs", level="warning", message=message)
    if not orphans:
        yield _fine("logs", "every folder of logs and of work has its thread")


def _workflows(settings: Settings) -> Iterator[Finding]:
    if settings.file is None:
        return
    from durajob.config.load import check_config

    try:
        problems = check_config(settings.file)[1]
    except DurajobError as error:
        yield _refusal("workflows.toml", error)
        return
    for name, problem in problems.items():
        yield _refusal("workflows.toml", problem, f"workflow {name}: ")
    if not problems:
        yield _fine("workflows.toml", f"{settings.file} can be read")


def _definitions(settings: Settings) -> Iterator[Finding]:
    rows = list(check.unfinished(settings.store.path))
    found = misfits(rows, settings)
    for misfit in found[:_SHOWN]:
        yield Finding(
            check="definitions", level="warning", message=misfit.message, hint=misfit.hint
        )
    if len(found) > _SHOWN:
        message = f"and {len(found) - _SHOWN} threads more"
        yield Finding(check="definitions", level="warning", message=message)
    if not found:
        threads = counted(len(rows), "unfinished thread")
        fit = "fits its workflow" if len(rows) == 1 else "fit their workflows"
        yield _fine("definitions", f"{threads} {fit}" if rows else "no unfinished threads")


def _fine(what: str, message: str) -> Finding:
    return Finding(check=what, level="ok", message=message)


def _refusal(what: str, error: DurajobError, head: str = "") -> Finding:
    return Finding(check=what, level="error", message=head + error.message, hint=error.hint)


def _size(number: int) -> str:
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number //= 1000
    return f"{number:.0f} TB"


def _summary(findings: list[Finding]) -> str:
    wrong = sum(finding.level != "ok" for finding in findings)
    return "all is well" if not wrong else f"{wrong} of {len(findings)} findings need a look"
