"""Text and JSON from the API in a form that every file and database takes."""

import json
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False).encode


def storable(text: str) -> str:
    """Text with what is no Unicode, and NUL, as escapes."""
    if text.isascii() and "\0" not in text:
        return str(text)
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def dump(value: Any) -> str:
    """JSON in one line; half a surrogate pair, which UTF-8 cannot encode, comes out as JSON's own escape."""
    text = _encode(value)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
