"""Pages of listings, and their cursors."""

import base64
from hashlib import blake2b
from typing import Protocol

from aiohttp import web

from northflank_async.simulator import responses
from northflank_async.simulator.inventory import Json
from northflank_async.simulator.responses import Rejection

DEFAULT_PAGE, LARGEST_PAGE = 50, 100


class PagedListing(Protocol):
    """A listing that can be read from any offset; an anchor is a reference to an item that changes do not move."""

    @property
    def length(self) -> int: ...

    def slice(self, offset: int, size: int) -> list[Json]: ...

    def anchor(self, offset: int) -> int: ...

    def offset(self, anchor: int) -> int: ...


def page_response(request: web.Request, key: str | None, listing: PagedListing, seed: int) -> web.Response:
    """The requested page, with its items under `data.<key>`, or as `data` itself without a key."""
    query = request.query
    size = _integer(query.get("per_page"), "per_page", DEFAULT_PAGE, LARGEST_PAGE)
    number = _integer(query.get("page"), "page", 1)
    source = [query.get(name, "") for name in ("sourceProjectId", "sourceAddonId")]
    name = "\n".join([str(seed), request.path, *source])
    cursor = query.get("cursor")
    offset = (number - 1) * size if cursor is None else listing.offset(_anchor(name, cursor))
    items = listing.slice(offset, size)
    more = offset + size < listing.length
    pagination: Json = {"hasNextPage": more, "count": len(items)}
    if more:
        pagination["cursor"] = _cursor(name, listing.anchor(offset + size))
    return responses.json_response({"data": items if key is None else {key: items}, "pagination": pagination})


def _integer(text: str | None, name: str, default: int, largest: int | None = None) -> int:
    if text is None:
        return default
    # At most twenty digits, because Python refuses to parse thousands of them.
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0
    if number < 1 or (largest is not None and number > largest):
        raise Rejection(400, f"{name} must be an integer {f'from 1 to {largest}' if largest else 'of at least 1'}.")
    return number


def _cursor(listing: str, anchor: int) -> str:
    """The cursor of a page that starts at the anchor: 24 characters that are safe in a URL without encoding."""
    number = anchor.to_bytes(5, "big")
    checksum = blake2b(listing.encode("utf-8", "surrogateescape") + number, key=b"cursor", digest_size=13).digest()
    return base64.urlsafe_b64encode(checksum + number).decode()


def _anchor(listing: str, cursor: str) -> int:
    try:
        anchor = int.from_bytes(base64.urlsafe_b64decode(cursor)[13:18], "big")
    except ValueError:
        anchor = 0
    if cursor != _cursor(listing, anchor):
        raise Rejection(400, "The cursor does not belong to this listing.")
    return anchor
