"""From a definition's target to a graph: the only place that imports users' code to get at one."""

from durajob.targets.loading import Loaded, load

__all__ = ["Loaded", "load"]
