"""The checks that the user names: what they see, what is captured, and how they end."""

import asyncio
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from northflank_async import AddonCredentials
from northflank_async.drill import CheckStatus, DrillOutcome
from northflank_async.drill.checks import Connection, check_command, check_query
from northflank_async.simulator import Provisioning
from tests.drill.stage import POSTGRESQL, stage
from tests.support.postgresql import USER, PostgreSQL

CREDENTIALS: dict[str, Any] = {
    "secrets": {"username": "a1b2c3d4e5f6", "password": "hunter22-and-more", "pin": "1234", "PATH": "/nowhere"},
    "envs": {"HOST": "primary.example.com", "PORT": "5432", "tlsEnabled": "true"},
}
CONNECTION = Connection.of(AddonCredentials(**CREDENTIALS))


async def run(command: str, timeout: float = 20.0, connection: Connection = CONNECTION) -> Any:
    return await check_command(command, connection, {"DRILL_BACKUP_ID": "b"}, timeout=timeout)


async def test_a_command_finds_the_connection_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORTHFLANK_API_TOKEN", "the-api-token")
    monkeypatch.setenv("OTHER", "inherited")
    result = await run(
        f'{sys.executable} -c \'import os, json; json.dump(dict(os.environ), open("{tmp_path}/e", "w"))\''
    )
    assert result.status == CheckStatus.PASSED, result
    seen = json.loads((tmp_path / "e").read_text())
    assert {name: value for name, value in seen.items() if name.startswith("DRILL_")} == {
        "DRILL_USERNAME": "a1b2c3d4e5f6",
        "DRILL_PASSWORD": "hunter22-and-more",
        "DRILL_PIN": "1234",
        "DRILL_PATH": "/nowhere",
        "DRILL_HOST": "primary.example.com",
        "DRILL_PORT": "5432",
        "DRILL_TLS_ENABLED": "true",
        "DRILL_BACKUP_ID": "b",
    }
    assert seen["OTHER"] == "inherited"
    assert seen["PATH"] != "/nowhere"
    assert "NORTHFLANK_API_TOKEN" not in seen


async def test_the_output_is_captured_without_secrets() -> None:
    result = await run(
        'echo "$DRILL_USERNAME:$DRILL_PASSWORD@$DRILL_HOST"; echo "$DRILL_PASSWORD" | base64 >&2; exit 1'
    )
    assert result.status == CheckStatus.FAILED
    assert result.message == "exit code 1"
    assert result.output.startswith("***:***@primary.example.com\n***")
    assert "hunter22" not in repr(result)


async def test_short_secrets_are_hidden_too() -> None:
    credentials = AddonCredentials(secrets={"password": "abc", "username": "me"}, envs={})
    result = await run('echo "welcome $DRILL_USERNAME, $DRILL_PASSWORD"', connection=Connection.of(credentials))
    assert result.output == "welcome ***, ***"


async def test_only_the_end_of_a_long_output_is_kept() -> None:
    result = await run("yes 0123456789 | head -c 3000000; echo; echo the end")
    assert result.status == CheckStatus.PASSED
    assert len(result.output) <= 4000
    assert result.output.endswith("\nthe end")


async def test_a_command_has_no_input() -> None:
    assert (await run("cat")).status == CheckStatus.PASSED


@pytest.mark.parametrize(
    "command", ["sleep 300", "trap '' TERM; sleep 300 & wait; sleep 300", "sleep 300 & echo started; sleep 300"]
)
@pytest.mark.slow
async def test_a_command_that_hangs_is_ended_with_all_that_it_started(command: str) -> None:
    result = await run(f"echo $$; {command}", timeout=0.3)
    assert (result.status, result.message) == (CheckStatus.FAILED, "not done within 0.3 s")
    group = int(result.output.split()[0])
    assert not await members(group)


async def test_what_a_command_leaves_in_the_background_is_ended() -> None:
    result = await run("sleep 300 & echo $$")
    assert result.status == CheckStatus.PASSED
    assert not await members(int(result.output))


async def test_a_command_that_is_cancelled_is_ended(tmp_path: Path) -> None:
    running = asyncio.create_task(run(f"echo $$ > {tmp_path}/pid; sleep 300"))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().endswith("\n"):
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not await members(int((tmp_path / "pid").read_text()))


async def test_a_command_that_is_cancelled_while_it_starts_is_ended(tmp_path: Path) -> None:
    running = asyncio.create_task(run(f"echo $$ > {tmp_path}/pid; sleep 300"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it is starting
    deadline = time.monotonic() + 10
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.01)  # noqa: ASYNC251 - its parent does not notice
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0.1)
    if (tmp_path / "pid").exists():
        assert not await members(int((tmp_path / "pid").read_text()))


