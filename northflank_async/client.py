import os
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import aiohttp

from northflank_async.errors import ConfigurationError
from northflank_async.http.budget import Budget, Clock
from northflank_async.http.redaction import Secret
from northflank_async.http.request import parse_base_url, parse_token
from northflank_async.http.transport import Transport
from northflank_async.resources import AccountResource

if TYPE_CHECKING:  # who asks for one backup need not wait for what goes over all
    from northflank_async.inventory.plan import Plan
    from northflank_async.inventory.scan import Scan
    from northflank_async.inventory.selection import Selection

DEFAULT_BASE_URL = "https://api.northflank.com"
TOKEN_VARIABLES = ("NORTHFLANK_API_TOKEN", "NF_API_TOKEN")
BASE_URL_VARIABLES = ("NORTHFLANK_API_BASE_URL", "NF_API_HOST", "NF_HOST")


class Account(AccountResource):
    """The account's own routes, or a team's, with what goes over many addons at once."""

    def scan(self, projects: Iterable[str] | None = None, concurrency: int = 16) -> "Scan":
        """Read every backup of many projects at once: `async with nf.scan() as scan`, `async for found in scan`.

        Args:
            projects: ids; all projects if left out.
            concurrency: requests in flight, 1 to 100.

        Raises:
            ConfigurationError: an argument is out of range.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backups
        """
        from northflank_async.inventory.scan import Scan

        return Scan(self, projects=projects, concurrency=concurrency)

    async def plan(
        self,
        projects: Iterable[str] | None = None,
        *,
        selection: "Selection | None" = None,
        restores: bool = False,
        concurrency: int = 16,
    ) -> "Plan":
        """Find out what an export will take, from one pass over projects and addons.

        Args:
            projects: ids; all projects if left out.
            selection: which backups are wanted; what counts is the type of their addons.
            restores: whether restores are wanted as well.
            concurrency: requests in flight, 1 to 100.

        Raises:
            ConfigurationError: an argument is out of range.
            NorthflankError: the API cannot be read at all.

        https://northflank.com/docs/v1/api/project/addons/list-addons
        """
        from northflank_async.inventory.plan import plan

        return await plan(self, projects=projects, selection=selection, restores=restores, concurrency=concurrency)


class Northflank(Account):
    """A client of the Northflank API. Open it with `async with`, or `close()` it.

        async with Northflank() as nf:
            async for backup in nf.project("default-project").addon("example-addon").backups():
                print(backup.id, backup.status)

    Args:
        token: an API token; else `NORTHFLANK_API_TOKEN`, then `NF_API_TOKEN` of the environment.
        team_id: use this team's routes, `/v1/teams/{teamId}/…`.
        base_url: else `NORTHFLANK_API_BASE_URL`, `NF_API_HOST`, `NF_HOST`, else `https://api.northflank.com`.
            A token is sent over plain http to loopback addresses only.
        session: an `aiohttp.ClientSession` to use; it stays the caller's to close.
        timeout: seconds, for one attempt.
        attempts: for one request, the first included.
        on_rate_limit: `"wait"` for the window of requests to reset, or `"raise"` `RateLimited`.
        reserve: requests of each window that are left to others who use the same token.
        max_response_bytes: a larger answer is refused, with `DecodeError`.
        trace_configs: aiohttp's hooks into each exchange, for the session that the client opens.
        clock: what the rate limit's window is measured by, in seconds; for tests.

    Raises:
        ConfigurationError: there is no token, or an argument is out of range.

    https://northflank.com/docs/v1/api/introduction
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        team_id: str | None = None,
        base_url: str | None = None,
        session: aiohttp.ClientSession | None = None,
        timeout: float = 30.0,
        attempts: int = 5,
        on_rate_limit: Literal["wait", "raise"] = "wait",
        reserve: int = 0,
        max_response_bytes: int = 64 * 2**20,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        clock: Clock | None = None,
    ) -> None:
        if token is None:
            token = _from_environment(TOKEN_VARIABLES, "")
        if isinstance(token, str):
            token = Secret(token)  # before anything can fail, as reports of failures show locals
        token = parse_token(token)
        _check_limits(timeout, attempts, on_rate_limit, reserve, max_response_bytes)
        if session is not None and trace_configs:
            raise ConfigurationError("trace_configs belong to the session that was passed in")
        if base_url is None:
            base_url = _from_environment(BASE_URL_VARIABLES, DEFAULT_BASE_URL)
        transport = Transport(
            base_url=parse_base_url(base_url),
            token=token,
            budget=Budget(on_rate_limit=on_rate_limit, reserve=reserve, clock=clock),
            session=session,
            timeout=timeout,
            attempts=attempts,
            max_response_bytes=max_response_bytes,
            trace_configs=trace_configs,
        )
        super().__init__(transport, team_id)

    def team(self, team_id: str) -> Account:
        """The same routes under `/v1/teams/{teamId}`, with the same session and budget.

        Raises:
            ConfigurationError: the id cannot be part of a URL.
        """
        return Account(self._transport, team_id)

    async def close(self) -> None:
        """Close the session, unless it was passed in. Requests under way end with `TransportError`."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _from_environment(names: Sequence[str], default: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), default)


def _check_limits(timeout: float, attempts: int, on_rate_limit: str, reserve: int, max_response_bytes: int) -> None:
    if not isinstance(timeout, int | float) or not timeout > 0:
        raise ConfigurationError(f"timeout must be more than 0 seconds, not {timeout!r}")
    if on_rate_limit not in ("wait", "raise"):
        raise ConfigurationError(f'on_rate_limit must be "wait" or "raise", not {on_rate_limit!r}')
    for name, value, least in (
        ("attempts", attempts, 1),
        ("reserve", reserve, 0),
        ("max_response_bytes", max_response_bytes, 1),
    ):
        if not isinstance(value, int) or value < least:
            raise ConfigurationError(f"{name} must be a whole number from {least}, not {value!r}")
