"""Databases for the inventory."""

from pathlib import Path

import pytest

from tests.support.postgresql import PostgreSQL


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "inventory.db")
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return server.create(f"test_{abs(hash(tmp_path))}")
