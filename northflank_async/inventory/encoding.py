"""Text and JSON from the API, in a form that every file and database accepts."""

import json
from collections.abc import Callable
from typing import Any

import orjson

from northflank_async.errors import DecodeError

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
LONGEST_ID = 500
"""Bytes: PostgreSQL's indexes hold 2,704 of a key, which may be that of a listing, with four ids."""
_STORED_DEPTH = 100
"""Levels of JSON in a store: SQLite's functions read 1,000 of them, Python's json module fewer, DuckDB 128."""


def storable(text: str) -> str:
    """Escape lone surrogates and NUL in a text."""
    if text.isascii() and "\0" not in text:
        return str(text)
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def is_too_long(item_id: str) -> bool:
    """Whether an id is too long to be part of a key."""
    return len(storable(item_id).encode()) > LONGEST_ID


def dump(value: Any) -> str:
    """Encode JSON in one line; lone surrogates, which UTF-8 cannot encode, become JSON escapes."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # a lone surrogate, a number of more than 64 bits, or more than 254 levels
        pass
    try:
        text = _encode(value)
    except RecursionError:
        text = _encode_deep(value)
    return text.encode("utf-8", "backslashreplace").decode()


def load(text: str) -> Any:
    """Decode JSON that `dump` or `storable_json` encoded.

    Raises:
        DecodeError: it is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        pass
    try:
        return orjson.loads(text)
    except ValueError:
        raise DecodeError("nested too deeply") from None


def storable_json(value: Any) -> str:
    """Encode JSON in one line so that every function of a database can read it.

    Lone surrogates and NUL are replaced as `storable` does: one `\\u0000` would break `data->>'x'` for a whole table.
    What is nested more than 100 levels deep is stored as a string that holds its JSON.
    """
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        return _encode_deep(value, storable, _STORED_DEPTH)
    if r"\u0000" not in text and text.count("{") + text.count("[") <= _STORED_DEPTH:
        return text
    return _encode_deep(value, storable, _STORED_DEPTH)


def _encode_deep(value: Any, convert: Callable[[str], str] = str, max_depth: int | None = None) -> str:
    """Encode JSON without recursion: text is converted, and what is nested deeper than `max_depth` becomes text."""
    pieces: list[str] = []
    pending: list[tuple[Any, int | None]] = [(value, 0)]  # what is left to write, last first; depth None: as it is
    while pending:
        item, depth = pending.pop()
        if depth is None:
            pieces.append(item)
        elif isinstance(item, str):
            pieces.append(_encode(convert(item)))
        elif not isinstance(item, dict | list | tuple):
            pieces.append(_encode(item))
        elif depth == max_depth:
            pieces.append(_encode(_encode_deep(item, convert)))
        else:
            if isinstance(item, dict):
                brackets, members = "{}", [(f"{_encode(convert(name))}:", part) for name, part in item.items()]
            else:
                brackets, members = "[]", [("", part) for part in item]
            pieces.append(brackets[0])
            pending.append((brackets[1], None))
            for index, (name, part) in reversed(list(enumerate(members))):
                pending += [(part, depth + 1), (f",{name}" if index else name, None)]
    return "".join(pieces)
