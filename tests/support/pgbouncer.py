"""A PgBouncer in transaction mode before the tests' PostgreSQL, on a port of its own."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from attrs import field, frozen

from tests.support.postgresql import USER, PostgreSQL, free_port

PROGRAM = "/usr/sbin/pgbouncer"
_PATIENCE = 30.0
"""Seconds in which it has to answer."""


@frozen
class PgBouncer:
    """A running pooler, with few connections to the server, which its clients share."""

    server: PostgreSQL
    directory: Path
    port: int = field(factory=free_port)

    def url(self, database: str) -> str:
        """Name a database of the server by the pooler."""
        return f"postgresql://{USER}:no-password@127.0.0.1:{self.port}/{database}"

    @property
    def settings(self) -> str:
        return "\n".join(
            [
                "[databases]",
                f"* = host=127.0.0.1 port={self.server.port}",
                "[pgbouncer]",
                "listen_addr = 127.0.0.1",
                f"listen_port = {self.port}",
                "unix_socket_dir =",
                "auth_type = trust",
                f"auth_file = {self.directory / 'users'}",
                f"admin_users = {USER}",
                "pool_mode = transaction",
                "default_pool_size = 2",
                f"logfile = {self.directory / 'log'}",
                f"pidfile = {self.directory / 'pid'}",
            ]
        )


@pytest.fixture(scope="session")
def pgbouncer(postgresql: PostgreSQL) -> Iterator[PgBouncer]:
    """The pooler. Where none is installed, the test is skipped, but in CI it fails."""
    program = shutil.which("pgbouncer") or shutil.which(PROGRAM)
    if program is None:
        message = "PgBouncer is not installed (Debian's package is pgbouncer)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with _serving(program, postgresql) as pooler:
        yield pooler


@contextmanager
def _serving(program: str, server: PostgreSQL) -> Iterator[PgBouncer]:
    directory = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    pooler = PgBouncer(server, directory)
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to be root
    try:
        (directory / "users").write_text(f'"{USER}" ""\n')
        (directory / "settings").write_text(pooler.settings)
        if user:
            for path in (directory, *directory.iterdir()):
                shutil.chown(path, user)
        process = subprocess.Popen(
            [program, "--quiet", str(directory / "settings")],
            user=user, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(pooler, process)
            yield pooler
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(directory)


def _wait_for(pooler: PgBouncer, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            psycopg.connect(pooler.url("postgres")).close()
        except psycopg.OperationalError as error:
            log = pooler.directory / "log"
            ended = process.poll() is not None or time.monotonic() > deadline
            assert not ended, f"{error}\n{log.read_text() if log.exists() else ''}"
            time.sleep(0.05)
        else:
            return
