"""Convert the API's JSON to records, and back.

Names follow one rule: `created_at` is `createdAt`. A value that is not of its field's type is an error. Two converters
apply the same rules: the fast one reads every response, and where it fails, the explaining one finds the place and
the reason.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from functools import partial
from operator import eq
from typing import Any, TypeVar

import attrs
from cattrs import BaseValidationError, Converter
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import AttributeValidationNote, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from northflank_async.errors import DecodeError
from northflank_async.records.generation import record_factory
from northflank_async.records.secrets import has_secrets, is_secret, without_secrets
from northflank_async.records.values import (
    ByteSize,
    Hook,
    InvalidValue,
    MillisecondTime,
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
    structure_milliseconds,
    structure_object,
    structure_size,
    structure_str,
    unstructure_datetime,
    unstructure_milliseconds,
)

T = TypeVar("T")


def structure(raw: Any, record: type[T], place: str = "") -> T:
    """Convert a decoded JSON object to a record.

    Args:
        raw: the JSON object, as the API sent it.
        record: the record class, such as `Backup`.
        place: the path of `raw` in the response, such as `data.backups[3]`; error messages start with it.

    Raises:
        DecodeError: a required field is missing, or a value is not of its documented type; `raw` is the JSON object.
    """
    try:
        result: T = _fast.get_structure_hook(record)(raw, record)
        return result
    except Exception:  # the explaining converter reports it, or accepts an unusual notation
        return _structure_explained(raw, record, place)


def structure_all(raw: Sequence[Any], record: type[T], place: str = "") -> list[T]:
    """Convert each item of the array at `place` to a record.

    Raises:
        DecodeError: an item is not as documented; the error names the first one.
    """
    hook = _fast.get_structure_hook(record)
    try:
        return [hook(item, record) for item in raw]
    except Exception:
        return [structure(item, record, f"{place}[{index}]") for index, item in enumerate(raw)]


def unstructure(record: Any) -> Any:
    """Convert a record to the API's JSON. Fields that are `None` are left out."""
    return _explaining.unstructure(record)


def _structure_explained(raw: Any, record: type[T], place: str) -> T:
    try:
        return _explaining.structure(raw, record)
    except Exception as error:  # cattrs raises whatever a hook raises
        path, fault = _first_fault(error)
    found = DecodeError(_reason(path, fault, record), place=(place + path).removeprefix("."))
    found.raw = without_secrets(raw, record)
    raise found


def _first_fault(error: BaseException) -> tuple[str, BaseException]:
    """The path of the first invalid value, and its error."""
    path = ""
    while isinstance(error, BaseValidationError):
        error = error.exceptions[0]
        for note in getattr(error, "__notes__", ()):
            match note:
                case IterableValidationNote(index=index):
                    path += f"[{index}]"
                case AttributeValidationNote(name=name):
                    path += f".{camel_case(name)}"
    return path, error


def _reason(path: str, fault: BaseException, record: type[Any]) -> str:
    match fault:
        case KeyError():
            return "missing"
        case InvalidValue() if is_secret(path) or has_secrets(record):
            return fault.without_value
    return str(fault)


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
    return make_dict_unstructure_fn(cls, converter, **names)


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
    for cls, hook in (
        (ByteSize, structure_size),
        (MillisecondTime, structure_milliseconds),
        (dict[str, Any], structure_object),
    ):
        converter.register_structure_hook_func(partial(eq, cls), hook)
    converter.register_structure_hook_factory(is_open_enum, open_enum_factory)
    converter.register_structure_hook_factory(is_optional, _optional_factory)
    converter.register_structure_hook_factory(is_tuple, _tuple_factory)
    converter.register_structure_hook_factory(attrs.has, record_factory)
    converter.register_unstructure_hook_factory(is_open_enum, lambda _: _unstructure_enum)
    converter.register_unstructure_hook(datetime, unstructure_datetime)
    converter.register_unstructure_hook_func(partial(eq, ByteSize), str)
    converter.register_unstructure_hook_func(partial(eq, MillisecondTime), unstructure_milliseconds)
    converter.register_unstructure_hook_factory(attrs.has, _record_unstructure_factory)
    return converter


_explaining = _make_converter(_explaining_record_factory)
_fast = _make_converter(record_factory)
