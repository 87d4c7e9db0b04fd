"""One request and its answer, and the errors of both."""

import sys
from typing import Any, TypeVar

from attrs import define, field, frozen

from northflank_async.errors import NorthflankError
from northflank_async.http.request import Request
from northflank_async.http.response import Response, read_array
from northflank_async.records import structure, structure_all

T = TypeVar("T")


@define(eq=False)
class Exchange:
    """A request and the attempts to get its answer, since `started` (the clock's seconds)."""

    request: Request
    started: float
    attempts: int = 0

    def annotate(self, error: BaseException, now: float, handled: BaseException | None) -> None:
        """Name the request in an error, and keep its secrets out. `handled` is what the caller was handling."""
        if isinstance(error, NorthflankError):
            error.method, error.url = self.request.method, self.request.url
            error.attempts, error.elapsed = self.attempts, now - self.started
        self.request.redactor.clean(error, handled)


@frozen(kw_only=True)
class Answer:
    """A success: `data` and `pagination` as the API sent them."""

    data: Any = field(repr=False)
    pagination: Any = field(repr=False)
    response: Response
    exchange: Exchange = field(repr=False)
    received: float = field(repr=False)
    """The clock's seconds."""

    def annotate(self, error: NorthflankError, handled: BaseException | None) -> None:
        """Name the request in an error that comes from reading the answer, and keep its secrets out."""
        self.exchange.annotate(error, self.received, handled)

    def record(self, record: type[T]) -> T:
        """The record in `data`.

        Raises:
            DecodeError: it is not as documented.
        """
        handled = sys.exception()
        try:
            return structure(self.data, record, "data")
        except NorthflankError as error:
            self.annotate(error, handled)
            raise

    def records(self, record: type[T]) -> list[T]:
        """The records in `data`, where that is an array.

        Raises:
            DecodeError: one of them is not as documented.
        """
        handled = sys.exception()
        try:
            return structure_all(read_array(self.data, "data"), record, "data")
        except NorthflankError as error:
            self.annotate(error, handled)
            raise
