"""The secret values in the API's JSON: what an error may not show."""

import re
from typing import Any

import attrs

_SECRET = re.compile(
    r"secret|password|passwd|token|credential|private|signature|authorization"
    r"|connection[-_]?string|(access|api|encryption)[-_]?key|(download|signed|upload)[-_]?(link|url)",
    re.IGNORECASE,
)
"""Names of fields, of the API or of another one that it may send instead."""
_HIDDEN = "***"


def is_secret(name: str) -> bool:
    """Whether the values of a field with this name, or at this path, are secrets."""
    return bool(_SECRET.search(name))


def has_secrets(record: type[Any]) -> bool:
    """Whether a record consists of secrets, so that a value in its place may be one."""
    return attrs.has(record) and any(is_secret(field.name) for field in attrs.fields(record))


def without_secrets(raw: Any, record: type[Any] | None = None) -> Any:
    """Copy JSON, in the place of a record if it is of one, with `***` for each secret; `None` if it is too deep."""
    if record and has_secrets(record):  # a secret may have another name, too
        return dict.fromkeys(raw, _HIDDEN) if isinstance(raw, dict) else _HIDDEN
    try:
        return _without_secrets(raw)
    except RecursionError:
        return None


def _without_secrets(raw: Any) -> Any:
    match raw:
        case dict():
            return {name: _HIDDEN if is_secret(name) else _without_secrets(value) for name, value in raw.items()}
        case list():
            return [_without_secrets(value) for value in raw]
    return raw
