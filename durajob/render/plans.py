"""What a resume would do: as JSON and as a page."""

from __future__ import annotations

from typing import Any

from durajob.durations import counted
from durajob.model import Plan
from durajob.render import marks
from durajob.render.envelope import error_object
from durajob.render.objects import thread_object
from durajob.render.pages import MANY_BRANCHES, Block, Cell, Fields, names_text, status_cell
from durajob.render.text import one_line


def plan_data(plan: Plan) -> dict[str, Any]:
    """The thread whole, and what would run, be reused or be refused."""
    shown = {
        "verdict": plan.verdict,
        "again": [
            {**each._asdict(), "status": None if each.status is None else each.status.value}
            for each in plan.again
        ],
        "reused": [each._asdict() for each in plan.reused],
        "compensations": list(plan.compensations),
        "refused": [error_object(each) for each in plan.refused],
    }
    return {"thread": thread_object(plan.thread, whole=True), "plan": shown}


def plan_page(plan: Plan, now: int, terminal: bool) -> list[Block]:
    """The same in a few lines."""
    thread = plan.thread
    rows = [
        ("thread", Cell(text=one_line(thread.thread), style=marks.TITLE)),
        ("status", status_cell(thread.status)),
        ("resume", Cell(text=_VERDICTS[plan.verdict])),
    ]
    for each in plan.refused:
        rows.append(("refused", Cell(text=one_line(each.message), style="red")))
        if each.hint:
            rows.append(("", Cell(text=one_line(each.hint), style=marks.HINT)))
    for step in plan.again[:MANY_BRANCHES]:
        done = f": {step.status.value} at attempt {step.attempts}" if step.status else ""
        visit = f" visit {step.visit}" if step.visit and step.visit > 1 else ""
        rows.append(("runs", Cell(text=one_line(step.step) + visit + done)))
    if left := plan.again[MANY_BRANCHES:]:
        names = names_text([step.step for step in left])
        rows.append(("runs", Cell(text=f"and {len(left)} more: {names}")))
    if plan.compensations:
        rows.append(("compensates", Cell(text=one_line(", ".join(plan.compensations)))))
    for source in ("ledger", "checkpoint"):
        if reused := [step.step for step in plan.reused if step.source == source]:
            text = f"{counted(len(reused), 'step')} from the {source}: {names_text(reused)}"
            rows.append(("reused", Cell(text=text)))
    return [Fields(rows=rows)]


_VERDICTS = {
    "runs": "it goes on",
    "compensates": "it undoes what it has done",
    "waits": "it waits for an answer, and nothing is run",
    "sleeps": "it sleeps on, and nothing is run",
    "refused": "it is refused",
    "nothing": "it has ended, and nothing is run",
}
