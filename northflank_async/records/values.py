"""What the JSON values of records' fields become. A value of another type than its field's is an error."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

Hook = Callable[[Any, Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 60
"""Characters of an unreadable value that an error shows."""


def expected(what: str, value: Any) -> ValueError:
    """Say what should have been there."""
    shown = repr(value)
    return ValueError(f"expected {what}, got {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}")


def camel_case(name: str) -> str:
    """The API's name of a record's field."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def structure_str(value: Any, _: Any) -> str:
    """Text as it is."""
    if isinstance(value, str):
        return value
    raise expected("text", value)


def structure_bool(value: Any, _: Any) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise expected("true or false", value)


def structure_int(value: Any, _: Any) -> int:
    """Whole numbers may come as a float."""
    match value:
        case bool():
            pass
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
    raise expected("a whole number", value)


def structure_size(value: Any, _: Any) -> int | None:
    """The one number that the API sends as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return None if value is None else structure_int(value, int)


def structure_float(value: Any, _: Any) -> float:
    """A number; an int stays one, so that it goes back as it came."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise expected("a number", value)


def structure_datetime(value: Any, _: Any) -> datetime:
    """A time without a zone is in UTC, as all of the API's times are; a space may stand for the T."""
    if isinstance(value, str) and ("T" in value or " " in value):
        try:
            time = datetime.fromisoformat(value)
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass
    raise expected("an ISO 8601 time", value)


def structure_milliseconds(value: Any, _: Any) -> datetime | None:
    """The one time that the API sends as milliseconds since 1970: a number, or a number's text."""
    if value is None:
        return None
    try:
        return _EPOCH + timedelta(
            milliseconds=float(value) if isinstance(value, str) else structure_float(value, float)
        )
    except (ValueError, OverflowError):
        raise expected("a time in milliseconds", value) from None


def unstructure_milliseconds(time: datetime) -> float:
    """The number that the API sends for a time."""
    return (time - _EPOCH) / timedelta(milliseconds=1)


def is_open_enum(cls: Any) -> bool:
    """Whether a field's type is an enum or any other text."""
    return get_origin(cls) in (Union, UnionType) and any(
        isinstance(arm, type) and issubclass(arm, StrEnum) for arm in get_args(cls)
    )


def members(cls: Any) -> dict[str, str]:
    """The documented values of an open enum."""
    arms = (arm for arm in get_args(cls) if arm is not NoneType and issubclass(arm, StrEnum))
    return {member.value: member for arm in arms for member in arm}


def open_enum_factory(cls: Any) -> Hook:
    """What makes a member of a documented value, and leaves others as they are."""
    known, optional = members(cls), NoneType in get_args(cls)

    def hook(value: Any, _: Any) -> str | None:
        if isinstance(value, str):
            return known.get(value, value)
        if value is None and optional:
            return None
        raise expected("text", value)

    return hook


def is_optional(cls: Any) -> bool:
    """Whether a field's type is one other type or nothing."""
    return get_origin(cls) in (Union, UnionType) and len(get_args(cls)) == 2 and NoneType in get_args(cls)


def other_arm(cls: Any) -> Any:
    """The other type of an optional one."""
    return next(arm for arm in get_args(cls) if arm is not NoneType)


def is_tuple(cls: Any) -> bool:
    """Whether a field's type is an array."""
    return get_origin(cls) is tuple


BY_NAME: dict[str, tuple[Hook, Callable[[Any], Any]]] = {
    "size": (structure_size, str),
    "expired_by": (structure_milliseconds, unstructure_milliseconds),
}
"""The fields that the API sends as something else than their type, with the ways there and back."""
