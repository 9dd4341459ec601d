"""What steps print is kept, each step's by itself, and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from durajob.store.logs import tail_offset
from tests.forked import Forked
from tests.harness import wait_for
from tests.integration.judge import lines

PRINTS = Path(__file__).with_name("prints.py")


def logged(forked: Forked, *args: str) -> list[dict[str, Any]]:
    """The lines that ``durajob logs`` shows."""
    done = forked.run("logs", *args, "--json-lines", check=0)
    return [json.loads(line) for line in done.stdout.splitlines()]


def said(forked: Forked, *args: str) -> list[str]:
    """Their words alone."""
    return [line["line"] for line in logged(forked, *args)]


def test_all_that_a_step_prints_is_in_its_log(forked: Forked) -> None:
    """print, both streams, logging, programs, and what goes around Python."""
    forked.run("start", f"{PRINTS}:alone", "-t", "t", "-q", check=0)
    found = logged(forked, "t", "talk")
    words = [line["line"] for line in found]
    assert ["out", "err", 'sent 3 {"order": 7}'] == words[:3]
    assert {"program", "system"} == set(words[3:])  # which may end in the same instant
    assert ["out", "err", "log", "out", "out"] == [line["stream"] for line in found]
    record = found[2]
    assert ("t", "talk", 1, "INFO", "shop.mail") == tuple(
        record[key] for key in ("thread", "step", "attempt", "level", "logger")
    )


def test_concurrent_steps_do_not_mix(forked: Forked, effects: Path) -> None:
    """Each branch has its own words, and those of its own programs."""
    run = forked.begin("start", f"{PRINTS}:beside", "-t", "t", "-i", "items:=[0, 1, 2, 3]")
    run.until(lambda: len(lines(effects)) == 4)
    Path(f"{effects}.go").touch()
    run.wait(check=0)
    for number in range(4):
        assert [f"begin {number}", f"program {number}", f"again {number}"] == said(
            forked, "t", f"branch[{number}]"
        )
    assert 12 == len(said(forked, "t", "branch"))


def test_secrets_are_masked_wherever_they_are_shown(
    forked: Forked, effects: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In logs, errors, the live lines, input and state; steps and the store have the truth."""
    monkeypatch.setenv("API_TOKEN", "tok-4711")
    Path("workflows.toml").write_text(
        f'secrets = ["API_TOKEN", "password"]\n[workflows.w]\ngraph = "{PRINTS}:secret"\n'
    )
    start = ("start", "w", "-t", "t", "-i", "password=hunter22")
    texts = [str(forked.run(*start, check=1))[len(str(start)) :]]
    for args in (("status", "t"), ("status",), ("list",), ("logs", "t"), ("resume", "t")):
        texts += [str(forked.run(*args)), str(forked.run(*args, "--json"))]
    for args in (("history", "t"), ("timeline", "t"), ("why", "t"), ("watch", "t")):
        texts += [str(forked.run(*args, check=0)), str(forked.run(*args, "--json", check=0))]
    for args in (("watch", "t"), ("history", "t")):
        texts.append(str(forked.run(*args, "--json-lines", check=0)))
    forked.run("timeline", "t", "--html", "page.html", check=0)
    page, bars = Path("page.html").read_text(), forked.run("timeline", "t", check=0).stdout
    assert "no such password: ***" in page
    assert "no such password: ***" in bars
    texts.append(page)
    texts.append(str(forked.run("--store", ".durajob/durajob.db", "status", "t", "--json")))
    texts += [path.read_text() for path in Path(".durajob/durajob.db-logs").rglob("*.log")]
    assert [] == [text for text in texts if "hunter22" in text or "tok-4711" in text]
    shown = forked.run("status", "t", "--json").thread
    assert {"password": "***"} == shown["input"]
    assert {"password": "***", "out": ["token=***"]} == shown["state"]
    assert ["by key ***", "by variable ***"] == said(forked, "t", "tell")
    assert {"hunter22,token=tok-4711"} == set(lines(effects))


