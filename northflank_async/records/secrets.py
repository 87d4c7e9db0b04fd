"""Which values are secrets: no error shows them. Their fields have no repr."""

import re
from typing import Any, get_args

import attrs

from northflank_async.records.values import camel_case

_NAME = re.compile(r"\.(\w+)")


def is_secret(record: Any, path: str) -> bool:
    """Whether the value at a path of a record, such as `.credentials.accessKey`, is a secret or may contain one."""
    cls: Any = record
    for name in _NAME.findall(path):
        field = next((field for field in attrs.fields(cls) if camel_case(field.name) == name), None)
        if field is None:
            return False
        if not field.repr:
            return True
        cls = _record_in(field.type)
        if cls is None:
            return False
    return _has_secrets(cls)


def _has_secrets(cls: Any) -> bool:
    if not attrs.has(cls):
        return False
    return any(not field.repr or _has_secrets(_record_in(field.type)) for field in attrs.fields(cls))


def _record_in(annotation: Any) -> Any:
    """The record class in the type of a field, such as that of `tuple[Scheduling, ...] | None`; `None` without one."""
    if isinstance(annotation, type) and attrs.has(annotation):
        return annotation
    return next((found for arm in get_args(annotation) if (found := _record_in(arm))), None)
