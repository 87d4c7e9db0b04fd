"""Listings against a model: a listing that shifts, repeats, ends, and sends odd pagination objects."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, cast

import pytest
from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from yarl import URL

from northflank_async import Backup, DecodeError, PaginationError, ServerError
from northflank_async.http.exchange import Envelope, Exchange
from northflank_async.http.redaction import Secret
from northflank_async.http.request import build_request
from northflank_async.http.response import Response
from northflank_async.http.transport import Transport
from northflank_async.paging import Paginator

pytestmark = pytest.mark.slow

BASE = URL("https://api.example.com")
PER_PAGE = 3


@define
class ModelListing:
    """A listing, newest item first. A cursor names the last item of its page; the next page begins after it."""

    items: list[Any] = field(factory=list)
    added: int = 0
    has_cursors: bool = True
    failures: int = 0

    def add(self, count: int, *, is_odd: bool) -> None:
        for _ in range(count):
            number = self.added
            self.added += 1
            raw = {
                "id": f"b{number % 4}",
                "uid": f"u{number}",
                "status": "completed",
                "createdAt": "2026-01-01T00:00:00Z",
            }
            self.items.insert(0, {**raw, "createdAt": "soon"} if is_odd else raw)

    def page(self, cursor: str | None, number: int | None) -> tuple[list[Any], bool, str | None]:
        if not self.has_cursors:
            start = ((number or 1) - 1) * PER_PAGE
        elif cursor:
            start = next(
                (at for at, item in enumerate(self.items) if int(item["uid"][1:]) < int(cursor)), len(self.items)
            )
        else:
            start = 0
        items = self.items[start : start + PER_PAGE]
        more = start + PER_PAGE < len(self.items)
        return items, more, items[-1]["uid"][1:] if more and self.has_cursors else None


class ModelTransport:
    """Responds from a listing instead of over HTTP."""

    def __init__(self, listing: ModelListing, notation: Any) -> None:
        self.listing = listing
        self.notation = notation

    async def send(self, method: str, path: str, params: Any = None, json: Any = None) -> Envelope:
        if self.listing.failures:
            self.listing.failures -= 1
            raise ServerError("down", status=500)
        items, more, cursor = self.listing.page(params["cursor"], params["page"])
        request = build_request(BASE, Secret("token-0123456789"), method, path, params)
        return Envelope(
            data={"backups": items},
            pagination=self.notation(more, cursor),
            response=Response(status=200, headers={}, url=request.url, method=method),
            exchange=Exchange(request, 0.0),
            received=0.0,
        )


NOTATIONS: dict[str, Any] = {
    "documented": lambda more, cursor: {"hasNextPage": more, "count": 3, **({"cursor": cursor} if cursor else {})},
    "null": lambda more, cursor: {"hasNextPage": more, "count": None, "cursor": cursor},
    "text": lambda more, cursor: {"hasNextPage": str(more), "count": "0", "cursor": cursor or ""},
    "numbers": lambda more, cursor: {"hasNextPage": int(more), "count": 1e300, "cursor": int(cursor) if cursor else ""},
    "odd count": lambda more, cursor: {"hasNextPage": more, "count": [{}], "cursor": cursor},
}


class PagingMachine(RuleBasedStateMachine):
    """Reads a listing item by item, while it grows and shrinks, and while requests fail."""

    @initialize(
        items=st.integers(0, 12),
        notation=st.sampled_from(sorted(NOTATIONS)),
        has_cursors=st.booleans(),
    )
    def begin(self, items: int, notation: str, has_cursors: bool) -> None:
        self.listing = ModelListing(has_cursors=has_cursors)
        self.listing.add(items, is_odd=False)
        transport = ModelTransport(self.listing, NOTATIONS[notation])
        paginator = Paginator(
            transport=cast(Transport, transport), path="/x", params={}, items="backups", record=Backup,
            per_page=PER_PAGE, page=None, cursor=None,
        )  # fmt: skip
        self.iterator: AsyncIterator[Backup] = aiter(paginator)
        self.expected = {item["uid"] for item in self.listing.items}
        self.seen: list[str] = []
        self.has_shifted = False
        self.ended = False

    @rule(action=st.sampled_from(["read", "read", "read", "read", "add", "add odd", "delete", "fail", "recover"]),
          data=st.data())  # fmt: skip
    def step(self, action: str, data: st.DataObject) -> None:
        match action:
            case "read":
                self.read()
            case "add" | "add odd":
                self.listing.add(1, is_odd=action == "add odd")
                self.has_shifted = True
            case "delete" if self.listing.items:
                gone = self.listing.items.pop(data.draw(st.integers(0, len(self.listing.items) - 1)))
                self.expected.discard(gone["uid"])
                self.has_shifted = True
            case "fail":
                self.listing.failures = 1
            case "recover":
                self.listing.failures = 0

    def read(self) -> None:
        try:
            item = at_once(anext(self.iterator))
        except ServerError:
            return  # asked again, it fetches the same page
        except PaginationError:  # a page repeats where items shift from page to page: asked again, it continues
            assert not self.listing.has_cursors
            assert self.has_shifted
        except DecodeError as error:
            self.seen.append(error.raw["uid"])
        except StopAsyncIteration:
            self.ended = True
        else:
            assert not self.ended
            assert item.uid
            self.seen.append(item.uid)

    @invariant()
    def nothing_is_yielded_twice(self) -> None:
        if self.listing.has_cursors or not self.has_shifted:
            assert len(self.seen) == len(set(self.seen))

    @invariant()
    def nothing_is_lost(self) -> None:
        if self.ended and (self.listing.has_cursors or not self.has_shifted):
            assert self.expected <= set(self.seen)

    def teardown(self) -> None:
        """Read to the end, which comes."""
        self.listing.failures = 0
        for _ in range(200):
            if self.ended:
                break
            self.read()
        assert self.ended
        self.nothing_is_yielded_twice()
        self.nothing_is_lost()


def at_once(work: Awaitable[Backup]) -> Backup:
    """Run what never waits, without an event loop."""
    try:
        next(work.__await__())
    except StopIteration as stop:
        result: Backup = stop.value
        return result
    raise AssertionError("it waits")


TestPagingMachine = PagingMachine.TestCase
TestPagingMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
