"""What every resource has in common: a path, and how it is asked."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

from northflank_async.errors import DecodeError
from northflank_async.http.transport import Transport
from northflank_async.paging import Listing, Paginator
from northflank_async.records import structure, structure_all

T = TypeVar("T")


def read_items(data: Any, record: type[T]) -> list[T]:
    """The records of an answer that is an array, without pages."""
    if isinstance(data, list):
        return structure_all(data, record, "data")
    raise DecodeError(f"expected an array, got {type(data).__name__}", place="data")


class Resource:
    """A thing at a URL. `path` is percent-encoded."""

    _path = ""  # for the repr of one whose arguments were refused

    def __init__(self, transport: Transport, path: str) -> None:
        self._transport = transport
        self._path = path

    @property
    def _name(self) -> str:
        """The id, as it was given."""
        return unquote(self._path.rpartition("/")[2])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path}>"

    @property
    def path(self) -> str:
        """The percent-encoded path, for `request()` and `paginate()`."""
        return self._path

    async def _get(self, record: type[T], at: str = "") -> T:
        return await self._call("GET", record, at)

    async def _call(
        self, method: str, record: type[T], at: str = "", *, params: Mapping[str, Any] | None = None, json: Any = None
    ) -> T:
        """Ask for what stands `at` a place below this resource."""
        return await self._transport.send(
            method,
            f"{self._path}{at}",
            lambda envelope: structure(envelope.data, record, "data"),
            params=params,
            json=json,
        )

    async def _change(
        self, method: str, at: str = "", *, params: Mapping[str, Any] | None = None, json: Any = None
    ) -> None:
        """Have something done whose answer says nothing more."""
        await self._transport.send(method, f"{self._path}{at}", lambda _: None, params=params, json=json)

    def _list(
        self,
        name: str,
        record: type[T],
        *,
        items: str | None,
        per_page: int,
        page: int | None,
        cursor: str | None,
        params: Mapping[str, Any] | None = None,
    ) -> Paginator[T]:
        """The listing at `name` below this resource, with its items under `data`, or `None` where that is the array."""
        listing = Listing(
            transport=self._transport,
            path=f"{self._path}/{name}",
            params=params or {},
            items=items,
            decode=lambda items, place: structure_all(items, record, place),
            per_page=per_page,
        )
        return Paginator(listing, page=page, cursor=cursor)
