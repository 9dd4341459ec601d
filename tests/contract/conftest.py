"""Every test of the contract runs on every kind of store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.stores import KINDS, Kind


@pytest.fixture(params=sorted(KINDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """An empty store of each kind."""
    return KINDS[request.param](tmp_path)
