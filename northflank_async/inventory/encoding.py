"""Text and JSON from the API in a form that every file and database takes."""

import json
from typing import Any

import orjson

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def storable(text: str) -> str:
    """Text with what is no Unicode, and NUL, as escapes."""
    if text.isascii() and "\0" not in text:
        return str(text)
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def dump(value: Any) -> str:
    """JSON in one line; half a surrogate pair, which UTF-8 cannot encode, comes out as JSON's own escape."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # of what is unusual, such as that, or a number of more than 64 bits
        return _encode(value).encode("utf-8", "backslashreplace").decode()
