"""systemd units that do each minute what a crontab line would: print, and leave to a person."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from durajob.config.settings import Settings
from durajob.store.processes import user_name

FOLDER = "/etc/systemd/system"
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")


def units(command: Sequence[str], settings: Settings) -> str:
    """The units, each after a line that says where it belongs.

    ``command`` is durajob with the options that name the file and the store, absolute paths all;
    the units add the verbs.
    """
    folder, name = _folder(settings), _name(settings)
    files = {
        f"{name}.service": _service(name, command, folder),
        f"{name}.timer": _TIMER,
        f"{name}-failed.service": _failed(command, folder),
    }
    return "\n".join(f"# {FOLDER}/{file}\n{text}" for file, text in files.items())


def enabling(settings: Settings) -> str:
    """What to type once the units are in place."""
    return f"systemctl daemon-reload && systemctl enable --now {_name(settings)}.timer"


def _folder(settings: Settings) -> Path:
    return settings.file.parent if settings.file is not None else Path("/")


def _name(settings: Settings) -> str:
    """Another for each folder, so that several can stand beside each other."""
    slug = _NOT_PLAIN.sub("-", _folder(settings).name).strip("-")
    return f"durajob-{slug}" if slug else "durajob"


def _service(name: str, command: Sequence[str], folder: Path) -> str:
    return f"""\
[Unit]
Description=Begin the jobs that are due
OnFailure={name}-failed.service
StartLimitIntervalSec=0

[Service]
Type=exec
{_user()}WorkingDirectory={_path(folder)}
ExecStart={_line([*command, "tick", "--quiet"])}
# What a tick begins runs on when it has ended.
KillMode=process
# 3: a thread waits or sleeps. 75: try again later.
SuccessExitStatus=3
RestartForceExitStatus=75
RestartSec=10
# No more than jobs can live with. Where none of them needs sudo or another program that changes
# its user (some mail programs do), add NoNewPrivileges=yes; PrivateTmp=yes where none of them
# shares /tmp with others.
ProtectSystem=full
ProtectControlGroups=yes
"""


_TIMER = """\
[Unit]
Description=Each minute

[Timer]
OnCalendar=*-*-* *:*:00
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def _failed(command: Sequence[str], folder: Path) -> str:
    return f"""\
[Unit]
Description=Tell that jobs could not be begun

[Service]
Type=oneshot
{_user()}WorkingDirectory={_path(folder)}
# To the journal; put here what should tell you. (That a job failed is told by its notify.)
ExecStart={_line([*command, "status"])}
"""


def _user() -> str:
    """As whoever asks, since a store has one user."""
    return "" if os.geteuid() == 0 else f"User={user_name()}\n"


def _line(words: Sequence[str]) -> str:
    """A command line as systemd.service(5) reads it: no shell, but signs of its own."""
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if text != word or re.search(r"[\s';#]", word) or not word else text


def _path(folder: Path) -> str:
    return str(folder).replace("%", "%%")
