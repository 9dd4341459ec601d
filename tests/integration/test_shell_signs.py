"""Signs of life of shell steps: their progress, and what becomes of those that give none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from durajob.model import StepProgress
from durajob.steps.signs import Signs
from tests.forked import Forked
from tests.harness import wait_for
from tests.integration.judge import lines
from tests.integration.test_shell_steps import configure, is_running, start, step


def progress(forked: Forked) -> Any:
    """The progress of the first step, as status has it."""
    return forked.run("status", "t", "--json").thread["steps"][0].get("progress")


def test_the_last_line_of_the_progress_file_is_shown(forked: Forked, effects: Path) -> None:
    """While the command runs; lines may be appended, or the file written anew."""
    configure(
        step(
            "copy",
            'echo 3/10 >> $DURAJOB_PROGRESS; echo "4/10 the fourth file" >> $DURAJOB_PROGRESS\n'
            "echo begun >> $EFFECTS\n"
            "until test -e $EFFECTS.go; do sleep 0.05; done\n"
            'echo "5.5" > $DURAJOB_PROGRESS; echo gone >> $EFFECTS\n'
            "until test -e $EFFECTS.end; do sleep 0.05; done\n"
            "echo nearly >> $DURAJOB_PROGRESS",
        )
    )
    run = forked.begin("start", "job", "-t", "t")
    run.until(lambda: lines(effects) == ["begun"])
    wait_for(lambda: progress(forked) == {"done": 4, "total": 10, "note": "the fourth file"})
    Path(f"{effects}.go").touch()
    run.until(lambda: lines(effects) == ["begun", "gone"])
    wait_for(lambda: progress(forked) == {"done": 5.5, "total": None, "note": None})
    Path(f"{effects}.end").touch()
    run.wait(check=0)
    told = [line["line"] for line in forked.run("logs", "t", "--json").json["data"]["lines"]]
    rule = "DONE, DONE/TOTAL, or either with a note"
    assert [f"in $DURAJOB_PROGRESS, 'nearly' is not {rule}"] == told


def test_a_silent_command_is_ended_and_one_that_gives_signs_is_not(
    forked: Forked, effects: Path
) -> None:
    """To print and to say how far one is are signs; the attempt of a silent one timed out."""
    loop = "for i in 1 2 3 4 5 6 7 8; do {}; sleep 0.25; done"
    configure(
        step("prints", loop.format("printf ."), idle_timeout="1500ms")
        + step("says", loop.format("echo $i >> $DURAJOB_PROGRESS"), idle_timeout="1500ms")
        + step(
            "hangs",
            "echo $$ >> $EFFECTS; test $DURAJOB_ATTEMPT = 2 || exec sleep 60",
            idle_timeout="500ms",
            retry={"on_exit": 124, "wait": "1ms"},
        )
    )
    thread = start(forked)
    assert [("prints", 1), ("says", 1), ("hangs", 2)] == [
        (each["step"], each["attempts"]) for each in thread["steps"]
    ]
    first, _ = lines(effects)
    assert not is_running(int(first))
    tried = forked.run("history", "t", "--json").json["data"]["entries"]
    (error,) = (each["error"] for each in tried if each.get("error"))
    assert "CommandTimeout" == error["type"]
    assert "it gave no sign of life for its idle_timeout of 500ms" == error["message"]


class _Told:
    """A step's context that keeps what it is told."""

    def __init__(self) -> None:
        self.reported: list[StepProgress] = []

    def printed(self) -> int:
        return 0

    def report(self, progress: StepProgress) -> None:
        self.reported.append(progress)

    def print(self, text: str, stream: str) -> None:
        pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("7\n", [StepProgress(7, None, None)]),
        ("1/2\n2 / 2 done\n\n", [StepProgress(2, 2, "done")]),
        ("1/2\n2/2", [StepProgress(1, 2, None)]),
        ("0.5/2\n", [StepProgress(0.5, 2, None)]),
        ("-1\n", []),
        ("1e400\n", []),
        ("x" * 10_000 + "\n3/4\n", [StepProgress(3, 4, None)]),
        ("", []),
    ],
)
def test_what_counts_is_the_last_whole_line(
    tmp_path: Path, text: str, told: list[StepProgress]
) -> None:
    """However long the file; what is no progress is none."""
    file, context = tmp_path / "progress", _Told()
    signs = Signs(context, str(file), None)  # type: ignore[arg-type] # all that it asks of one
    signs.look()
    file.write_text(text)
    signs.look()
    signs.look()
    assert told == context.reported
