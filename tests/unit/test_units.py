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
from tests.docs.pages import DOCS
from tests.forked import Forked


def split(text: str) -> dict[str, str]:
    """The files that a text puts together."""
    parts = re.split(rf"^# {FOLDER}/(\S+)\n", text, flags=re.MULTILINE)
    assert "" == parts[0]
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def verify(folder: Path, files: dict[str, str]) -> None:
    """Have systemd look at units; it must find nothing to say."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (package systemd)")
    for name, text in files.items():
        (folder / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(folder / name for name in files)],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "SYSTEMD_LOG_LEVEL": "notice"},
    )
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("folder", ["jobs", 'a 100% "odd" $HOME; one\'s'])
def test_systemd_finds_nothing_wrong_with_them(tmp_path: Path, folder: str) -> None:
    """systemd-analyze verify says nothing, also of a folder whose name means something to it."""
    jobs = tmp_path / folder
    jobs.mkdir()
    (jobs / "workflows.toml").touch()
    command = [sys.executable, "-m", "durajob", "--file", str(jobs / "workflows.toml")]
    verify(tmp_path, split(units(command, load_settings(str(jobs / "workflows.toml"), None))))


def test_systemd_finds_nothing_wrong_with_those_of_the_documentation(tmp_path: Path) -> None:
    """The service and the timer of a single job, with the paths of a page made real."""
    page = (DOCS / "cron.md").read_text()
    files = dict(re.findall(r"^```ini\n# (\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    assert {"nightly.service", "nightly.timer"} == set(files)
    files["nightly-failed.service"] = "[Service]\nType=oneshot\nExecStart=/bin/true\n"
    program = f"{sys.executable} -m durajob"
    service = files["nightly.service"].replace("/srv/durajob/bin/durajob", program)
    files["nightly.service"] = service.replace("/srv/jobs", str(tmp_path)).replace("ada", "root")
    verify(tmp_path, files)


def test_schedule_install_prints_them(forked: Forked) -> None:
    """With the paths of this installation; one of --cron and --systemd has to be said."""
    Path("workflows.toml").touch()
    done = forked.run("schedule", "install", "--systemd", check=0)
    files = split(done.stdout)
    folder = forked.cwd.name
    assert {f"durajob-{folder}.service", f"durajob-{folder}.timer"} < set(files)
    assert f"--file {forked.cwd}/workflows.toml tick --quiet\n" in done.stdout
    assert f"systemctl enable --now durajob-{folder}.timer" in done.stderr
    forked.run("schedule", "install", check=2)
    forked.run("schedule", "install", "--cron", "--systemd", check=2)


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
