"""``durajob workflows``: what can be started here, importing none of it."""

from __future__ import annotations

from durajob.catalogue import WorkflowInfo, Workflows
from durajob.config.settings import Settings
from durajob.registry import BUILT_IN, Definition, Registry


def workflows(*, settings: Settings) -> Workflows:
    """Every workflow by name: those of the workflows.toml, then the built-in ones.

    Raises:
        ConfigError: when the workflows.toml is not right.
    """
    definitions = Registry(settings.file).definitions()
    hidden = [
        each.name
        for each in definitions
        if each.name in BUILT_IN and each.target != BUILT_IN[each.name].target
    ]
    return Workflows(
        workflows=tuple(info(each) for each in definitions),
        file=str(settings.file) if settings.file else None,
        notes=tuple(f"{name}: {settings.file} hides the built-in one" for name in hidden),
        next_command=f"durajob start {definitions[0].name}",
    )


def info(definition: Definition) -> WorkflowInfo:
    """A definition as it is shown."""
    return WorkflowInfo(
        name=definition.name,
        source=definition.source,
        target=definition.target,
        description=definition.description,
        thread=definition.thread,
    )
