"""One request and its response, and the errors of both."""

import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import define, field, frozen

from northflank_async.errors import ApiError, DecodeError, NorthflankError, TransportError
from northflank_async.http.phase import Phase
from northflank_async.http.request import Request
from northflank_async.http.response import Response, read_array
from northflank_async.http.retry import SAFE_METHODS, was_refused
from northflank_async.records import structure, structure_all

T = TypeVar("T")

RATE_LIMIT = "the rate limit"


@define(eq=False)
class Exchange:
    """A request and its attempts, since `started` (the clock's seconds)."""

    request: Request
    started: float
    attempts: int = 0
    phase: Phase | None = None
    """The running attempt. After it, only what the last one left open."""
    pausing: bool = False
    """Whether it waits between two attempts."""

    @property
    def is_change(self) -> bool:
        """Whether the request changes something."""
        return self.request.method not in SAFE_METHODS

    @property
    def waiting_for(self) -> str:
        """What happens next."""
        if self.phase is None:
            return "the next attempt" if self.pausing else RATE_LIMIT
        if self.phase.sent:
            return "the response"
        return "a free connection" if self.phase.queued else "a connection"

    def describe(self, error: NorthflankError, now: float) -> None:
        """Add the request to an error, and whether a change was made."""
        error.method, error.url = self.request.method, self.request.url
        error.attempts, error.elapsed = self.attempts, now - self.started
        if isinstance(error, TransportError):
            error.sent = self.phase is not None and self.phase.sent
        if self.is_change:
            error.changed = self._was_made(error)

    def annotate(self, error: BaseException, now: float, handled: BaseException | None) -> None:
        """Add the request to an error, and redact its secrets. `handled` is what the caller was handling."""
        if isinstance(error, NorthflankError):
            self.describe(error, now)
        self.request.redactor.clean(error, handled)

    def _was_made(self, error: NorthflankError) -> bool | None:
        """Whether the change was made; `None` if that is unknown."""
        if isinstance(error, ApiError):
            return False if was_refused(error) else None
        if self.phase is None or not self.phase.sent:
            return False
        return True if self.phase.succeeded else None


@frozen(kw_only=True)
class Envelope:
    """A success: `data` and `pagination` as the API sent them, and where they came from."""

    data: Any = field(repr=False)
    pagination: Any = field(repr=False)
    response: Response
    exchange: Exchange = field(repr=False)
    received: float = field(repr=False)
    """The clock's seconds."""

    def annotate(self, error: NorthflankError, handled: BaseException | None) -> None:
        """Add the request to an error from reading the response, and redact its secrets."""
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

    def change(self, record: type[T], defaults: Mapping[str, Any]) -> T:
        """The record of a change that was made, read leniently.

        A field that cannot be read is omitted. `defaults` are the values of required fields that are missing.

        Raises:
            DecodeError: there is no record, not even with the defaults; `data` is the data of the response.
        """
        handled = sys.exception()
        data, unused = self.data, dict(defaults)
        while True:
            try:
                return structure(data, record, "data")
            except DecodeError as error:
                name = error.place.removeprefix("data.").partition(".")[0].partition("[")[0]
                if isinstance(data, dict) and (name in data or name in unused):
                    data = {key: value for key, value in data.items() if key != name}
                    if name in unused:
                        data[name] = unused.pop(name)
                    continue
                error.data = self.data
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
