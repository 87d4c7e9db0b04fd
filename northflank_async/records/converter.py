"""The one converter between the API's JSON and the records.

Names follow one rule (`created_at` is `createdAt`). A value of another type than its field's is an error.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import BaseValidationError, Converter
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from northflank_async.errors import DecodeError

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]

_SHOWN = 60
"""Characters of an unreadable value that an error shows."""


def structure(raw: Any, record: type[T], place: str = "") -> T:
    """Make a record of decoded JSON.

    Args:
        raw: the JSON of one object, as the API sent it.
        record: the class to make, such as `Backup`.
        place: where `raw` stands in a larger whole; error messages begin with it.

    Raises:
        DecodeError: a required field is missing, or a value is not of its documented type.
    """
    try:
        return _converter.structure(raw, record)
    except Exception as error:  # cattrs raises whatever a hook raises
        path, reason = _first_fault(error)
    raise DecodeError(reason, place=(place + path).removeprefix("."))


def unstructure(record: Any) -> Any:
    """Give a record back as the API's JSON: its names, its text for sizes and times. What is `None` is left out."""
    return _converter.unstructure(record)


def camel_case(name: str) -> str:
    """The API's name of a record's field."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _structure_str(value: Any, _: Any) -> str:
    if isinstance(value, str):
        return value
    raise _expected("text", value)


def _structure_bool(value: Any, _: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _expected("true or false", value)


def _structure_int(value: Any, _: Any) -> int:
    """Whole numbers may come as a float."""
    match value:
        case bool():
            pass
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
    raise _expected("a whole number", value)


def _structure_size(value: Any, _: Any) -> int | None:
    """The one number that the API sends as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return None if value is None else _structure_int(value, int)


def _structure_float(value: Any, _: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value  # an int stays one, so that it goes back as it came
    raise _expected("a number", value)


def _structure_datetime(value: Any, _: Any) -> datetime:
    """A time without a zone is in UTC, as all of the API's times are."""
    if isinstance(value, str) and "T" in value:
        try:
            time = datetime.fromisoformat(value)
            if time.tzinfo is UTC:  # as all of the API's are; the rest of this is slower
                return time
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            pass
    raise _expected("an ISO 8601 time", value)


def _unstructure_datetime(time: datetime) -> str:
    exact = "microseconds" if time.microsecond % 1000 else "milliseconds"
    return time.astimezone(UTC).isoformat(timespec=exact).replace("+00:00", "Z")


def _is_open_enum(cls: Any) -> bool:
    return get_origin(cls) in (Union, UnionType) and any(
        isinstance(arm, type) and issubclass(arm, StrEnum) for arm in get_args(cls)
    )


def _open_enum_factory(cls: Any) -> Hook:
    arms = get_args(cls)
    optional = NoneType in arms
    members: dict[str, str] = {
        member.value: member for arm in arms if arm is not NoneType and issubclass(arm, StrEnum) for member in arm
    }

    def hook(value: Any, _: Any) -> str | None:
        if isinstance(value, str):
            return members.get(value, value)
        if value is None and optional:
            return None
        raise _expected("text", value)

    return hook


def _unstructure_enum(value: str | None) -> str | None:
    return value.value if isinstance(value, StrEnum) else value


def _is_optional(cls: Any) -> bool:
    return get_origin(cls) in (Union, UnionType) and len(get_args(cls)) == 2 and NoneType in get_args(cls)


def _optional_factory(cls: Any, converter: Converter) -> Hook:
    """As cattrs does by itself, but with the other type's hook looked up once, not for each value."""
    other = next(arm for arm in get_args(cls) if arm is not NoneType)
    structure_other = converter.get_structure_hook(other)
    return lambda value, _: None if value is None else structure_other(value, other)


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple


def _tuple_factory(cls: Any, converter: Converter) -> Hook:
    structure_items = homogenous_tuple_structure_factory(cls, converter)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, list):
            return structure_items(value, cls)
        raise _expected("an array", value)

    return hook


def _record_factory(cls: type[Any], converter: Converter) -> Hook:
    names: dict[str, Any] = {name: override(rename=camel_case(name)) for name in attrs.fields_dict(cls)}
    if "size" in names:
        names["size"] = override(struct_hook=_structure_size)
    structure_fields = make_dict_structure_fn(cls, converter, **names)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, dict):
            return structure_fields(value, cls)
        raise _expected("an object", value)

    return hook


def _record_unstructure_factory(cls: type[Any], converter: Converter) -> Callable[[Any], dict[str, Any]]:
    names: dict[str, Any] = {
        name: override(rename=camel_case(name), omit_if_default=True) for name in attrs.fields_dict(cls)
    }
    if "size" in names:
        names["size"] = override(omit_if_default=True, unstruct_hook=str)
    return make_dict_unstructure_fn(cls, converter, **names)


def _expected(what: str, value: Any) -> ValueError:
    shown = repr(value)
    return ValueError(f"expected {what}, got {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}")


def _first_fault(error: BaseException) -> tuple[str, str]:
    """Where the first thing that cannot be read stands, and what is wrong with it."""
    path = ""
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            match note:
                case IterableValidationNote(index=index):
                    path += f"[{index}]"
                case AttributeValidationNote(name=name):
                    path += f".{camel_case(name)}"
    return path, "missing" if isinstance(error, KeyError) else str(error)


def _make_converter() -> Converter:
    converter = Converter()
    for cls, hook in {
        str: _structure_str,
        bool: _structure_bool,
        int: _structure_int,
        float: _structure_float,
        datetime: _structure_datetime,
    }.items():
        converter.register_structure_hook(cls, hook)
    converter.register_structure_hook_factory(_is_open_enum, _open_enum_factory)
    converter.register_structure_hook_factory(_is_optional, _optional_factory)
    converter.register_structure_hook_factory(_is_tuple, _tuple_factory)
    converter.register_structure_hook_factory(attrs.has, _record_factory)
    converter.register_unstructure_hook_factory(_is_open_enum, lambda _: _unstructure_enum)
    converter.register_unstructure_hook(datetime, _unstructure_datetime)
    converter.register_unstructure_hook_factory(attrs.has, _record_unstructure_factory)
    return converter


_converter = _make_converter()
