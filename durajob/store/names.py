"""The names of threads, for whoever is typing one."""

from __future__ import annotations

from pathlib import Path

from durajob.store import read_queries as queries
from durajob.store.look import Look


def newest(path: Path, prefix: str, most: int) -> list[str]:
    """The ids of the newest threads that begin so."""
    if not prefix.isascii():
        return []
    values = {"prefix": prefix, "end": f"{prefix}\x7f", "most": most}
    with Look(path) as look:
        query = queries.NAMES_BEGINNING if prefix else queries.NAMES
        return [row[0] for row in look.rows(query, values)]
