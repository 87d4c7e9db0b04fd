import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import aiohttp
from yarl import URL

from northflank_async.errors import ConfigurationError
from northflank_async.http.budget import Budget, Clock
from northflank_async.http.redaction import as_secret
from northflank_async.http.request import parse_base_url, parse_proxy, parse_token
from northflank_async.http.transport import Transport
from northflank_async.resources import AccountResource
from northflank_async.validation import check_boolean, check_choice, check_integer, check_seconds

if TYPE_CHECKING:  # imported on first use, so that a program that reads one backup starts fast
    from northflank_async.inventory.plan import Plan
    from northflank_async.inventory.scan import Scan

DEFAULT_BASE_URL = "https://api.northflank.com"
TOKEN_VARIABLES = ("NORTHFLANK_API_TOKEN", "NF_API_TOKEN")
BASE_URL_VARIABLES = ("NORTHFLANK_API_BASE_URL", "NF_API_HOST", "NF_HOST")


class Account(AccountResource):
    """An account, or a team of it: its routes, and operations over many addons at once."""

    def scan(self, projects: Iterable[str] | None = None, concurrency: int = 16) -> "Scan":
        """Read every backup of many projects at once: `async with nf.scan() as scan`, `async for found in scan`.

        Args:
            projects: ids; all projects if left out.
            concurrency: requests in flight, 1 to 100.

        Raises:
            ConfigurationError: an argument is out of range.

        https://northflank.com/docs/v1/api/project/addons/list-addon-backups
        """
        from northflank_async.inventory.query import Query
        from northflank_async.inventory.scan import Scan

        return Scan(Query(self, projects=projects), concurrency=concurrency)

    async def plan(
        self,
        projects: Iterable[str] | None = None,
        *,
        addon_types: str | Iterable[str] = (),
        restores: bool = False,
        concurrency: int = 16,
    ) -> "Plan":
        """Estimate the requests and the time of an export, by listing projects and addons.

        Args:
            projects: ids; all projects if left out.
            addon_types: the API's words, such as `"postgresql"`; all addons if left out.
            restores: include restores.
            concurrency: requests in flight, 1 to 100.

        Raises:
            ConfigurationError: an argument is out of range.
            NorthflankError: no project can be read.

        https://northflank.com/docs/v1/api/project/addons/list-addons
        """
        from northflank_async.inventory.plan import plan
        from northflank_async.inventory.query import Query

        query = Query(self, projects=projects, addon_types=addon_types, restores=restores)
        return await plan(query, concurrency=concurrency)


class Northflank(Account):
    """A client of the Northflank API. Open it with `async with`, or `close()` it.

        async with Northflank() as nf:
            async for backup in nf.project("default-project").addon("example-addon").backups():
                print(backup.id, backup.status)

    Args:
        token: an API token. Defaults to `NORTHFLANK_API_TOKEN`, then `NF_API_TOKEN` of the environment.
        team_id: use this team's routes, `/v1/teams/{teamId}/…`.
        name: what messages call the account, and its id in an inventory if the API does not say whose token it is.
        base_url: defaults to `NORTHFLANK_API_BASE_URL`, `NF_API_HOST`, `NF_HOST` of the environment, then to
            `https://api.northflank.com`. Plain http is allowed for loopback addresses only.
        session: an `aiohttp.ClientSession` whose connections, headers, cookies and trace configs to use; you close it.
            Its middlewares and its proxy are not used: pass them here. It works in its own event loop only; without
            it, the client can be used in several `asyncio.run()`, one after the other.
        proxy: the URL of an HTTP proxy, for requests to the API and for downloads. Loopback addresses never use one.
        trust_env: use the proxies of `HTTPS_PROXY` and `NO_PROXY`. Defaults to the setting of `session`, and without
            one to `True`.
        timeout: seconds for one attempt, from connecting to the end of the response. Waiting for a free connection
            does not count.
        deadline: seconds for a whole call, such as `get()`, one page of a listing, `wait()` or `download()`: with its
            retries, and its waits for the rate limit. Defaults to no limit. See `deadline()`.
        attempts: attempts for one request, including the first.
        on_rate_limit: `"wait"` for the window to reset, or `"raise"` `RateLimited`.
        reserve: requests of each window to leave to other users of the token.
        max_response_bytes: a larger response raises `DecodeError`.
        trace_configs: aiohttp's tracing hooks, for the session that the client opens.
        middlewares: aiohttp's client middlewares, called for each attempt.
        clock: the source of time for the rate limit, in seconds; for tests.

    Raises:
        ConfigurationError: there is no token, or an argument is not valid.

    https://northflank.com/docs/v1/api/introduction
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        team_id: str | None = None,
        name: str | None = None,
        base_url: str | None = None,
        session: aiohttp.ClientSession | None = None,
        proxy: str | URL | None = None,
        trust_env: bool | None = None,
        timeout: float = 30.0,
        deadline: float | None = None,
        attempts: int = 5,
        on_rate_limit: Literal["wait", "raise"] = "wait",
        reserve: int = 0,
        max_response_bytes: int = 64 * 2**20,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
        clock: Clock | None = None,
    ) -> None:
        if token is None:
            token = _from_environment(TOKEN_VARIABLES, "")
        token, proxy = (
            as_secret(token),
            proxy and as_secret(str(proxy)),
        )  # before anything can fail: some reports show locals
        check_seconds("timeout", timeout)
        if deadline is not None:
            check_seconds("deadline", deadline)
        if trust_env is not None:
            check_boolean("trust_env", trust_env)
        check_integer("attempts", attempts, 1)
        check_choice("on_rate_limit", on_rate_limit, ("wait", "raise"))
        check_integer("reserve", reserve, 0)
        check_integer("max_response_bytes", max_response_bytes, 1)
        if name is not None and not (isinstance(name, str) and name):
            raise ConfigurationError(f"name must be text that is not empty, not {name!r}")
        if session is not None and trace_configs:
            raise ConfigurationError("set trace_configs on your own session, not here")
        if base_url is None:
            base_url = _from_environment(BASE_URL_VARIABLES, DEFAULT_BASE_URL)
        transport = Transport(
            base_url=parse_base_url(base_url),
            token=parse_token(token),
            budget=Budget(on_rate_limit=on_rate_limit, reserve=reserve, clock=clock, name=name),
            session=session,
            proxy=parse_proxy(proxy) if proxy else None,
            trust_env=trust_env,
            timeout=timeout,
            deadline=deadline,
            attempts=attempts,
            max_response_bytes=max_response_bytes,
            trace_configs=trace_configs,
            middlewares=middlewares,
        )
        super().__init__(transport, team_id)

    def team(self, team_id: str) -> Account:
        """A team: the same routes under `/v1/teams/{teamId}`, over the same session and budget.

        Raises:
            ConfigurationError: the id is not a valid path segment.
        """
        return Account(self._transport, team_id)

    def deadline(self, seconds: float) -> AbstractContextManager[None]:
        """Limit the time of all calls in a block together: `with nf.deadline(30): …`.

        Retries and waits for the rate limit count. A call that takes longer raises `DeadlineExceeded`.

        Args:
            seconds: from the beginning of the block.

        Raises:
            ConfigurationError: `seconds` is not a number greater than 0.
        """
        check_seconds("seconds", seconds)
        return self._transport.deadline(seconds)

    async def close(self) -> None:
        """Close the session, unless it was passed in. Running requests end with `TransportError`."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


def _from_environment(names: Sequence[str], default: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), default)