def test_a_log_keeps_its_beginning_and_its_end(forked: Forked) -> None:
    """Within its limit, and it says how much was cut out."""
    Path("workflows.toml").write_text('[logs]\nmax_size = "20KB"\n')
    forked.run("start", f"{PRINTS}:endless", "-t", "t", "-q", check=0)
    (path,) = Path(".durajob/durajob.db-logs").rglob("flood.1.1.log")
    kept = said(forked, "t")
    assert path.stat().st_size <= 20_000
    assert ("line 0", "line 19999") == (kept[0], kept[-1])
    (cut,) = [line for line in kept if "cut out" in line]
    whole = sum(len(f"2026-11-22T16:32:19.237+00:00 out line {n}\n") for n in range(20_000))
    ours = sum(len(f"2026-11-22T16:32:19.237+00:00 out {line}\n") for line in kept if line != cut)
    assert f"{whole - ours:,}" == cut.split()[0]


def test_the_last_lines_are_read_from_the_end(tmp_path: Path) -> None:
    """However long they are, and whether or not the last has ended; all where there are fewer."""
    log = tmp_path / "a.log"
    lengths = [1, 40_000, 3, 70_000, 5]
    log.write_bytes(b"".join(b"x" * length + b"\n" for length in lengths) + b"begun")
    whole = sum(lengths) + len(lengths)
    begin = [sum(lengths[: 5 - n]) + 5 - n for n in range(6)]
    assert ([*begin, 0], whole) == ([tail_offset(log, n) for n in range(7)], begin[0])
    assert 0 == tail_offset(tmp_path / "none.log", 3)


def test_logs_are_followed_over_processes(forked: Forked, effects: Path) -> None:
    """Through a kill and a resume, until the thread has ended; each line once."""
    first = forked.begin("start", f"{PRINTS}:held", "-t", "t")
    first.until(effects.exists)
    follower = forked.begin("logs", "t", "-f", "--json-lines", merged=True)
    follower.until(lambda: "holding" in follower.stderr)
    first.kill()
    second = forked.begin("resume", "t")
    second.until(lambda: len(lines(effects)) == 2)
    follower.until(lambda: follower.stderr.count("holding") == 2)
    Path(f"{effects}.go").touch()
    second.wait(check=0)
    done = follower.wait(check=0)
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert [("holding", 1), ("holding", 2), ("let go", 2)] == [
        (line["line"], line["attempt"]) for line in shown
    ]


def test_an_attempt_that_was_taken_back_is_followed(forked: Forked, effects: Path) -> None:
    """A step that waits for an answer begins anew later, in the same log: no line is told twice."""
    run = forked.begin("start", f"{PRINTS}:asked", "-t", "t")
    run.until(effects.exists)
    follower = forked.begin("logs", "t", "-f", "--json-lines", merged=True)
    follower.until(lambda: "asking" in follower.stderr)
    Path(f"{effects}.go").touch()
    run.wait(check=3)
    forked.run("answer", "t", "yes", "-q", check=0)
    shown = [json.loads(line) for line in follower.wait(check=0).stdout.splitlines()]
    assert ["asking", "asking", "yes"] == [line["line"] for line in shown]


def test_a_step_stands_for_what_is_inside_it(forked: Forked, effects: Path) -> None:
    """The logs of a subgraph are those of its steps."""
    forked.run("start", f"{PRINTS}:nested", "-t", "t", "-q", check=0)
    assert ["deep"] == said(forked, "t", "outer")
    assert ["deep"] == said(forked, "t", "outer/deep")


def test_tail_and_attempt_choose_lines(forked: Forked, effects: Path) -> None:
    """The last lines, those of one attempt; a step that has not begun is no step."""
    run = forked.begin("start", f"{PRINTS}:held", "-t", "t")
    run.until(effects.exists)
    wait_for(lambda: said(forked, "t") == ["holding"])
    run.kill()
    Path(f"{effects}.go").touch()
    forked.run("resume", "t", "-q", check=0)
    assert ["let go"] == said(forked, "t", "--tail", "1")
    assert ["holding"] == said(forked, "t", "hold", "--attempt", "1")
    assert 66 == forked.run("logs", "t", "nothing").exit_status
    assert 2 == forked.run("logs", "t", "--tail", "-1").exit_status
    assert 2 == forked.run("logs", "t", "-f", "--json").exit_status
