"""The base of all resources: a path, and the requests to it."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

from northflank_async.errors import NorthflankError
from northflank_async.http.exchange import Envelope
from northflank_async.http.transport import Transport
from northflank_async.paging import Paginator

T = TypeVar("T")


class Resource:
    """A resource at a URL. `path` is percent-encoded."""

    _path = ""  # for the repr if __init__ rejects its arguments

    def __init__(self, transport: Transport, path: str) -> None:
        self._transport = transport
        self._path = path

    @property
    def _id(self) -> str:
        """The id from the path, decoded."""
        return unquote(self._path.rpartition("/")[2])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path}>"

    @property
    def path(self) -> str:
        """The percent-encoded path, for `request()` and `paginate()`."""
        return self._path

    async def _fetch(self, record: type[T], subpath: str = "") -> T:
        """Fetch a record from this path, or from a `subpath` of it."""
        envelope = await self._transport.send("GET", f"{self._path}{subpath}")
        return envelope.record(record)

    async def _send_change(
        self, method: str, subpath: str = "", *, params: Mapping[str, Any] | None = None, json: Any = None
    ) -> Envelope | None:
        """Send a change. Returns `None` where it was made, but the response cannot be read."""
        try:
            return await self._transport.send(method, f"{self._path}{subpath}", params, json)
        except NorthflankError as error:
            if not error.changed:
                raise
        return None

    async def _create(
        self,
        subpath: str,
        record: type[T],
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> T:
        """Send a POST and convert the data of its response to a record. `defaults` replace missing required fields."""
        envelope = await self._transport.send("POST", f"{self._path}{subpath}", params, json)
        return envelope.change(record, defaults or {})

    def _paginate(
        self,
        subpath: str,
        record: type[T],
        *,
        items: str | None,
        per_page: int,
        page: int | None,
        cursor: str | None,
        params: Mapping[str, Any] | None = None,
        is_optional: bool = False,
    ) -> Paginator[T]:
        """List the records at a subpath.

        `items` names the array under `data`; `None` if `data` is the array. `is_optional` says that the API's schema
        lets it omit the array.
        """
        return Paginator(
            transport=self._transport,
            path=f"{self._path}{subpath}",
            params=params or {},
            items=items,
            record=record,
            per_page=per_page,
            page=page,
            cursor=cursor,
            is_optional=is_optional,
        )
