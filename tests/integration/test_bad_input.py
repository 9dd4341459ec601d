"""Whatever is given to a start that it cannot take is refused in one line, before anything is
written: no thread, and no store where there was none."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.harness import Durajob, wait_for
from tests.integration.refusals import GRAPHS, assert_refused

CHAIN = f"{GRAPHS}:chain"


@pytest.fixture(autouse=True)
def effects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where steps would leave a trace, and the store that must not come to be."""
    monkeypatch.setenv("EFFECTS", str(tmp_path / "effects"))
    monkeypatch.setenv("DURAJOB_STORE", "s/d.db")
    return tmp_path / "effects"


def refused(forked: Forked, exit_status: int, code: str, *args: str | Path) -> str:
    """Refused in JSON and in plain words, and nothing is left of it; the line it is told in."""
    assert_refused(forked.run(*args, "--json"), exit_status, code)
    plain = forked.run(*args)
    lines = plain.stderr.splitlines()
    assert (exit_status, "", 2) == (plain.exit_status, plain.stdout, len(lines)), str(plain)
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("  hint: ")
    assert lines[0].isprintable()
    assert len(lines[0]) < 500
    assert not Path("s").exists()
    assert not Path("effects").exists()
    return lines[0]


@pytest.mark.parametrize(
    "pair", ["x", "=x", ":=1", "", "x:", "x :1"], ids=lambda pair: f"-i {pair!r}"
)
def test_a_malformed_pair_is_a_usage_error(forked: Forked, pair: str) -> None:
    """A -i needs a key and a separator (2)."""
    refused(forked, 2, "usage", "start", CHAIN, "-i", pair)


DEEP = "[" * 101 + "]" * 101
DEEPER = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "value",
    ["{", "nan", "NaN", "Infinity", "-Infinity", "1e999", str(2**64), str(-(2**63) - 1),
     "9" * 5000, DEEP, DEEPER, "'x'", "", '"\\ud800"', '{"\\udfff": 1}', '{"a": 1, "a": 2}'],
    ids=lambda value: value[:20] or "empty",
)  # fmt: skip
def test_json_that_cannot_be_kept_is_bad_input(forked: Forked, value: str) -> None:
    """Broken JSON, numbers that are none or too large, deep nesting, half characters (65)."""
    refused(forked, 65, "bad_input", "start", CHAIN, "-i", f"n:={value}")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1]", b"null", b"1", b'"x"', b'{"a": NaN}', b'{"a": 1e999}', b'\xff{"a": 1}',
     b'{"a": "\xe9"}', b'{"a": 1} {"b": 2}', b'{"a": "\\ud800"}', b'{"a": 1, "a": 2}',
     b'{"a": {"b": 1, "b": 1}}', b'{"a": ' + b"[" * 100_000, b'{"a": 1' + b"0" * 400 + b"}",
     '{"a": 1}'.encode("utf-16"), b"\0" * 100],
    ids=lambda data: repr(data[:20]),
)  # fmt: skip
def test_an_input_file_must_hold_one_json_object(
    forked: Forked, tmp_path: Path, data: bytes
) -> None:
    """Anything else is told for what it is (65)."""
    (tmp_path / "input").write_bytes(data)
    refused(forked, 65, "bad_input", "start", CHAIN, "--input-file", "input")


def test_a_huge_input_is_refused_at_once(forked: Forked, tmp_path: Path) -> None:
    """A file of 100 MB is not even read, and of one without an end no more than is taken (65)."""
    with (tmp_path / "input").open("wb") as file:
        file.truncate(100_000_000)
    line = refused(forked, 65, "bad_input", "start", CHAIN, "--input-file", "input")
    assert "larger than 10,000,000 bytes" in line
    line = refused(forked, 65, "bad_input", "start", CHAIN, "--input-file", "/dev/zero")
    assert "larger than 10,000,000 bytes" in line


@pytest.mark.parametrize("name", ["missing", ".", "missing/input", "in\nput", "x" * 5000, ""])
def test_an_input_file_that_is_none(forked: Forked, name: str) -> None:
    """It is missing, or a folder (66)."""
    refused(forked, 66, "input_file_not_found", "start", CHAIN, "--input-file", name)


def test_a_pipe_that_nobody_writes_to_is_waited_for(forked: Forked, tmp_path: Path) -> None:
    """As with any program; Ctrl-C ends the wait (130), and nothing is left of it."""
    os.mkfifo(tmp_path / "pipe")
    run = forked.begin("start", CHAIN, "--input-file", "pipe", "--json")
    wait_for(lambda: b"wait_for_partner" in Path(f"/proc/{run.pid}/wchan").read_bytes())
    run.signal(signal.SIGINT)
    assert 130 == run.wait().exit_status
    assert not (tmp_path / "s").exists()


def test_a_pipe_may_give_the_input(forked: Forked, tmp_path: Path) -> None:
    """What a shell makes of <(…) is taken."""
    os.mkfifo(tmp_path / "pipe")
    run = forked.begin("start", CHAIN, "--input-file", "pipe", "--json")
    (tmp_path / "pipe").write_text('{"n": 1}')
    assert {"n": 1} == run.wait(check=0).thread["input"]


