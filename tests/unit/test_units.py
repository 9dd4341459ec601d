"""The systemd units that are printed: systemd itself finds them right."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from durajob.commands.units import FOLDER, units
from durajob.config.settings import load_settings


def split(text: str) -> dict[str, str]:
    """The files that a text puts together."""
    parts = re.split(rf"^# {FOLDER}/(\S+)\n", text, flags=re.MULTILINE)
    assert "" == parts[0]
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("folder", ["jobs", 'a 100% "odd" $HOME; one\'s'])
def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path, folder: str) -> None:
    """systemd-analyze verify says nothing, also of a folder whose name means something to it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (package systemd)")
    jobs = tmp_path / folder
    jobs.mkdir()
    (jobs / "workflows.toml").touch()
    command = [sys.executable, "-m", "durajob", "--file", str(jobs / "workflows.toml")]
    files = split(units(command, load_settings(str(jobs / "workflows.toml"), None)))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / name for name in files)],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "SYSTEMD_LOG_LEVEL": "notice"},
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_the_command_is_taken_word_for_word(tmp_path: Path) -> None:
    """Spaces, quotes and the signs of systemd in a path; no word of it is another's."""
    (tmp_path / "workflows.toml").touch()
    settings = load_settings(str(tmp_path / "workflows.toml"), None)
    text = units(["/opt/dura job", "--file", '/a"b\\c%d$e'], settings)
    lines = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    words = '"/opt/dura job" --file "/a\\"b\\\\c%%d$$e"'
    assert [f"ExecStart={words} tick --quiet", f"ExecStart={words} status"] == lines


def test_what_they_promise(tmp_path: Path) -> None:
    """What is begun runs on after the tick; 75 is tried again; a tick that fails is told of."""
    (tmp_path / "workflows.toml").touch()
    files = split(units(["/d"], load_settings(str(tmp_path / "workflows.toml"), None)))
    service, timer, failed = sorted(files, key=lambda name: ("failed" in name, name))
    assert service.removesuffix(".service") == timer.removesuffix(".timer")
    for line in (
        "KillMode=process",
        "RestartForceExitStatus=75",
        "SuccessExitStatus=3",
        f"OnFailure={failed}",
        f"WorkingDirectory={tmp_path}",
    ):
        assert f"\n{line}\n" in files[service]
    assert "WantedBy=timers.target" in files[timer]
