"""A PostgreSQL server for tests, on a free port."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from attrs import field, frozen

USER = "northflank"
_FAST = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"
"""Only a crash of the machine would lose data."""


@frozen
class PostgreSQL:
    """A running server."""

    bin: Path
    directory: Path
    port: int = field(factory=lambda: free_port())

    def run(self, command: str, *arguments: str) -> str:
        """Run one of its programs, not as root, which they refuse."""
        user = "postgres" if os.geteuid() == 0 else None
        done = subprocess.run(
            [self.bin / command, *arguments],
            user=user, cwd=self.directory, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def url(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://{USER}:no-password@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Create a database and return its URL."""
        self.query("postgres", f'CREATE DATABASE "{database}"')
        return self.url(database)

    def query(self, database: str, query: str) -> list[str]:
        """Return the rows of the last statement as text, with `|` between the columns, as `psql -At` prints them."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            result = connection.pgconn.exec_(query.encode())
            assert not result.error_message, result.error_message.decode()
            return [
                "|".join((result.get_value(row, column) or b"").decode() for column in range(result.nfields))
                for row in range(result.ntuples)
            ]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Start a server. If none is installed, skip the test; in CI, fail it."""
    found = _find_programs()
    if found is None:
        message = "PostgreSQL is not installed (Debian's package is postgresql)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with _serving(found) as server:
        yield server


@contextmanager
def _serving(programs: Path) -> Iterator[PostgreSQL]:
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
    server = PostgreSQL(programs, directory)
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres")
        data = str(directory / "data")
        server.run("initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = f"-p {server.port} -k {directory} -h 127.0.0.1 {_FAST}"
        server.run("pg_ctl", "-D", data, "-l", str(directory / "log"), "-o", options, "-w", "start")
        try:
            yield server
        finally:
            server.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(directory)


def _find_programs() -> Path | None:
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = debian[-1] if debian else on_path and Path(on_path)
    return found.parent if found else None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