IDS = [
    " ", "a b", "a/b", "..", ".", "../x", "/etc/passwd", "a'b", 'a"b', "a\nb", "a\x1b[31mb", "a\tb",
    "-x", "--json", "_x", "", "é", "日本", "\N{PILE OF POO}", "\u202eabc", "x" * 201, "x" * 10_000,
    "a\\b", "a%b", "a*b", "a;b", "a$b", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("thread", IDS, ids=lambda thread: ascii(thread)[:24])
def test_a_thread_id_that_breaks_the_rule(forked: Forked, thread: str) -> None:
    """It is refused, never mangled, and the rule is the hint (2)."""
    refused(forked, 2, "invalid_thread_id", "start", CHAIN, f"--thread={thread}")
    for verb in ("status", "resume"):
        assert_refused(forked.run(verb, "--json", "--", thread), 2, "invalid_thread_id")


@pytest.mark.parametrize("thread", ["a", "9", "x" * 200, "a..b", "A.b_c:d@e+f=g-h", "a-", "CON"])
def test_a_thread_id_that_keeps_the_rule(forked: Forked, thread: str) -> None:
    """It is taken as it is."""
    done = forked.run("start", CHAIN, f"--thread={thread}", "--json", check=0)
    assert thread == done.thread["thread"]


@pytest.mark.parametrize("text", ["0", "0s", "-1s", "1y", "", "s", "1", "nan", "1e3s", "9" * 400])
def test_a_duration_that_is_none(forked: Forked, text: str) -> None:
    """It is refused before anything runs (2)."""
    refused(forked, 2, "usage", "start", CHAIN, f"--timeout={text}")
    refused(forked, 2, "usage", "list", f"--since={text}")


@pytest.mark.parametrize(
    ("target", "exit_status", "code"),
    [
        ("chian", 66, "workflow_not_found"),
        ("", 66, "workflow_not_found"),
        ("durabel", 66, "workflow_not_found"),
        ("./no.py:graph", 78, "bad_target"),
        ("no.such.module:graph", 78, "bad_target"),
        ("./user.py:nothing", 78, "bad_target"),
        ("./user.py:number", 78, "bad_target"),
        ("./user.py:needs", 78, "bad_target"),
        ("./user.py:raises", 78, "bad_target"),
        ("./user.py:leaves", 78, "bad_target"),
        ("./raises.py:graph", 78, "bad_target"),
        ("./exits.py:graph", 78, "bad_target"),
        ("./broken.py:graph", 78, "bad_target"),
    ],
)
def test_a_target_that_does_not_load(
    forked: Forked, tmp_path: Path, target: str, exit_status: int, code: str
) -> None:
    """It is told with its line, and no thread was admitted."""
    (tmp_path / "user.py").write_text(
        "number = 1\ndef needs(a): ...\ndef raises(): raise OSError('x\\ny')\n"
        "def leaves(): raise SystemExit(0)\n"
    )
    (tmp_path / "raises.py").write_text("print('noise')\nraise ValueError('no\\nway')\n")
    (tmp_path / "exits.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "broken.py").write_text("def x(:\n")
    plain = forked.run("start", target, "-t", "t")
    assert exit_status == plain.exit_status, str(plain)
    assert_refused(forked.run("start", target, "-t", "t", "--json"), exit_status, code)
    assert not (tmp_path / "s").exists()


def test_the_nearest_name_is_the_hint(forked: Forked) -> None:
    """A slip in a name is put right."""
    envelope = forked.run("start", "durabel", "--json").json
    assert "durable" in envelope["error"]["hint"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_a_target_is_imported(
    forked: Forked, tmp_path: Path, number: signal.Signals
) -> None:
    """An import that takes long is ended at once by a signal, and there is no thread."""
    (tmp_path / "slow.py").write_text(
        "import pathlib, time\npathlib.Path('began').touch()\ntime.sleep(600)\n"
    )
    run = forked.begin("start", "./slow.py:graph", "-t", "t", "--json")
    run.until((tmp_path / "began").exists)
    run.signal(number)
    assert (130 if number is signal.SIGINT else -number) == run.wait().exit_status
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "text",
    ["x", "version = 2", "version = 1\n[workflow.x]", "version = 1\n[workflows.x]\ngraph = 1",
     "version = 1\n[workflows.x]\n", "version = 1\n[workflows.x]\ngraph = './x.py:y'\ntimeot = 1",
     "version = 1\n[workflows.x]\ngraph = './x.py:y'\ntimeout = '1y'", "\0", "a = '\ud800'"],
    ids=lambda text: ascii(text)[:40],
)  # fmt: skip
def test_a_bad_file_is_refused(forked: Forked, tmp_path: Path, text: str) -> None:
    """A workflows.toml with a slip starts nothing (78)."""
    (tmp_path / "workflows.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    refused(forked, 78, "bad_config", "start", "x", "-t", "t")


def test_the_installed_command_refuses_alike(durajob: Durajob, tmp_path: Path) -> None:
    """What the forked command says here, the installed one says, too."""
    assert_refused(durajob.run("start", "durable", "-i", "x:={", "--json"), 65, "bad_input")
    assert not (tmp_path / "s").exists()
