"""Workflows, findings and what ``init`` made: as JSON and as pages."""

from __future__ import annotations

from typing import Any

from durajob.catalogue import Finding, Health, Initialised, WorkflowInfo, Workflows
from durajob.render import marks
from durajob.render.envelope import error_object
from durajob.render.pages import LONGEST_VALUE, Block, Cell, Column, Fields, Grid
from durajob.render.text import cut, one_line


def workflows_data(result: Workflows) -> dict[str, Any]:
    """The registry."""
    return {"workflows": [_workflow(each) for each in result.workflows], "file": result.file}


def workflows_page(result: Workflows, now: int, terminal: bool) -> list[Block]:
    """A row for each."""
    columns = (
        Column(title="workflow"),
        Column(title="description", least=30),
        Column(title="target", least=12),
        Column(title="from", least=8),
    )
    rows = [_workflow_row(workflow) for workflow in result.workflows]
    return [Grid(columns=columns, rows=rows)] if rows else []


def health_data(result: Health) -> dict[str, Any]:
    """What ``doctor`` found."""
    return {"findings": [_finding(each) for each in result.findings], "store": result.store}


def health_page(result: Health, now: int, terminal: bool) -> list[Block]:
    """Whole, however long, for a cure is typed as it stands."""
    rows = []
    for finding in result.findings:
        look = _LEVELS[finding.level]
        head = "" if finding.level == "ok" else f"{finding.level}: "
        text = cut(one_line(head + finding.message), LONGEST_VALUE)
        rows.append((finding.check, Cell(text=text, mark=look.mark, style=look.style)))
        if finding.hint:
            rows.append(("", Cell(text=f"cure: {one_line(finding.hint)}", style=marks.HINT)))
    return [Fields(rows=rows)]


def initialised_data(result: Initialised) -> dict[str, Any]:
    """The files that were made."""
    return {"created": list(result.created)}


def initialised_page(result: Initialised, now: int, terminal: bool) -> list[Block]:
    """A line for each."""
    return [Fields(rows=[("created", Cell(text=one_line(path))) for path in result.created])]


def _workflow(workflow: WorkflowInfo) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "source": workflow.source,
        "target": workflow.target,
        "description": workflow.description,
        "thread": workflow.thread,
        "problem": error_object(workflow.problem),
        "steps": list(workflow.steps),
    }


def _workflow_row(workflow: WorkflowInfo) -> list[Cell]:
    problem = workflow.problem
    look = marks.PROBLEM if problem else marks.FINE if workflow.steps else None
    hint = f"; {problem.hint}" if problem and problem.hint else ""
    said = one_line(problem.message + hint if problem else workflow.description)
    return [
        Cell(
            text=one_line(workflow.name),
            mark=look.mark if look else "",
            style=look.style if look else marks.TITLE,
        ),
        Cell(text=said, style="red" if problem else ""),
        Cell(text=one_line(workflow.target)),
        Cell(text=one_line(workflow.source), style=marks.LABEL),
    ]


_LEVELS = {"ok": marks.FINE, "warning": marks.WARNING, "error": marks.PROBLEM}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "level": finding.level,
        "message": finding.message,
        "hint": finding.hint,
    }
