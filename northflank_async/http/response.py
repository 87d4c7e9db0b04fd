"""Responses: how a status, headers and a body become data or an error. No I/O."""

import http
import json
import math
from collections.abc import Mapping
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
)
from northflank_async.http.rate_limit import read_rate_limit, read_retry_after
from northflank_async.http.request import is_unicode
from northflank_async.http.retry import SAFE_METHODS
from northflank_async.records import Pagination
from northflank_async.records.values import kind_of

_ERRORS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}


_BLANKS = b" \t\r\n\0\xef\xbb\xbf\xfe\xff"
"""White space and byte order marks, also as in UTF-16."""
_DIGITS = bytes(ord("0") if chr(byte).isdecimal() and byte < 128 else ord(" ") for byte in range(256))
_LONG_INTEGER = b"0" * 19
"""Digits of the smallest integer, as `_DIGITS` translates it, that may not fit in 64 bits."""


@frozen(kw_only=True)
class Response:
    """A response without its body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    url: URL
    method: str


class _UnreadableJson(ValueError):
    """JSON that Python cannot hold. The same request would get it again."""


class Body(NamedTuple):
    """The body of a success: `data` and `pagination` as the API sent them."""

    data: Any
    pagination: Any


def is_success(status: int) -> bool:
    """Whether the status is 2xx."""
    return 200 <= status < 300


def read_body(response: Response, body: bytes) -> Body:
    """Read the body of a response.

    Raises:
        ApiError: the status is not 2xx.
        DecodeError: a success whose body is not a JSON object with `data`. For a change, `data` is the whole
            body, unless that is HTML or an error.
    """
    if not is_success(response.status):
        raise read_error(response, body)
    if not body.strip():
        if response.method == "GET" and response.status != 204:
            raise DecodeError("the response is empty", is_json=False)
        return Body(data=None, pagination=None)
    is_change = response.method not in SAFE_METHODS
    content = response.headers.get("Content-Type", "no content type").lower()
    failure: DecodeError | None = None
    try:
        parsed = _parse_json(body)
    except _UnreadableJson as error:
        failure = DecodeError(f"the response cannot be read: {error}")
    except ValueError as error:
        message = f"the response is not JSON ({response.status}, {content}): {error}"
        failure = DecodeError(message, is_json=False)
    if failure:
        if is_change and (failure.is_json or not ("html" in content or body.lstrip(_BLANKS).startswith(b"<"))):
            return Body(data=body.decode(errors="replace"), pagination=None)
        raise failure  # outside the handlers: the parser's error has the whole body, which may contain secrets
    if isinstance(parsed, dict):
        if (reported := parsed.get("error")) and not parsed.get("data"):
            text = reported.get("message") if isinstance(reported, dict) else reported
            reason = f": {text}" if isinstance(text, str) else ""
            raise DecodeError(f"the status is {response.status}, but the response is an error{reason}")
        if "data" in parsed:
            return Body(data=parsed["data"], pagination=parsed.get("pagination"))
    if is_change:
        return Body(data=parsed, pagination=None)
    if not isinstance(parsed, dict):
        raise DecodeError(f"the response must be a JSON object, got {kind_of(parsed)}")
    raise DecodeError("missing", place="data")


def read_error(response: Response, body: bytes) -> ApiError:
    """Make the error for a response that is not a success."""
    status = response.status
    if status < 400 and (location := response.headers.get("Location")):
        return ApiError(f"redirects to {location}: not followed, so that the token stays with its host", status=status)
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


def read_page(data: Any, name: str | None, *, is_optional: bool = False) -> tuple[list[Any], str]:
    """Read a page of a listing: its items, and their place.

    Args:
        data: the body's `data`.
        name: the name of the array in `data`; `None` where `data` is the array.
        is_optional: whether the API may omit the array, so that an empty `data` has no items.

    Raises:
        DecodeError: the page is not as documented.
    """
    raw, place = data, "data"
    if name is not None:
        if not isinstance(data, dict):
            raise DecodeError(f"expected an object, got {kind_of(data)}", place=place)
        place = f"data.{name}"
        if is_optional and not data:
            return [], place
        if name not in data:
            found = f"has {', '.join(sorted(data)[:9])}" if data else "is empty"
            raise DecodeError(f"missing; data {found}", place=place)
        raw = data[name]
    return [] if raw is None else read_array(raw, place), place


def read_array(raw: Any, place: str) -> list[Any]:
    """Check that there is an array at `place`.

    Raises:
        DecodeError: there is something else.
    """
    if not isinstance(raw, list):
        raise DecodeError(f"expected an array, got {kind_of(raw)}", place=place)
    return raw


def read_pagination(raw: Any, items: int) -> Pagination:
    """Read the pagination of a page; `items` is the number of its items. Without a pagination object, it is the last.

    Raises:
        DecodeError: it is unclear whether there is a next page, or where.
    """
    if raw is None:
        return Pagination(has_next_page=False, count=items)
    if not isinstance(raw, dict):
        raise DecodeError(f"expected an object, got {kind_of(raw)}", place="pagination")
    has_next_page, cursor = raw.get("hasNextPage"), raw.get("cursor")
    if has_next_page.__class__ is not bool:
        has_next_page = _read_flag(has_next_page, missing=cursor not in (None, ""))
    if cursor is not None and not _is_cursor(cursor):
        cursor = _read_cursor(cursor) if has_next_page else None
    count = raw.get("count")
    if count.__class__ is not int or count < 0:
        count = _read_count(count, items)
    return Pagination(has_next_page=has_next_page, count=count, cursor=cursor)


def _read_flag(value: Any, *, missing: bool) -> bool:
    """Read `hasNextPage` in another notation than JSON's."""
    match value.lower() if isinstance(value, str) else value:
        case None | "":
            return missing
        case "true" | 1:
            return True
        case "false" | 0:
            return False
    raise DecodeError(f"expected true or false, got {value!r:.60}", place="pagination.hasNextPage")


