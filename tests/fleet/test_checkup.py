"""A checkup of an account's token: one request, whatever the API answers."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from northflank_async.fleet import AccountEntry
from northflank_async.fleet.checkup import Checkup, check_accounts
from northflank_async.http.redaction import Secret
from tests.support.fake_account import refusal
from tests.support.scripted_server import drop_connection, envelope, serve

NOW = datetime(2026, 11, 1, tzinfo=UTC)
AUTH = {"entityId": "acme", "tokenKind": "api", "id": "t"}


def entry(url: str, name: str = "acme", token: str = "a-secret-token") -> AccountEntry:
    return AccountEntry(name=name, read_token=lambda: Secret(token), base_url=url)


async def check(response: Any, *, now: datetime = NOW) -> Checkup:
    """Check an account whose API gives this answer, and see that one request was sent."""
    async with serve(lambda request: response(request) if callable(response) else response) as server:
        (checkup,) = await check_accounts([entry(server.url)], now=now.timestamp)
    assert [request.path for request in server.requests] == ["/v1/auth"]
    return checkup


def dated(seconds: float, **auth: Any) -> web.Response:
    """An answer that was written so long after NOW."""
    response = envelope({**AUTH, **auth})
    response.headers["Date"] = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    return response


async def test_a_valid_token_has_no_problems() -> None:
    checkup = await check(dated(0, expiresAt=None))
    assert checkup.is_token_valid
    assert checkup.auth
    assert checkup.auth.entity_id == "acme"
    assert checkup.has_expiry is False
    assert checkup.clock_skew == 0
    assert checkup.problems == []


@pytest.mark.parametrize(
    ("span", "problems"),
    [
        (timedelta(days=14, seconds=1), []),
        (timedelta(days=14), ["the token expires in 14 days"]),
        (timedelta(days=1, hours=3), ["the token expires in 1 day"]),
        (timedelta(hours=3), ["the token expires in 3 h"]),
        (timedelta(minutes=3), ["the token expires in less than an hour"]),
        (timedelta(), ["the token has expired"]),
    ],
)
async def test_an_expiry_is_warned_of_14_days_before(span: timedelta, problems: list[str]) -> None:
    checkup = await check(dated(0, expiresAt=(NOW + span).isoformat()))
    assert checkup.has_expiry
    assert checkup.problems == problems


async def test_an_expiry_that_is_not_sent_is_unknown() -> None:
    assert (await check(dated(0))).has_expiry is None


@pytest.mark.parametrize(
    ("seconds", "skew", "problems"),
    [
        (60, -60, []),
        (-61, 60, []),
        (61, -61, ["the local clock is 61 s behind the API's"]),
        (-3700, 3699, ["the local clock is 3,699 s ahead of the API's"]),
    ],
)
async def test_a_clock_that_is_off_by_more_than_a_minute_is_reported(
    seconds: float, skew: float, problems: list[str]
) -> None:
    checkup = await check(dated(seconds))
    assert checkup.clock_skew == skew
    assert checkup.problems == problems


async def test_a_date_that_cannot_be_read_leaves_the_clock_unknown() -> None:
    response = dated(0)
    response.headers["Date"] = "yesterday"
    assert (await check(response)).clock_skew is None


async def test_a_rejected_token_is_invalid() -> None:
    checkup = await check(lambda _: refusal(401))
    assert checkup.is_token_valid is False
    problem = checkup.problems[0]
    assert problem.startswith("the token was rejected: 401 ")


@pytest.mark.parametrize("response", [drop_connection, lambda _: refusal(503), lambda _: refusal(404), dated(0, id=3)])
async def test_a_token_without_an_answer_is_unknown(response: Any) -> None:
    checkup = await check(response)
    assert checkup.is_token_valid is None
    assert checkup.problems[0].startswith("the token could not be checked: ")
    assert "secret-token" not in repr(checkup)


async def test_an_hour_without_requests_is_reported() -> None:
    headers = {"x-ratelimit-limit": "1000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "90"}
    response = dated(0)
    response.headers.update(headers)
    checkup = await check(response)
    assert checkup.rate_limit
    assert checkup.rate_limit.limit == 1000
    assert checkup.problems == ["no requests are left in this hour"]


async def test_results_have_the_order_of_the_accounts_and_are_fetched_several_at_a_time() -> None:
    in_flight = most = 0

    async def respond(request: web.Request) -> web.Response:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        while most < 16:  # until as many as may be in flight are
            await asyncio.sleep(0)
        in_flight -= 1
        return envelope({**AUTH, "entityId": request.headers["Authorization"].removeprefix("Bearer ")})

    async with serve(respond) as server:
        entries = [entry(server.url, f"account {number}", f"token-{number}") for number in range(40)]
        checkups = await check_accounts(entries)
    assert [checkup.auth and checkup.auth.entity_id for checkup in checkups] == [
        f"token-{number}" for number in range(40)
    ]
    assert most == 16
