"""Text and JSON from the API, in a form that every file and database accepts."""

import json
from typing import Any

import orjson

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def storable(text: str) -> str:
    """Escape lone surrogates and NUL in a text."""
    if text.isascii() and "\0" not in text:
        return str(text)
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def dump(value: Any) -> str:
    """Encode JSON in one line; lone surrogates, which UTF-8 cannot encode, become JSON escapes."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # lone surrogates, or integers of more than 64 bits
        return _encode(value).encode("utf-8", "backslashreplace").decode()
