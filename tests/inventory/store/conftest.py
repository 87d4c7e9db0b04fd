import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attrs import frozen

from northflank_async.inventory.store.connections import Database
from northflank_async.inventory.store.target import Target
from tests.support.pgbouncer import PgBouncer
from tests.support.pgbouncer import pgbouncer as pgbouncer
from tests.support.postgresql import PostgreSQL


@frozen
class ServerDatabase:
    """A database of the tests' PostgreSQL, and the URL to reach it, directly or through PgBouncer."""

    server: PostgreSQL
    name: str
    url: str

    def query(self, query: str) -> list[str]:
        return self.server.query(self.name, query)

    def sessions(self) -> int:
        """Count the sessions in this database, other than the one that counts."""
        (count,) = self.query(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(count)

    def terminate_sessions(self) -> None:
        self.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def create_database(server: PostgreSQL) -> ServerDatabase:
    name = f"test_{secrets.token_hex(8)}"
    return ServerDatabase(server, name, server.create(name))


@pytest.fixture
def direct(postgresql: PostgreSQL) -> ServerDatabase:
    """A new database."""
    return create_database(postgresql)


@pytest.fixture
def pooled(pgbouncer: PgBouncer) -> ServerDatabase:
    """A new database behind PgBouncer."""
    created = create_database(pgbouncer.server)
    return ServerDatabase(created.server, created.name, pgbouncer.url(created.name))


@pytest.fixture(params=["direct", "pooled"])
def server_database(request: pytest.FixtureRequest) -> ServerDatabase:
    """A new database, reached in both ways."""
    database: ServerDatabase = request.getfixturevalue(request.param)
    return database


@pytest.fixture(params=["sqlite", "direct", "pooled"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """A new database of each kind; the file is absent."""
    if request.param == "sqlite":
        return Target.parse(tmp_path / "inventory.db")
    database: ServerDatabase = request.getfixturevalue(request.param)
    return Target.parse(database.url)


@pytest.fixture
async def database(target: Target) -> AsyncIterator[Database]:
    """The target, opened; a file is empty."""
    if target.path is not None:
        target.path.touch()
    async with Database(target) as opened:
        yield opened
