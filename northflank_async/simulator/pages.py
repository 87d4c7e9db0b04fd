"""Pages of listings, and the cursors between them."""

import base64
from hashlib import blake2b
from typing import Protocol

from aiohttp import web

from northflank_async.simulator import answers
from northflank_async.simulator.answers import Refusal
from northflank_async.simulator.inventory import Json

DEFAULT_PAGE, LARGEST_PAGE = 50, 100


class Pages(Protocol):
    """A listing that can be read from any offset; a place is an offset that stays right when the listing changes."""

    @property
    def length(self) -> int: ...

    def slice(self, offset: int, size: int) -> list[Json]: ...

    def place(self, offset: int) -> int: ...

    def offset(self, place: int) -> int: ...


def page(request: web.Request, key: str | None, listing: Pages, seed: int) -> web.Response:
    """The page that is asked for: its items under `data.<key>`, or as `data` itself where there is no key."""
    query = request.query
    size = _whole_number(query.get("per_page"), "per_page", DEFAULT_PAGE, LARGEST_PAGE)
    number = _whole_number(query.get("page"), "page", 1)
    source = [query.get(name, "") for name in ("sourceProjectId", "sourceAddonId")]
    name = "\n".join([str(seed), request.path, *source])
    cursor = query.get("cursor")
    offset = (number - 1) * size if cursor is None else listing.offset(_place(name, cursor))
    items = listing.slice(offset, size)
    more = offset + size < listing.length
    pagination: Json = {"hasNextPage": more, "count": len(items)}
    if more:
        pagination["cursor"] = _cursor(name, listing.place(offset + size))
    return answers.answer({"data": items if key is None else {key: items}, "pagination": pagination})


def _whole_number(text: str | None, name: str, default: int, largest: int | None = None) -> int:
    if text is None:
        return default
    # No more than twenty digits, because Python refuses to read thousands of them.
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0
    if number < 1 or (largest is not None and number > largest):
        raise Refusal(400, f"{name} is a whole number {f'from 1 to {largest}' if largest else 'from 1 on'}.")
    return number


def _cursor(listing: str, place: int) -> str:
    """Where a page of that listing begins; 24 characters that need no encoding, as some clients do none."""
    number = place.to_bytes(5, "big")
    checksum = blake2b(listing.encode("utf-8", "surrogateescape") + number, key=b"cursor", digest_size=13).digest()
    return base64.urlsafe_b64encode(checksum + number).decode()


def _place(listing: str, cursor: str) -> int:
    try:
        place = int.from_bytes(base64.urlsafe_b64decode(cursor)[13:18], "big")
    except ValueError:
        place = 0
    if cursor != _cursor(listing, place):
        raise Refusal(400, "The cursor is not one of this listing.")
    return place
