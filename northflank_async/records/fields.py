"""Read a record field by field, where not every field can be read."""

from typing import Any

import attrs

from northflank_async.errors import DecodeError
from northflank_async.records.converter import structure
from northflank_async.records.values import camel_case, expected, is_optional, other_arm

Path = tuple[str, ...]
"""The API's names of a field and of those above it, such as `("config", "source", "type")`."""


@attrs.frozen
class Fields:
    """The fields of one object: `values` by the record's names, and `errors` by the place of what cannot be read.

    What cannot be read is `None` in `values`. An object below it that has an unreadable part keeps its other parts.
    """

    values: dict[str, Any]
    errors: dict[Path, DecodeError]

    def record(self, record: type[Any]) -> Any:
        """Make the record of what could be read; `None` without a field that it requires."""
        for name, field in attrs.fields_dict(record).items():
            if field.default is attrs.NOTHING and self.values[name] is None:
                return None
        return record(**self.values)


def read_fields(raw: Any, record: type[Any], place: str = "") -> Fields:
    """Read each field of a record by itself.

    Args:
        raw: the JSON of one object, as the API sent it.
        record: the class of the record, such as `Backup`.
        place: where `raw` stands in a larger whole; error messages begin with it.
    """
    fields = Fields(dict.fromkeys(attrs.fields_dict(record)), {})
    if not isinstance(raw, dict):
        fields.errors[()] = DecodeError(str(expected("an object", raw)), place=place)
        return fields
    for name, field in attrs.fields_dict(record).items():
        key = camel_case(name)
        at = f"{place}.{key}".removeprefix(".")
        if key in raw:
            value, errors = _read(raw[key], field.type, at)
        elif field.default is attrs.NOTHING:
            value, errors = None, {(): DecodeError("missing", place=at)}
        else:
            continue
        fields.values[name] = value
        fields.errors.update({(key, *path): error for path, error in errors.items()})
    return fields


def _read(value: Any, kind: Any, place: str) -> tuple[Any, dict[Path, DecodeError]]:
    try:
        return structure(value, kind, place), {}
    except DecodeError as error:
        record = other_arm(kind) if is_optional(kind) else kind
        if not attrs.has(record) or not isinstance(value, dict):
            return None, {(): error}
    fields = read_fields(value, record, place)
    return fields.record(record), fields.errors