async def members(group: int) -> list[str]:
    """The processes of a group, except those that have ended."""
    for _ in range(3000):  # what has been killed may take a while on a busy machine
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, member = stat.read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(member) == group and state != "Z":
                found.append(stat.parent.name)
        if not found:
            return []
        await asyncio.sleep(0.01)
    return found


# A whole drill


async def test_no_log_and_no_result_shows_the_credentials(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "northflank_async")
    async with stage(provisioning=Provisioning(credentials=CREDENTIALS)) as at:
        result = await at.drill(check="env; exit 1")
    assert result.outcome == DrillOutcome.FAILED
    assert "restore drill: running the command" in caplog.text
    for secret in ("a1b2c3d4e5f6", "hunter22-and-more", "1234\n"):
        assert secret not in f"{caplog.text}{result!r}{result.checks[-1].output}"


# Queries


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("SELECT 1", CheckStatus.PASSED, "the first value is 1"),
        ("SELECT count(*) > 10 FROM pg_class", CheckStatus.PASSED, "the first value is True"),
        ("SELECT 'someone@example.com'", CheckStatus.PASSED, "the first value is of type str"),
        ("SELECT 0", CheckStatus.FAILED, "the first value is 0"),
        ("SELECT NULL", CheckStatus.FAILED, "the first value is None"),
        ("SELECT 1 WHERE false", CheckStatus.FAILED, "no rows"),
        ("SELECT * FROM no_such_table", CheckStatus.FAILED, 'relation "no_such_table" does not exist'),
        ("CREATE TABLE t (i int)", CheckStatus.FAILED, "read-only transaction"),
        ("SELECT 1 FROM %s", CheckStatus.FAILED, "syntax error"),
        ("SELECT pg_sleep(100)", CheckStatus.FAILED, "not done within 1 s"),
    ],
)
@pytest.mark.slow
async def test_a_query_passes_if_its_first_value_is_true(
    query: str, status: CheckStatus, message: str, postgresql: PostgreSQL
) -> None:
    names = {"USERNAME": USER, "PASSWORD": "no-password", "DATABASE": "postgres"}
    place = {"HOST": "127.0.0.1", "PORT": str(postgresql.port)}
    result = await check_query(query, Connection.of(AddonCredentials(secrets=names, envs=place)), timeout=1)
    assert result.status == status, result
    assert message in result.message


async def test_a_query_without_a_connection_proves_nothing_and_shows_no_password() -> None:
    secrets = {"POSTGRES_URI": "postgresql://me:hunter22-and-more@127.0.0.1:1/x"}
    result = await check_query("SELECT 1", Connection.of(AddonCredentials(secrets=secrets)), timeout=5)
    assert result.status == CheckStatus.UNKNOWN
    assert "hunter22" not in repr(result)


async def test_a_query_without_credentials_for_postgresql_proves_nothing() -> None:
    connection = Connection.of(AddonCredentials(secrets={"password": "hunter22-and-more"}))
    result = await check_query("SELECT 1", connection, timeout=5)
    assert (result.status, result.message) == (
        CheckStatus.UNKNOWN,
        "the credentials of the addon name no PostgreSQL server",
    )


def test_the_connection_string_of_the_usual_user_is_preferred() -> None:
    secrets = {
        "EXTERNAL_POSTGRES_URI": "postgresql://external/x",
        "POSTGRES_URI_ADMIN": "postgresql://admin/x",
        "POSTGRES_URI": "postgresql://usual/x",
        "POSTGRES_READ_URI": "postgresql://read/x",
    }
    assert Connection.of(AddonCredentials(secrets=secrets)).postgresql() == {"conninfo": "postgresql://usual/x"}


@pytest.mark.slow
async def test_a_drill_of_postgresql_runs_a_query_and_psql(postgresql: PostgreSQL) -> None:
    url = postgresql.create("restored")
    credentials = {"secrets": {"POSTGRES_URI": url, "password": "no-password"}, "envs": {}}
    async with stage(provisioning=Provisioning(credentials=credentials)) as at:
        result = await at.drill(
            POSTGRESQL, check_query="SELECT count(*) FROM pg_class", check='test -n "$DRILL_POSTGRES_URI"'
        )
    assert result.outcome == DrillOutcome.PASSED, result
    assert [check.name for check in result.checks] == ["restore", "containers", "command", "query"]