def _is_cursor(value: Any) -> bool:
    """Whether this is text that can be part of a URL."""
    return value.__class__ is str and value != "" and "\0" not in value and is_unicode(value)


def _read_cursor(value: Any) -> str | None:
    """Read a cursor in another notation than text."""
    if value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise DecodeError(f"expected text that can be sent back, got {value!r:.60}", place="pagination.cursor")


def _read_count(value: Any, items: int) -> int:
    """Read `count` in another notation than an integer; where it is unreadable, count the items."""
    try:
        number = float(value) if isinstance(value, str | float) else math.nan
    except ValueError:
        return items
    return int(number) if number.is_integer() and number >= 0 else items


def _parse_json(body: bytes) -> Any:
    """Parse JSON. Integers are exact, whatever their size.

    Raises:
        _UnreadableJson: it is JSON that Python cannot hold.
        ValueError: it is not JSON.
    """
    if _LONG_INTEGER in body.translate(_DIGITS):  # orjson makes a float of an integer of more than 64 bits
        return _parse_unusual_json(body)
    try:
        return orjson.loads(body)
    except ValueError:  # it may only be unusual, such as half a surrogate pair
        return _parse_unusual_json(body)


def _parse_unusual_json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_reject_constant, parse_float=_finite, parse_int=_integer)
    except RecursionError:
        raise _UnreadableJson("it is nested too deeply") from None


def _reject_constant(name: str) -> Any:
    raise _UnreadableJson(f"{name} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):  # it could not be written as JSON again
        raise _UnreadableJson(f"{text} is out of range")
    return number


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python limits the number of digits
        raise _UnreadableJson(f"a number has {len(text)} digits") from None


def _error_object(body: bytes) -> dict[str, Any]:
    """The `error` of a documented error body; empty where a proxy sent something else."""
    try:
        parsed = _parse_json(body)
    except ValueError:
        return {}
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else {}


def _phrase(status: int, headers: Mapping[str, str]) -> str:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "unknown status"
    content = headers.get("Content-Type")
    return f"{phrase} ({content} instead of an error body)" if content else phrase
