"""Threads of slots: what is told by rule is what trying slots would show."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from durajob.config.load import check_config
from durajob.config.schedules import least_gap
from durajob.config.specs import ScheduleSpec, WorkflowSpec
from durajob.config.template import render_pattern, render_thread_id
from durajob.config.threads import tells_apart
from durajob.cron import parse_cron, times

START = round(datetime(2026, 10, 20, tzinfo=UTC).timestamp())
DIRECTIVES = ("%Y", "%m", "%d", "%H", "%M", "%j", "%G", "%V", "%u", "%y")


def _any_cron(dice: random.Random) -> str:
    def field(least: int, most: int) -> str:
        first = dice.randint(least, most)
        last = dice.randint(first, most)
        kinds = ("*", f"*/{dice.randint(2, 30)}", f"{first}", f"{first}-{last}", f"{first},{last}")
        return dice.choice(kinds)

    return f"*/{dice.choice((1, 20, 60))} {field(0, 23)} {field(1, 28)} * *".replace(
        "*/60", f"{dice.randrange(60)}"
    )


@pytest.mark.parametrize("seed", range(60))
def test_slots_that_a_template_tells_apart_have_threads_of_their_own(seed: int) -> None:
    """Through the hour that is repeated, too; and never are two of them closer than is said."""
    dice = random.Random(seed)
    cron = _any_cron(dice)
    slots = list(islice(times(parse_cron(cron), ZoneInfo("Europe/Oslo"), after=START), 3000))
    steady = [slot for slot in slots if slot < START + 4 * 86400]
    assert all(b - a >= least_gap(parse_cron(cron)) for a, b in pairwise(steady))
    for _ in range(6):
        shown = dice.sample(DIRECTIVES, dice.randint(1, 8))
        template = f"x-{{slot:{''.join(shown)}}}"
        spec = WorkflowSpec(thread=template, schedule=ScheduleSpec(cron=cron))
        if tells_apart(spec, parse_cron(cron)):
            where = [datetime.fromtimestamp(slot, ZoneInfo("Europe/Oslo")) for slot in slots]
            threads = {
                render_thread_id(template, workflow="x", slot=slot, input={}) for slot in where
            }
            assert len(slots) == len(threads), (cron, template)


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns", "Asia/Tokyo"])
def test_a_pattern_is_that_of_every_thread_id(zone: str) -> None:
    """What stands in it for a digit or a sign is one, and all else is there."""
    dice = random.Random(zone)
    for _ in range(50):
        shown = dice.sample((*DIRECTIVES, "%z", "%S"), 4)
        template = dice.choice(("{workflow}", "{input[k]}.", "a7")) + "{slot:" + "".join(shown)
        template += dice.choice(("}", "}{slot}", "}-9"))
        slot = datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)) + timedelta(hours=dice.randrange(9000))
        if slot.fold:
            continue
        pattern = render_pattern(template, workflow="w", input={"k": 12})
        thread = render_thread_id(template, workflow="w", slot=slot, input={"k": 12})
        found = [
            "?" if wanted == "?" and each.isdigit() else
            "!" if wanted == "!" and each in "+-" else each
            for wanted, each in zip(pattern, thread, strict=True)
        ]  # fmt: skip
        assert pattern == "".join(found)


@pytest.mark.parametrize(
    ("first", "second", "collide"),
    [
        ("x-{slot:%Y-%m-%d}", "x-{slot:%Y-%m-%d}", True),
        ("x-{slot:%Y-%m-%d}", "x-{slot:%Y-%d-%m}", True),
        ("b-{slot:%Y-%m-%dT%H%M}", None, True),
        ("x-{slot:%Y%m%d}", "x-2026{slot:%m%d}", True),
        ("x-2025{slot:%m%d}", "x-2026{slot:%m%d}", False),
        ("x-{slot:%Y-%m-%d}", "y-{slot:%Y-%m-%d}", False),
        ("x-{slot:%Y-%m-%d}", "x-{slot:%Y%m%d}", False),
        ("x1-{slot:%Y-%m-%d}", "x2-{slot:%Y-%m-%d}", False),
        ("{workflow}-{slot:%Y-%m-%d}", "{workflow}-{slot:%Y-%m-%d}", False),
        ("x{slot:%z%Y%m%d}", "x{slot:%H%M%Y%m%d}", False),
    ],
)
def test_two_templates_that_could_give_one_thread(
    tmp_path: Path, first: str, second: str | None, collide: bool
) -> None:
    """The second workflow is refused, whatever day it is; the first is right."""
    path = tmp_path / "workflows.toml"
    path.write_text(
        "".join(
            f'[workflows.{name}]\ngraph = "./f.py:g"\nschedule = {{ cron = "@daily" }}\n'
            + ("" if template is None else f'thread = "{template}"\n')
            for name, template in (("a", first), ("b", second))
        )
    )
    config, problems = check_config(path)
    assert (["b"] if collide else []) == list(problems)
    assert (["a"] if collide else ["a", "b"]) == list(config.workflows)
