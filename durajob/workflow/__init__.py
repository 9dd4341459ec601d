"""The builder with which users write a workflow in Python: ``from durajob import Workflow``.

What a user declares is checked here and becomes a plain LangGraph ``StateGraph`` plus a
policy for each step that asked for one; nothing here runs a step. LangGraph is imported only
when ``graph()`` is called. A policy gets its keyword on ``step`` and ``map`` when the engine
keeps it.
"""

from durajob.workflow.builder import Workflow
from durajob.workflow.compensation import Compensate, CompensationFunction
from durajob.workflow.declared import Included, MapFunction, StepFunction, StepRef
from durajob.workflow.options import Lock
from durajob.workflow.retry import Retry

__all__ = [
    "Compensate",
    "CompensationFunction",
    "Included",
    "Lock",
    "MapFunction",
    "Retry",
    "StepFunction",
    "StepRef",
    "Workflow",
]
