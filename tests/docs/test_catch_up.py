"""The page about cron: its session of a machine that was off, on a clock that is set."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from tests.docs.pages import DOCS, blocks
from tests.docs.sessions import FOLDER, matches, steps
from tests.forked import Forked

_DAY = re.compile(r"  # on \w+, (\d+) (\w+)")


def test_slots_that_were_missed_are_caught_up_as_the_page_shows(forked: Forked) -> None:
    """Each line runs at nine on the day that it names; what has run is found done."""
    page = blocks((DOCS / "cron.md").read_text())
    (caught,) = (block for block in page if block.file == "caught.toml")
    (forked.cwd / "caught.toml").write_text(caught.text)
    (session,) = (block for block in page if block.not_run and "tick -q  # on Sunday" in block.text)
    for command, shown in steps(session.text):
        day = _DAY.search(command)
        assert day is not None, f"no day is named: {command}"
        at = datetime.strptime(f"2026 {day[1]} {day[2]} 09 +0000", "%Y %d %B %H %z")
        env = {"FAULTS": "set_clock_to", "CLOCK": str(int(at.astimezone(UTC).timestamp()))}
        words = command[: day.start()].split()[1:]
        done = forked.begin(*words, merged=True, env=env).wait(check=0)
        printed = done.stderr.replace(str(forked.cwd), FOLDER)
        assert matches(shown, printed), f"$ {command}\n--- shown\n{shown}--- printed\n{printed}"
