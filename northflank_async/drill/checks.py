"""The checks of a restored addon: its containers, a command of the user's, and a query."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from attrs import field, frozen

from northflank_async.client import TOKEN_VARIABLES
from northflank_async.errors import ConfigurationError, DeadlineExceeded, NorthflankError, printable
from northflank_async.http.redaction import Redactor, Secret
from northflank_async.inventory.drills import Check, CheckStatus
from northflank_async.inventory.extras import require_extra
from northflank_async.records import AddonCredentials
from northflank_async.records.secrets import is_secret
from northflank_async.resources import AccountResource, AddonResource

ENVIRONMENT_PREFIX = "DRILL_"
_RUNNING = "TASK_RUNNING"
_COMING = ("TASK_STAGING", "TASK_STARTING", _RUNNING)
_CONTAINER_TIMEOUT = 60.0
"""Seconds that the containers of a running addon have to come up."""
_KEPT_OUTPUT = 65_536
_SHOWN_OUTPUT = 4_000
"""Characters of a command's output."""
_GRACE = 3.0
"""Seconds between the signals to end a command and to kill it."""
_POLL = 0.05
"""Seconds."""
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


# The containers


async def check_containers(account: AccountResource, addon: AddonResource) -> Check:
    """Check that the containers of a running addon are up.

    Raises:
        DeadlineExceeded: of the client.
    """
    budget = account.budget
    began = budget.time()
    while True:
        try:
            data = await account.request("GET", f"{addon.path}/containers", {"per_page": 100})
        except DeadlineExceeded:
            raise
        except NorthflankError as error:
            return Check(name="containers", status=CheckStatus.UNKNOWN, message=f"cannot be listed: {error}")
        statuses = _statuses(data)
        if statuses is None:
            return Check(name="containers", status=CheckStatus.UNKNOWN, message="the API does not list them")
        found = ", ".join(sorted(statuses)) or "none"
        if statuses and set(statuses) == {_RUNNING}:
            return Check(name="containers", status=CheckStatus.PASSED, message=f"{len(statuses)} running")
        if budget.time() - began >= _CONTAINER_TIMEOUT or not set(statuses) <= set(_COMING):
            return Check(name="containers", status=CheckStatus.FAILED, message=f"not all are running: {found}")
        await budget.sleep(5.0)


def _statuses(data: Any) -> list[str] | None:
    containers = data.get("containers") if isinstance(data, dict) else None
    if not isinstance(containers, list):
        return None
    return [printable(str(each.get("status"))) if isinstance(each, dict) else "?" for each in containers]


# What connects to the addon


@frozen
class Connection:
    """What a client of the addon needs to connect, by the API's names; none of it is shown."""

    values: Mapping[str, str] = field(repr=False)
    redactor: Redactor = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, credentials: AddonCredentials) -> "Connection":
        """Read the credentials of an addon."""
        secret = {name: Secret(value) for name, value in credentials.secrets.items()}
        plain = {name: Secret(value) for name, value in (credentials.envs or {}).items()}
        hidden = [*secret.values(), *(value for name, value in plain.items() if is_secret(name))]
        return cls({**plain, **secret}, Redactor(hidden), tuple(value for value in hidden if value))

    def redact(self, text: str) -> str:
        """Remove the secrets from a text."""
        for value in self.secrets:  # also the short ones, which the redactor leaves
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "***", text)
        redacted: str = self.redactor.redact(text)
        return redacted

    @property
    def environment(self) -> dict[str, str]:
        """The values by the names of environment variables: `DRILL_PASSWORD`, …"""
        found = {}
        for name, value in self.values.items():
            key = re.sub("[^A-Z0-9]+", "_", re.sub("([a-z0-9])([A-Z])", r"\1_\2", name).upper()).strip("_")
            if key and "\0" not in value:
                found[ENVIRONMENT_PREFIX + key] = value
        return found

    def postgresql(self) -> dict[str, Any]:
        """The parameters of a connection to PostgreSQL.

        Raises:
            ConfigurationError: the credentials do not have them.
        """
        uris = {name: value for name, value in self.values.items() if re.match("postgres(ql)?://", value)}
        if uris:  # that of the usual user, inside the project's network, if there are several
            name = min(uris, key=lambda name: (bool(re.search("ADMIN|EXTERNAL|POOL|READ", name.upper())), len(name)))
            return {"conninfo": uris[name]}
        wanted = {"host": "HOST", "port": "PORT", "user": "USERNAME", "password": "PASSWORD", "dbname": "DATABASE"}
        named = {name.upper(): value for name, value in self.values.items()}
        if not {"HOST", "USERNAME", "PASSWORD"} <= named.keys():
            raise ConfigurationError("the credentials of the addon name no PostgreSQL server")
        return {parameter: named[name] for parameter, name in wanted.items() if name in named}


# A command


