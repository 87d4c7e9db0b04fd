"""Between the API's JSON and the records.

Names follow one rule (`created_at` is `createdAt`). A value of another type than its field's is an error. There are two
converters with the same rules: one is fast, and of what it fails at, the other says where it is and what is wrong.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import attrs
from cattrs import BaseValidationError, Converter
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from northflank_async.errors import DecodeError
from northflank_async.records.generation import record_factory
from northflank_async.records.values import (
    BY_NAME,
    Hook,
    camel_case,
    expected,
    is_open_enum,
    is_optional,
    is_tuple,
    open_enum_factory,
    other_arm,
    structure_bool,
    structure_datetime,
    structure_float,
    structure_int,
    structure_str,
)

T = TypeVar("T")


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
        made: T = _fast.get_structure_hook(record)(raw, record)
        return made
    except Exception:  # whatever it is: it is explained, or it was only unusual
        return _structure_explained(raw, record, place)


def structure_all(raw: Sequence[Any], record: type[T], place: str = "") -> list[T]:
    """Make a record of each item of an array that stands at `place`.

    Raises:
        DecodeError: the first that is not as documented.
    """
    hook = _fast.get_structure_hook(record)
    try:
        return [hook(item, record) for item in raw]
    except Exception:
        return [structure(item, record, f"{place}[{index}]") for index, item in enumerate(raw)]


def unstructure(record: Any) -> Any:
    """Give a record back as the API's JSON: its names, its text for sizes and times. What is `None` is left out."""
    return _explaining.unstructure(record)


def _structure_explained(raw: Any, record: type[T], place: str) -> T:
    try:
        return _explaining.structure(raw, record)
    except Exception as error:  # cattrs raises whatever a hook raises
        path, reason = _first_fault(error)
    raise DecodeError(reason, place=(place + path).removeprefix("."))


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


def _optional_factory(cls: Any, converter: Converter) -> Hook:
    other = other_arm(cls)
    structure_other = converter.get_structure_hook(other)
    return lambda value, _: None if value is None else structure_other(value, other)


def _tuple_factory(cls: Any, converter: Converter) -> Hook:
    structure_items = homogenous_tuple_structure_factory(cls, converter)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, list):
            return structure_items(value, cls)
        raise expected("an array", value)

    return hook


def _explaining_record_factory(cls: type[Any], converter: Converter) -> Hook:
    names: dict[str, Any] = {name: override(rename=camel_case(name)) for name in attrs.fields_dict(cls)}
    for name in names.keys() & BY_NAME.keys():
        names[name] = override(rename=camel_case(name), struct_hook=BY_NAME[name][0])
    structure_fields = make_dict_structure_fn(cls, converter, **names)

    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, dict):
            return structure_fields(value, cls)
        raise expected("an object", value)

    return hook


def _record_unstructure_factory(cls: type[Any], converter: Converter) -> Callable[[Any], dict[str, Any]]:
    names: dict[str, Any] = {
        name: override(rename=camel_case(name), omit_if_default=True) for name in attrs.fields_dict(cls)
    }
    for name in names.keys() & BY_NAME.keys():
        names[name] = override(rename=camel_case(name), omit_if_default=True, unstruct_hook=BY_NAME[name][1])
    return make_dict_unstructure_fn(cls, converter, **names)


def _unstructure_datetime(time: datetime) -> str:
    exact = "microseconds" if time.microsecond % 1000 else "milliseconds"
    return time.astimezone(UTC).isoformat(timespec=exact).replace("+00:00", "Z")


def _unstructure_enum(value: str | None) -> str | None:
    return value.value if isinstance(value, StrEnum) else value


def _make_converter(record_factory: Callable[[Any, Converter], Hook]) -> Converter:
    converter = Converter()
    for cls, hook in {
        str: structure_str,
        bool: structure_bool,
        int: structure_int,
        float: structure_float,
        datetime: structure_datetime,
    }.items():
        converter.register_structure_hook(cls, hook)
    converter.register_structure_hook_factory(is_open_enum, open_enum_factory)
    converter.register_structure_hook_factory(is_optional, _optional_factory)
    converter.register_structure_hook_factory(is_tuple, _tuple_factory)
    converter.register_structure_hook_factory(attrs.has, record_factory)
    converter.register_unstructure_hook_factory(is_open_enum, lambda _: _unstructure_enum)
    converter.register_unstructure_hook(datetime, _unstructure_datetime)
    converter.register_unstructure_hook_factory(attrs.has, _record_unstructure_factory)
    return converter


_explaining = _make_converter(_explaining_record_factory)
_fast = _make_converter(record_factory)
