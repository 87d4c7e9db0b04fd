"""The Python value of each JSON value in a record. A value that is not of its field's type is an error."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

Hook = Callable[[Any, Any], Any]

ByteSize: TypeAlias = Annotated[int, "bytes, which the API sends as text"]
"""A number of bytes. The API sends it as text, to keep large numbers exact."""

MillisecondTime: TypeAlias = Annotated[datetime, "milliseconds since 1970"]
"""A time that the API sends as milliseconds since 1970."""

_KINDS: dict[type, str] = {
    str: "text", bool: "a boolean", int: "a number", float: "a number", list: "an array", dict: "an object",
    NoneType: "null",
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SHOWN = 60
"""Characters of an invalid value that an error message shows."""
_TIME = re.compile(
    r"([0-9]{4}-?[0-9]{2}-?[0-9]{2})[T ]+([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"\s*(Z|UTC|GMT|([+\-\u2212])([0-9]{2})(?::?([0-9]{2}))?(?:\s*(?:Z|UTC|GMT))?)?"
)
"""Groups: the day, hour, minute, second, fraction, time zone, and its sign, hours and minutes."""


class InvalidValue(ValueError):
    """A value that is not of its field's type."""

    def __init__(self, what: str, value: Any) -> None:
        try:
            shown = repr(value)
        except RecursionError:
            shown = "deeply nested JSON"
        super().__init__(f"expected {what}, got {shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + '…'}")
        self.without_value = f"expected {what}, got {kind_of(value)}"
        """The message for a value that may be a secret."""


def expected(what: str, value: Any) -> InvalidValue:
    """Build the error for an invalid value."""
    return InvalidValue(what, value)


def kind_of(value: Any) -> str:
    """The kind of a JSON value, for messages."""
    return _KINDS.get(type(value), type(value).__name__)


def camel_case(name: str) -> str:
    """The API's name of a field: `created_at` is `createdAt`, and `custom_db_name` is `customDBName`."""
    first, *rest = name.split("_")
    return first + "".join("DB" if word == "db" else word.capitalize() for word in rest)


def structure_str(value: Any, _: Any) -> str:
    """Accept text only."""
    if isinstance(value, str):
        return value
    raise expected("text", value)


def structure_bool(value: Any, _: Any) -> bool:
    """Accept `true` and `false` only."""
    if isinstance(value, bool):
        return value
    raise expected("true or false", value)


def structure_int(value: Any, _: Any) -> int:
    """Accept an integer, also one that is written as a float: `7.0`."""
    match value:
        case bool():
            pass
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
    raise expected("a whole number", value)


def structure_size(value: Any, _: Any) -> int:
    """Accept a number of bytes, as text or as an integer."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return structure_int(value, int)


def structure_object(value: Any, _: Any) -> dict[str, Any]:
    """Accept an object whose contents are not documented."""
    if isinstance(value, dict):
        return value
    raise expected("an object", value)


def structure_float(value: Any, _: Any) -> float:
    """Accept a number; an integer stays one, so that the record converts back to the same JSON."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise expected("a number", value)


def structure_datetime(value: Any, _: Any) -> datetime:
    """Accept a date and time in any notation of ISO 8601 that names one moment. Without a time zone, it is in UTC."""
    if isinstance(value, str):
        try:
            return as_utc(_read_time(value))
        except (ValueError, OverflowError):
            pass
    raise expected("an ISO 8601 time", value)


def _read_time(text: str) -> datetime:
    text = text.strip().upper()
    if "T" not in text and " " not in text:
        raise ValueError("a date without a time")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _read_unusual_time(text)


def _read_unusual_time(text: str) -> datetime:
    """Read a time with a leap second or at 24:00, or with another notation of its time zone."""
    parts = _TIME.fullmatch(text)
    if not parts:
        raise ValueError("not a time")
    day, hour, minute, second, fraction, zone, sign, zone_hour, zone_minute = parts.groups()
    midnight = datetime.combine(date.fromisoformat(day), time())
    clock = (int(hour), int(minute), int(second or 0), int((fraction or "")[:6].ljust(6, "0")))
    if clock > (24, 0, 0, 0) or clock[1] > 59 or clock[2] > 60:
        raise ValueError("not a time of day")
    moment = midnight + timedelta(hours=clock[0], minutes=clock[1], seconds=clock[2], microseconds=clock[3])
    if zone is None:
        return moment
    offset = timedelta(hours=int(zone_hour or 0), minutes=int(zone_minute or 0))
    return moment.replace(tzinfo=timezone(-offset if sign in ("-", "\u2212") else offset))


def as_utc(time: datetime) -> datetime:
    """The same moment in UTC. A time without a time zone is in UTC already."""
    return time.replace(tzinfo=UTC) if time.utcoffset() is None else time.astimezone(UTC)


def structure_milliseconds(value: Any, _: Any) -> datetime:
    """Accept milliseconds since 1970, as a number or as text."""
    try:
        return _EPOCH + timedelta(
            milliseconds=float(value) if isinstance(value, str) else structure_float(value, float)
        )
    except (ValueError, OverflowError):
        raise expected("a time in milliseconds", value) from None


def unstructure_datetime(time: datetime) -> str:
    """Write a time as the API does, in UTC and with milliseconds; with microseconds only where it has some."""
    precision = "microseconds" if time.microsecond % 1000 else "milliseconds"
    return as_utc(time).isoformat(timespec=precision).replace("+00:00", "Z")


def unstructure_milliseconds(time: datetime) -> int | float:
    """Convert a time to milliseconds since 1970; to a whole number, unless it has microseconds."""
    whole, rest = divmod(as_utc(time) - _EPOCH, timedelta(milliseconds=1))
    return whole + rest / timedelta(milliseconds=1) if rest else whole


def is_open_enum(cls: Any) -> bool:
    """Whether a field's type is a union with an enum: `RunStatus | str`."""
    return get_origin(cls) in (Union, UnionType) and any(
        isinstance(arm, type) and issubclass(arm, StrEnum) for arm in get_args(cls)
    )


def members(cls: Any) -> dict[str, str]:
    """The enum members of an open enum, by their values."""
    arms = (arm for arm in get_args(cls) if arm is not NoneType and issubclass(arm, StrEnum))
    return {member.value: member for arm in arms for member in arm}


def open_enum_factory(cls: Any) -> Hook:
    """Make a hook that returns the member of a documented value, and any other text unchanged."""
    known, optional = members(cls), NoneType in get_args(cls)

    def hook(value: Any, _: Any) -> str | None:
        if isinstance(value, str):
            return known.get(value, value)
        if value is None and optional:
            return None
        raise expected("text", value)

    return hook


def is_optional(cls: Any) -> bool:
    """Whether a field's type is `X | None`."""
    return get_origin(cls) in (Union, UnionType) and len(get_args(cls)) == 2 and NoneType in get_args(cls)


def other_arm(cls: Any) -> Any:
    """The `X` of `X | None`."""
    return next(arm for arm in get_args(cls) if arm is not NoneType)


def is_tuple(cls: Any) -> bool:
    """Whether a field's type is `tuple[X, ...]`, an array in JSON."""
    return get_origin(cls) is tuple
