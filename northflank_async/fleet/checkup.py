"""What one request tells of an account's token: whether it is valid, until when, and what it may see."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from attrs import frozen

from northflank_async.errors import AuthenticationError, NorthflankError
from northflank_async.fleet.accounts import AccountEntry
from northflank_async.http.rate_limit import RateLimit
from northflank_async.records import Auth, structure

EXPIRES_SOON = timedelta(days=14)
MOST_SKEW = 60.0
"""Seconds that the local clock may differ from the API's."""
_CONCURRENCY = 16
"""Requests in flight."""


@frozen(kw_only=True)
class Checkup:
    """What `GET /v1/auth` told of an account; `None` is unknown.

    `is_token_valid` is false only if the API rejected the token. `has_expiry` is whether the token expires at all, at
    `auth.expires_at`. `clock_skew` is how many seconds the local clock is ahead of the API's. `error` is why there is
    no `auth`.
    """

    entry: AccountEntry
    at: datetime
    is_token_valid: bool | None = None
    auth: Auth | None = None
    has_expiry: bool | None = None
    rate_limit: RateLimit | None = None
    clock_skew: float | None = None
    error: NorthflankError | None = None

    @property
    def expires_in(self) -> timedelta | None:
        """The time until the token expires; `None` if it does not, or if that is unknown."""
        return self.auth.expires_at - self.at if self.auth and self.auth.expires_at else None

    @property
    def problems(self) -> list[str]:
        """What is not well, one phrase for each."""
        found = []
        if self.error is not None:
            reason = "the token was rejected" if self.is_token_valid is False else "the token could not be checked"
            found.append(f"{reason}: {self.error}")
        if self.expires_in is not None:
            if self.expires_in <= timedelta():
                found.append("the token has expired")
            elif self.expires_in <= EXPIRES_SOON:
                found.append(f"the token expires in {_days(self.expires_in)}")
        if self.rate_limit is not None and self.rate_limit.remaining == 0:
            found.append("no requests are left in this hour")
        if self.clock_skew is not None and abs(self.clock_skew) > MOST_SKEW:
            direction = "ahead of" if self.clock_skew > 0 else "behind"
            found.append(f"the local clock is {abs(self.clock_skew):,.0f} s {direction} the API's")
        return found


async def check_accounts(
    entries: Iterable[AccountEntry], *, now: Callable[[], float] = time.time, **client_arguments: Any
) -> list[Checkup]:
    """Check the token of each account with one request, several at a time. Failures are part of the results.

    Args:
        entries: the accounts; the results have their order.
        now: the local clock, in seconds since 1970.
        **client_arguments: of each `Northflank`.
    """
    turns = asyncio.Semaphore(_CONCURRENCY)

    async def check(entry: AccountEntry) -> Checkup:
        async with turns:
            return await _check(entry, now, client_arguments)

    return list(await asyncio.gather(*map(check, entries)))


async def _check(entry: AccountEntry, now: Callable[[], float], client_arguments: dict[str, Any]) -> Checkup:
    skews: list[float | None] = []

    async def read_date(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        sent = now()
        response = await handler(request)
        skews.append(_skew(response.headers.get("Date"), sent, now()))
        return response

    auth, has_expiry, failure, rate_limit = None, None, None, None
    try:
        async with entry.open(attempts=1, on_rate_limit="raise", middlewares=(read_date,), **client_arguments) as nf:
            try:
                raw = await nf.request("GET", "/v1/auth")
            finally:
                rate_limit = nf.rate_limit
        auth = structure(raw, Auth, "data")
        if "expiresAt" in raw:
            has_expiry = auth.expires_at is not None
    except NorthflankError as error:
        failure = error
    return Checkup(
        entry=entry,
        at=datetime.fromtimestamp(now(), UTC),
        is_token_valid=_is_valid(failure),
        auth=auth,
        has_expiry=has_expiry,
        rate_limit=rate_limit,
        clock_skew=skews[-1] if skews else None,
        error=failure,
    )


def _is_valid(failure: NorthflankError | None) -> bool | None:
    if failure is None:
        return True
    return False if isinstance(failure, AuthenticationError) else None


def _skew(date: str | None, sent: float, received: float) -> float | None:
    """Compare the clocks; the header has whole seconds, and the answer was written while the request was in flight."""
    if date is None:
        return None
    try:
        written = parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
    if received < written:
        return received - written
    return max(0.0, sent - (written + 1))


def _days(span: timedelta) -> str:
    days = span // timedelta(days=1)
    if days:
        return f"{days} day" if days == 1 else f"{days} days"
    hours = span // timedelta(hours=1)
    return f"{hours} h" if hours else "less than an hour"
