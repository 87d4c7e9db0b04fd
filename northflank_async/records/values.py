"""The Python value of each JSON value in a record. A value that is not of its field's type is an error."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

Hook = Callable[[Any, Any], Any]

ByteSize: TypeAlias = Annotated[int, "bytes, which the API sends as text"]
"""A number of bytes. The API sends it as text, to keep large numbers exact."""

MillisecondTime: TypeAlias = Annotated[datetime, "milliseconds since 1970"]
"""A time that the API sends as milliseconds since 1970."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_SHOWN = 60
"""Characters of an invalid value that an error message shows."""


def expected(what: str, value: Any) -> ValueError:
    """Build the error for an invalid value."""
    try:
        shown = repr(value)
    except RecursionError:
        shown = "deeply nested JSON"
    return ValueError(f"expected {what}, got {shown if len(shown) <= _MAX_SHOWN else shown[:_MAX_SHOWN] + '…'}")


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
    """Accept a date and time, separated by a T or a space. Without a time zone, it is in UTC."""
    if isinstance(value, str) and ("T" in value or " " in value):
        try:
            time = datetime.fromisoformat(value)
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass
    raise expected("an ISO 8601 time", value)


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
    return time.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def unstructure_milliseconds(time: datetime) -> float:
    """Convert a time to milliseconds since 1970."""
    return (time - _EPOCH) / timedelta(milliseconds=1)


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
