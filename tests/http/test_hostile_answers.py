"""Whatever a server sends, the outcome is a record or a NorthflankError."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from northflank_async import Backup, Northflank, NorthflankError, Page
from tests.support.scripted_server import TOKEN, http_response, serve_bytes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    ["id", "name", "uid", "status", "createdAt", "completedAt", "config", "size", "source", "type", "lastRestore",
     "compressionType", "additionalDestinations", "destinationId", "retentionTime", "restoreTimestamp"]
)  # fmt: skip
almost_backups = st.recursive(
    json_values | st.just("2026-01-01T00:00:00.000Z") | st.just("completed"),
    lambda children: st.dictionaries(names, children, max_size=8) | st.lists(children, max_size=3),
    max_leaves=20,
)
pagination = st.fixed_dictionaries(
    {}, optional={"hasNextPage": st.booleans() | json_values, "cursor": st.text(max_size=3) | json_values,
                  "count": st.integers() | st.floats() | json_values},
)  # fmt: skip
listings = st.fixed_dictionaries(
    {"data": st.fixed_dictionaries({"backups": st.lists(almost_backups, max_size=3) | json_values}) | json_values},
    optional={"pagination": pagination | json_values, "error": json_values},
)
statuses = st.integers(200, 599).map(lambda status: f"{status} X")


async def outcomes(*responses: bytes) -> list[Any]:
    """The results of these responses for a listing, one GET and a plain request."""
    found = []
    # A server can ask for a wait of a day; raise an error instead.
    async with (
        serve_bytes(*responses) as url,
        Northflank(TOKEN, base_url=url, attempts=2, timeout=2, on_rate_limit="raise") as nf,
    ):
        addon = nf.project("p").addon("a")
        calls = (
            addon.backups().pages().__anext__,
            addon.backup("b").get,
            addon.backups().all,
            partial(nf.request, "POST", "/v1/x"),
        )
        for call in calls:
            try:
                found.append(await call())
            except NorthflankError as error:
                str(error), repr(error)
                found.append(error)
    return found


def check(found: list[Any]) -> None:
    page, backup, items, _ = found
    assert isinstance(page, Page | NorthflankError)
    assert isinstance(backup, Backup | NorthflankError)
    assert isinstance(items, list | NorthflankError)


@pytest.mark.slow
@given(response=listings | json_values, status=st.just("200 OK") | statuses)
def test_any_json(response: Any, status: str) -> None:
    check(asyncio.run(outcomes(http_response(json.dumps(response), status))))


@pytest.mark.slow
@given(body=st.binary(max_size=300), status=st.just("200 OK") | statuses)
def test_any_body(body: bytes, status: str) -> None:
    check(asyncio.run(outcomes(http_response(body, status))))


@pytest.mark.slow
@given(response=st.binary(max_size=300))
def test_any_bytes_at_all(response: bytes) -> None:
    check(asyncio.run(outcomes(response)))


@pytest.mark.slow
@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from([b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset", b"Retry-After",
                             b"Content-Type", b"Content-Encoding", b"Location", b"Set-Cookie", b"Transfer-Encoding",
                             b"Content-Length", b"Connection"]),
            st.binary(max_size=20) | st.sampled_from([b"0", b"1", b"-1", b"1e400", b"gzip", b"chunked", b"deflate"]),
        ),
        max_size=6,
    ),
    status=st.sampled_from([b"200 OK", b"302 Found", b"429 Slow", b"503 Down", b"100 Continue", b"999 X", b"20 X"]),
)  # fmt: skip
@settings(max_examples=200)
def test_any_headers(headers: list[tuple[bytes, bytes]], status: bytes) -> None:
    lines = [b"HTTP/1.1 " + status, *(name + b": " + value for name, value in headers)]
    response = b"\r\n".join(lines) + b'\r\n\r\n{"data": {"backups": []}}'
    check(asyncio.run(outcomes(response)))


@pytest.mark.parametrize("depth", [100, 900, 1100, 100_000])
async def test_json_of_any_depth(depth: int) -> None:
    body = b'{"data": {"backups": [' + b"[" * depth + b"]" * depth + b"]}}"
    check(await outcomes(http_response(body)))
    body = b'{"data": ' + b'{"config": ' * depth + b"1" + b"}" * depth + b"}"
    check(await outcomes(http_response(body)))
