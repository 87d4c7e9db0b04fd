"""Responses: how a status, headers and a body become data or an error. No I/O."""

import http
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson
from attrs import field, frozen
from yarl import URL

from northflank_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequest,
    Conflict,
    DecodeError,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerError,
    TransportError,
)
from northflank_async.http.request import is_unicode
from northflank_async.records import Pagination, structure

MAX_WAIT = 86_400.0
"""Seconds. A server that asks for a longer wait than a day is not believed."""
_RETRIED_STATUSES = {500, 502, 503, 504}
_SAFE_METHODS = {"GET", "HEAD"}
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_ERRORS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}


@frozen(kw_only=True)
class Response:
    """What is known of an answer besides its body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    url: URL
    method: str


class Envelope(NamedTuple):
    """An answer's body: `data`, and `pagination` as it was sent, if it was."""

    data: Any
    pagination: Any
    response: Response


class RateLimitHeaders(NamedTuple):
    """What an answer says of the window: requests left of how many, and the seconds until it resets."""

    limit: int | None
    remaining: int
    reset_after: float


def is_success(status: int) -> bool:
    """Whether the API did what it was asked."""
    return 200 <= status < 300


def read_envelope(response: Response, body: bytes) -> Envelope:
    """Read an answer.

    Raises:
        ApiError: the API refused, failed, or redirects.
        DecodeError: a success that is no JSON object with `data`.
    """
    if not is_success(response.status):
        raise read_error(response, body)
    if not body.strip():
        if response.method == "GET" and response.status != 204:
            raise DecodeError("the answer is empty", is_json=False)
        return Envelope(data=None, pagination=None, response=response)
    try:
        answer = _parse_json(body)
    except ValueError as error:
        content = response.headers.get("Content-Type", "of no type")
        raise DecodeError(f"the answer is no JSON ({response.status}, {content}): {error}", is_json=False) from None
    if not isinstance(answer, dict):
        raise DecodeError(f"the answer is no JSON object but {type(answer).__name__}")
    if "data" not in answer:
        raise DecodeError("missing", place="data")
    return Envelope(data=answer["data"], pagination=answer.get("pagination"), response=response)


def read_error(response: Response, body: bytes) -> ApiError:
    """Make the error of an answer that is no success."""
    status = response.status
    if status < 400 and (location := response.headers.get("Location")):
        return ApiError(f"redirects to {location}: not followed, the token stays with its host", status=status)
    documented = _error_object(body)
    message, id_ = documented.get("message"), documented.get("id")
    cls = _ERRORS.get(status, ServerError if status >= 500 else ApiError)
    rate_limit = read_rate_limit(status, response.headers) if status == 429 else None
    return cls(
        message if isinstance(message, str) and message else _phrase(status, response.headers),
        status=status,
        id=id_ if isinstance(id_, str) else None,
        details=documented.get("details"),
        retry_after=rate_limit.reset_after if rate_limit else read_retry_after(response.headers),
    )


def read_pagination(raw: Any, items: int) -> Pagination:
    """Read where a page of so many `items` stands. Without a word of it, the listing ends here."""
    if raw is None:
        return Pagination(has_next_page=False, count=items)
    if not isinstance(raw, dict):
        raise DecodeError(f"expected an object, got {type(raw).__name__}", place="pagination")
    told = {name: value for name, value in raw.items() if value not in (None, "")}
    pagination = structure({"hasNextPage": "cursor" in told, "count": items, **told}, Pagination, "pagination")
    if pagination.cursor and (not is_unicode(pagination.cursor) or "\0" in pagination.cursor):
        raise DecodeError(f"expected text that can be sent, got {pagination.cursor!r}", place="pagination.cursor")
    return pagination


def read_rate_limit(status: int, headers: Mapping[str, str]) -> RateLimitHeaders | None:
    """Read an answer's `x-ratelimit-*`; `None` where they say nothing that can be relied on.

    After a 429 nothing is left for now, for at least a second: a server that rounds its seconds down says 0 too early.
    Its `Retry-After` counts alone where the window has requests left, else the later of the two times does.
    """
    limit = _number(headers.get("x-ratelimit-limit"))
    remaining = _number(headers.get("x-ratelimit-remaining"))
    reset = _number(headers.get("x-ratelimit-reset"))
    if reset is not None and reset > MAX_WAIT:
        reset = None
    if status == 429:
        retry_after = read_retry_after(headers)
        if retry_after is not None and (reset is None or remaining or retry_after > reset):
            reset = retry_after
        remaining = 0
        reset = None if reset is None else max(reset, 1.0)
    if remaining is None or reset is None:
        return None
    return RateLimitHeaders(limit=None if limit is None else int(limit), remaining=int(remaining), reset_after=reset)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, whether it gives them or a date."""
    text = headers.get("Retry-After")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None:
        try:
            date = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = max(0.0, (date - datetime.now(UTC)).total_seconds())
    return seconds if seconds <= MAX_WAIT else None


def retry_delay(error: Exception, method: str) -> bool | float:
    """Whether a request that failed like this is to be tried again: `False`, `True`, or after so many seconds.

    A request that changes something is tried again only where the server cannot have acted on it.
    """
    safe = method in _SAFE_METHODS
    match error:
        case TransportError():
            return safe or not error.sent
        case DecodeError(is_json=False):
            return safe
        case RateLimited():
            return 0.0  # the budget does the waiting
        case ServerError() if error.status in _RETRIED_STATUSES and (safe or error.status == 503):
            return error.retry_after or True
    return False


def _parse_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:  # or it is only unusual, such as half a surrogate pair
        return _parse_unusual_json(body)


def _parse_unusual_json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):  # it could not be written out again
        raise ValueError(f"{text} is out of range")
    return number


def _error_object(body: bytes) -> dict[str, Any]:
    """The documented error body's `error`; empty where a proxy answered with something else."""
    try:
        answer = _parse_json(body)
    except ValueError:
        return {}
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}


def _phrase(status: int, headers: Mapping[str, str]) -> str:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "unknown status"
    content = headers.get("Content-Type")
    return f"{phrase} ({content} instead of an error body)" if content else phrase


def _number(text: str | None) -> float | None:
    """A header's number, if it is one and not below zero."""
    return float(text) if text and _NUMBER.fullmatch(text.strip()) else None