async def check_command(command: str, connection: Connection, variables: Mapping[str, str], *, timeout: float) -> Check:
    """Run a command in a shell: exit code 0 passes. It has no input, and its output is captured.

    Args:
        command: the command.
        connection: what it finds in its environment, besides what this process has except the API token.
        variables: further variables of its environment.
        timeout: seconds.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in TOKEN_VARIABLES}
    starting = asyncio.create_task(
        asyncio.create_subprocess_shell(
            command,
            env={**inherited, **connection.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what it starts can be ended with it
        )
    )
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:  # it may run already, with what it has started
        starting.add_done_callback(_kill)
        raise
    loop = asyncio.get_running_loop()
    began = loop.time()
    output = bytearray()
    reading = asyncio.create_task(_read(process, output))
    try:
        try:
            async with asyncio.timeout(timeout):
                await _exited(process)
            status = CheckStatus.PASSED if process.returncode == 0 else CheckStatus.FAILED
            message = f"exit code {process.returncode}"
        except TimeoutError:
            status, message = CheckStatus.FAILED, f"not done within {timeout:g} s"
    finally:
        await _end(process, reading)
    text = connection.redact(output.decode(errors="replace"))[-_SHOWN_OUTPUT:].strip()
    return Check(name="command", status=status, message=message, seconds=loop.time() - began, output=text or None)


async def _read(process: asyncio.subprocess.Process, output: bytearray) -> None:
    """Keep the end of the output."""
    assert process.stdout is not None
    while chunk := await process.stdout.read(8192):
        output += chunk
        del output[:-_KEPT_OUTPUT]


async def _exited(process: asyncio.subprocess.Process) -> None:
    """Wait for the command itself: `wait()` also waits for whatever has inherited its output."""
    while process.returncode is None:  # noqa: ASYNC110
        await asyncio.sleep(_POLL)


async def _end(process: asyncio.subprocess.Process, reading: asyncio.Task[None]) -> None:
    """End the command and whatever it has started, and read the rest of its output."""
    ending = asyncio.create_task(_exited(process))
    try:
        _signal(process, signal.SIGTERM)
        await asyncio.wait([reading, ending], timeout=_GRACE)
        if not (reading.done() and ending.done()):
            _signal(process, _KILL)
            await asyncio.wait([reading, ending], timeout=_GRACE)
    finally:  # also if it is cancelled meanwhile
        if not (reading.done() and ending.done()):
            _signal(process, _KILL)
        reading.cancel()
        ending.cancel()


def _kill(starting: asyncio.Task[asyncio.subprocess.Process]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        _signal(starting.result(), _KILL)


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.terminate()
        else:
            os.killpg(process.pid, number)


# A query


def check_query_possible(addon_type: str) -> None:
    """Check that a query can be sent to an addon of this type.

    Raises:
        ConfigurationError: it cannot, or a package is missing.
    """
    if addon_type != "postgresql":
        raise ConfigurationError(f"a query can be checked on PostgreSQL only, not on {addon_type}: use a command")
    with require_extra():
        import psycopg  # noqa: F401


async def check_query(query: str, connection: Connection, *, timeout: float) -> Check:
    """Run a query that cannot write: it passes if the first value of its result is not NULL, false or 0.

    Args:
        query: one statement of SQL.
        connection: where to.
        timeout: seconds.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        parameters = connection.postgresql()
    except ConfigurationError as error:
        return Check(name="query", status=CheckStatus.UNKNOWN, message=f"{error}")
    status, message = await _run_query(query, parameters, timeout)
    return Check(name="query", status=status, message=connection.redact(message), seconds=loop.time() - began)


async def _run_query(query: str, parameters: Mapping[str, Any], timeout: float) -> tuple[CheckStatus, str]:
    import psycopg

    try:
        async with asyncio.timeout(timeout):
            async with await psycopg.AsyncConnection.connect(
                **parameters, autocommit=True, options="-c default_transaction_read_only=on"
            ) as database:
                cursor = await database.execute(query.encode())
                row = await cursor.fetchone() if cursor.description else None
    except TimeoutError:
        return CheckStatus.FAILED, f"not done within {timeout:g} s"
    except psycopg.OperationalError as error:
        if error.sqlstate is None:  # no connection: this says nothing of the data
            return CheckStatus.UNKNOWN, f"no connection: {_one_line(error)}"
        return CheckStatus.FAILED, _one_line(error)
    except psycopg.Error as error:
        return CheckStatus.FAILED, _one_line(error)
    if row is None:
        return CheckStatus.FAILED, "no rows"
    return (CheckStatus.PASSED if row and row[0] else CheckStatus.FAILED), f"the first value is {_shown(row)}"


def _one_line(error: Exception) -> str:
    return printable(" ".join(str(error).split())) or type(error).__name__


def _shown(row: tuple[Any, ...]) -> str:
    """A number or a truth value; anything else may be data of the user's users."""
    value = row[0] if row else None
    return f"{value}" if value is None or isinstance(value, bool | int | float) else f"of type {type(value).__name__}"
