"""What systemd is told of a run, on a datagram socket such as it gives to a service."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.forked import Forked, ForkedRun
from tests.integration.judge import lines

GRAPHS = Path(__file__).with_name("graphs.py")

pytestmark = pytest.mark.usefixtures("effects")


@contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    """A socket that a service manager would listen on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + address[1:] if address.startswith("@") else address)
        listener.settimeout(60)
        yield listener


def heard(listener: socket.socket, until: str) -> list[str]:
    """Everything that was said up to a line."""
    said: list[str] = []
    while not said or said[-1] != until:
        said.append(listener.recv(4096).decode())
    return said


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_ready_status_and_stopping(forked: Forked, tmp_path: Path, abstract: bool) -> None:
    """READY first, then what happens, and STOPPING last; for a thread that is resumed, too."""
    address = f"@durajob-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "socket")
    env = {"NOTIFY_SOCKET": address, "FAIL": "b"}
    with listening(address) as listener:
        forked.run("start", f"{GRAPHS}:chain", "-t", "x", "-q", env=env, check=1)
        first, *said = heard(listener, "STOPPING=1")
        assert "READY=1" == first
        assert "STATUS=thread x: started" == said[0]
        assert "STATUS=thread x: step b failed: ConnectionError" in said
        assert "STATUS=thread x: failed" == said[-2]
        assert not any(line.startswith("WATCHDOG") for line in said)
        forked.run("resume", "x", "-q", env={"NOTIFY_SOCKET": address}, check=0)
        first, *said = heard(listener, "STOPPING=1")
        assert "READY=1" == first
        assert ("STATUS=thread x: resumed", "STATUS=thread x: completed") == (said[0], said[-2])
        # Nothing to do is a success as well, and one that was ready.
        forked.run("resume", "x", "-q", env={"NOTIFY_SOCKET": address}, check=0)
        assert ["READY=1", "STOPPING=1"] == heard(listener, "STOPPING=1")


def test_a_tick_that_waits_tells_of_what_it_drives(forked: Forked, tmp_path: Path) -> None:
    """It speaks for itself: the processes that drive threads for it do not."""
    address = str(tmp_path / "socket")
    Path("workflows.toml").write_text(f"[workflows.w]\ngraph = '{GRAPHS}:chain'\nrecover = true\n")
    forked.run("start", "w", "-t", "x", "-q", env={"DIE": "b:after"})
    with listening(address) as listener:
        forked.run("tick", "--wait", "-q", env={"NOTIFY_SOCKET": address}, check=0)
        assert ["READY=1", "STATUS=thread x: completed", "STOPPING=1"] == heard(
            listener, "STOPPING=1"
        )


def test_signs_of_life_while_a_step_blocks(forked: Forked, tmp_path: Path, effects: Path) -> None:
    """As often as was asked for, whatever the step does; not for another process."""
    address = str(tmp_path / "socket")
    env = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "1"}
    with listening(address) as listener:
        forked.run("start", f"{GRAPHS}:chain", "-q", env=env, check=0)
        assert "WATCHDOG=1" not in heard(listener, "STOPPING=1")
        del env["WATCHDOG_PID"]
        run: ForkedRun = forked.begin("start", f"{GRAPHS}:held", "-t", "g", "-q", env=env)
        run.until(lambda: "hold" in lines(effects))
        for _ in range(5):
            heard(listener, "WATCHDOG=1")
        Path(f"{effects}.go").touch()
        run.wait(check=0)


def test_programs_of_steps_do_not_speak_for_it(forked: Forked, tmp_path: Path) -> None:
    """What systemd gave to the process is not in the environment of its steps; nobody who listens
    is no trouble."""
    Path("workflows.toml").write_text("[[workflows.w.steps]]\nname = 'env'\nrun = 'env > seen'\n")
    env = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "1000000"}
    forked.run("start", "w", "-q", env=env, check=0)
    seen = Path("seen").read_text()
    assert "PATH=" in seen
    assert "NOTIFY_SOCKET" not in seen
    assert "WATCHDOG" not in seen
