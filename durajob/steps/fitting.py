"""Whether an answer fits the JSON Schema that its question came with.

The one place that imports jsonschema, and only once there is a schema: it takes a while.
"""

from __future__ import annotations

from typing import Any


def check_schema(schema: Any) -> None:
    """Refuse what is no JSON Schema.

    Raises:
        ValueError: saying where it breaks which rule.
    """
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for

    if not isinstance(schema, dict):
        raise ValueError(f"a JSON Schema is a dict, not {schema!r:.100}")
    meta = validator_for(schema).META_SCHEMA
    error = best_match(validator_for(meta)(meta).iter_errors(schema))
    if error is not None:
        raise ValueError(_told(error))


def misfit(schema: dict[str, Any], answer: Any) -> str | None:
    """Where the answer breaks which rule of the schema; None when it fits."""
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # A registry of its own, so that nothing is ever fetched from elsewhere.
    validator = validator_for(schema)(schema, registry=Registry())
    try:
        error = best_match(validator.iter_errors(answer))
    except Unresolvable as unknown:
        return f"the schema refers to {unknown.ref!r}, which it does not hold"
    return None if error is None else _told(error)


def _told(error: Any) -> str:
    return f"at {error.json_path}: {error.message} ({error.validator})"
