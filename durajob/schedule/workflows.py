"""The workflows.toml as ticks need it: read when something is due, and no sooner."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from durajob.errors import ConfigError

if TYPE_CHECKING:
    from durajob.config.specs import Config
    from durajob.schedule.booking import Scheduled

MAX_RUNNING = 16
"""How many threads ticks drive at once, where the file does not say ``max_running``."""


class Workflows:
    """What a workflows.toml says of schedules and recovery."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._only: Collection[str] | None = None

    def narrow(self, names: Collection[str]) -> None:
        """No other workflows are needed, and the file is as it was when nothing was wrong in it."""
        self._only = frozenset(names)

    @property
    def is_whole(self) -> bool:
        """Whether ``scheduled`` has all of the file's."""
        return self._only is None

    @property
    def stamp(self) -> str:
        """What the file is now: another stamp, and it has to be read anew."""
        if self.file is None:
            return ""
        try:
            status = os.stat(self.file)
        except OSError:
            return ""  # reading it will say what is wrong
        return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"

    @cached_property
    def scheduled(self) -> Mapping[str, Scheduled]:
        """The workflows that have a schedule, by name."""
        config = self._read[0]
        if config is None:
            return {}
        from durajob.registry import Registry
        from durajob.schedule.booking import scheduled

        registry = Registry(self.file, config=config)
        names = [name for name, spec in config.workflows.items() if spec.schedule is not None]
        return scheduled(registry.get(name) for name in names)

    @property
    def problems(self) -> Mapping[str, ConfigError]:
        """Workflows that are not right: they hold no other up."""
        return self._read[1]

    @property
    def most(self) -> int:
        """How many threads are driven at once."""
        config = self._read[0]
        return (config.defaults.max_running if config else None) or MAX_RUNNING

    def recovers(self, workflow: str) -> bool:
        """Whether threads of a workflow that nobody goes on with are resumed by themselves."""
        config, problems = self._read_whole
        if config is None or workflow in problems:
            return False
        spec = config.workflows.get(workflow)
        said = None if spec is None else spec.recover
        return config.defaults.recover if said is None else said

    @cached_property
    def _read(self) -> tuple[Config | None, Mapping[str, ConfigError]]:
        if self.file is None or self._only is None:
            return self._read_whole
        from durajob.config.load import check_config

        return check_config(self.file, only=self._only)

    @cached_property
    def _read_whole(self) -> tuple[Config | None, Mapping[str, ConfigError]]:
        if self.file is None:
            return None, {}
        from durajob.config.load import check_config  # msgspec: only where something is due

        return check_config(self.file)
