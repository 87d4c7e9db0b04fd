"""What every resource has in common: a path, and how it is asked."""

from collections.abc import Mapping
from typing import Any, TypeVar

from northflank_async.paging import Listing, Paginator
from northflank_async.records import structure, structure_all
from northflank_async.transport import Transport

T = TypeVar("T")


class Resource:
    """A thing at a URL. `path` is percent-encoded."""

    _path = ""  # for the repr of one whose arguments were refused

    def __init__(self, transport: Transport, path: str) -> None:
        self._transport = transport
        self._path = path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path}>"

    async def _get(self, record: type[T]) -> T:
        return await self._transport.send("GET", self._path, lambda envelope: structure(envelope.data, record, "data"))

    def _list(
        self,
        name: str,
        record: type[T],
        *,
        per_page: int,
        page: int | None,
        cursor: str | None,
        params: Mapping[str, Any] | None = None,
    ) -> Paginator[T]:
        """The listing at `name` below this resource, which is also its items' name under `data`."""
        listing = Listing(
            transport=self._transport,
            path=f"{self._path}/{name}",
            params=params or {},
            items=name,
            decode=lambda items, place: structure_all(items, record, place),
            per_page=per_page,
        )
        return Paginator(listing, page=page, cursor=cursor)
