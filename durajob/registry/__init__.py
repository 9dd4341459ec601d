"""Names to workflows: the built-in ones, those of workflows.toml, and targets typed by hand.

``definitions`` knows what there is and imports nothing of it; ``loading`` makes a graph of one
definition, and with ``imports`` is the only place that runs users' code to get at a workflow.
"""

from durajob.registry.definitions import BUILT_IN, Definition, Registry
from durajob.registry.loading import Loaded, load

__all__ = ["BUILT_IN", "Definition", "Loaded", "Registry", "load"]
