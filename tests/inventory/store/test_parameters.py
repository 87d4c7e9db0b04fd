"""The parameters of a `postgresql://` URL do what libpq documents, on a real server."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from attrs import frozen
from sqlalchemy import Connection, text

from northflank_async.inventory.store.connections import Database
from northflank_async.inventory.store.target import Target
from tests.inventory.store.conftest import ServerDatabase, create_database
from tests.support.pgbouncer import PgBouncer
from tests.support.postgresql import PostgreSQL, free_port

pytestmark = pytest.mark.slow

ROLE, PASSWORD = "secured", "p@ss/w:rd?#%"


@frozen
class Secured:
    """The server with TLS, and with a role that needs a password."""

    database: ServerDatabase
    certificate: Path

    def url(self, query: str, *, host: str = "127.0.0.1", password: str = PASSWORD) -> str:
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{ROLE}{secret}@{host}:{self.database.server.port}/{self.database.name}?{query}"


def make_certificate(certificate: Path, key: Path) -> None:
    """Make a certificate of the server that the tests start."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def secured(postgresql: PostgreSQL) -> Iterator[Secured]:
    database = create_database(postgresql)
    folder = postgresql.directory / "tls"
    folder.mkdir()
    certificate, key = folder / "server.crt", folder / "server.key"
    make_certificate(certificate, key)
    key.chmod(0o600)
    if os.geteuid() == 0:
        for path in (folder, key, certificate):
            subprocess.run(["chown", "postgres", str(path)], check=True)
    rules = postgresql.directory / "data" / "pg_hba.conf"
    former = rules.read_text()
    rules.write_text(f"hostssl all {ROLE} 127.0.0.1/32 scram-sha-256\nhost all {ROLE} 127.0.0.1/32 reject\n{former}")
    database.query(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
    for setting in (f"ssl_cert_file = '{certificate}'", f"ssl_key_file = '{key}'", "ssl = on"):
        database.query(f"ALTER SYSTEM SET {setting}")
    database.query("SELECT pg_reload_conf()")
    while database.query("SHOW ssl") != ["on"]:
        time.sleep(0.01)
    yield Secured(database, certificate)
    database.query("ALTER SYSTEM RESET ssl")
    rules.write_text(former)
    database.query("SELECT pg_reload_conf()")
    database.query(f"DROP ROLE {ROLE}")


async def ask(url: str, question: str) -> str:
    async with Database(Target.parse(url)) as database:

        def work(connection: Connection) -> str:
            return str(connection.execute(text(question)).scalar())

        return await database.read(work)


ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


async def refused(url: str) -> str:
    """The reason why a connection is not made; no secret is in it."""
    with pytest.raises(OSError) as caught:  # noqa: PT011 # each test looks at the message
        await ask(url, ENCRYPTED)
    assert PASSWORD not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    assert quote(PASSWORD, safe="") not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    return str(caught.value)


async def test_tls_is_verified_by_the_urls_certificate(secured: Secured, tmp_path: Path) -> None:
    root = quote(str(secured.certificate), safe="")
    assert await ask(secured.url(f"sslmode=verify-full&sslrootcert={root}"), ENCRYPTED) == "True"
    assert await ask(secured.url("sslmode=require"), ENCRYPTED) == "True"
    other = tmp_path / "other.crt"
    make_certificate(other, tmp_path / "other.key")
    assert "verify failed" in await refused(secured.url(f"sslmode=verify-ca&sslrootcert={quote(str(other), safe='')}"))
    assert "does not match host name" in await refused(
        secured.url(f"sslmode=verify-full&sslrootcert={root}", host="localhost")
    )
    assert "/missing" in await refused(secured.url("sslmode=verify-ca&sslrootcert=/missing"))
    assert "pg_hba.conf rejects" in await refused(secured.url("sslmode=disable"))


async def test_a_password_is_read_from_the_url_or_from_a_passfile(secured: Secured, tmp_path: Path) -> None:
    assert await ask(secured.url("sslmode=require"), "SELECT current_user") == ROLE
    file = tmp_path / "passwords"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    file.write_text(f"*:*:*:{ROLE}:{escaped}\n")
    file.chmod(0o600)
    url = secured.url(f"sslmode=require&passfile={quote(str(file), safe='')}", password="")
    assert await ask(url, "SELECT current_user") == ROLE
    assert "password authentication failed" in await refused(secured.url("sslmode=require", password="another"))
    assert "no password supplied" in await refused(secured.url("sslmode=require&passfile=/missing", password=""))


async def test_channel_binding_and_required_authentication_are_honored(secured: Secured) -> None:
    query = "sslmode=require&channel_binding=require&require_auth=scram-sha-256"
    assert await ask(secured.url(query), "SELECT current_user") == ROLE
    url = f"postgresql://northflank@127.0.0.1:{secured.database.server.port}/{secured.database.name}"
    assert "authentication method requirement" in await refused(f"{url}?require_auth=scram-sha-256")


async def test_options_and_the_applications_name_reach_the_server(direct: ServerDatabase) -> None:
    query = "options=-c%20work_mem%3D12345kB%20-c%20statement_timeout%3D5min&application_name=nightly"
    assert await ask(f"{direct.url}?{query}", "SHOW work_mem") == "12345kB"
    assert await ask(f"{direct.url}?{query}", "SHOW statement_timeout") == "5min"
    assert await ask(f"{direct.url}?{query}", "SHOW application_name") == "nightly"
    assert await ask(direct.url, "SHOW application_name") == "northflank-async"


async def test_several_hosts_are_tried_in_turn(direct: ServerDatabase) -> None:
    port = direct.server.port
    url = f"postgresql://northflank@127.0.0.1:{free_port()},127.0.0.1:{port}/{direct.name}?connect_timeout=2"
    assert await ask(f"{url}&target_session_attrs=read-write", "SELECT inet_server_port()") == str(port)
    assert "standby" in await refused(f"{url}&target_session_attrs=standby")


async def test_a_host_that_does_not_answer_is_given_up_after_connect_timeout(direct: ServerDatabase) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        url = f"postgresql://northflank@127.0.0.1:{port},127.0.0.1:{direct.server.port}/{direct.name}"
        assert await ask(f"{url}?connect_timeout=2", "SELECT inet_server_port()") == str(direct.server.port)


async def test_a_host_may_be_a_socket(direct: ServerDatabase) -> None:
    folder = quote(str(direct.server.directory), safe="")
    url = f"postgresql://northflank@{folder}:{direct.server.port}/{direct.name}"
    assert await ask(url, "SELECT inet_server_port() IS NULL") == "True"


@pytest.mark.parametrize("query", ["sslmode=bogus", "target_session_attrs=bogus"])
async def test_a_value_that_libpq_rejects_is_an_error_without_secrets(direct: ServerDatabase, query: str) -> None:
    url = f"postgresql://northflank:{quote(PASSWORD, safe='')}@127.0.0.1:{direct.server.port}/{direct.name}?{query}"
    assert "bogus" in await refused(url)


async def test_a_pooler_that_refuses_a_parameter_says_so(pooled: ServerDatabase, pgbouncer: PgBouncer) -> None:
    assert "options" in await refused(f"{pooled.url}?options=-c%20work_mem%3D1MB")
    assert await ask(f"{pooled.url}?application_name=nightly", "SHOW application_name") == "nightly"
