"""What the fields of request bodies may hold, by the documented schemas."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from northflank_async.simulator.answers import Refusal
from northflank_async.simulator.inventory import Json

Problems = dict[str, str]
Check = Callable[[str, Any, Problems], None]


def text(pattern: str = "", least: int = 0, most: int | None = None) -> Check:
    """Text of so many characters that the whole pattern matches."""

    def check(name: str, value: Any, problems: Problems) -> None:
        if not isinstance(value, str):
            problems[name] = "must be text"
        elif len(value) < least:
            problems[name] = f"must have at least {least} characters"
        elif most is not None and len(value) > most:
            problems[name] = f"must have at most {most} characters"
        elif pattern and not re.fullmatch(pattern, value):
            problems[name] = f"must match ^{pattern}$"

    return check


def choice(*values: str) -> Check:
    """One of the values."""

    def check(name: str, value: Any, problems: Problems) -> None:
        if value not in values:
            problems[name] = f"must be one of {', '.join(values)}"

    return check


def whole(least: int, most: int) -> Check:
    """A whole number in those limits."""

    def check(name: str, value: Any, problems: Problems) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            problems[name] = f"must be a whole number from {least} to {most}"

    return check


def boolean(name: str, value: Any, problems: Problems) -> None:
    """true or false."""
    if not isinstance(value, bool):
        problems[name] = "must be true or false"


def array(item: Check, least: int = 0) -> Check:
    """An array of at least so many such items."""

    def check(name: str, value: Any, problems: Problems) -> None:
        if not isinstance(value, list) or len(value) < least:
            problems[name] = "must be an array" + (" that is not empty" if least else "")
            return
        for index, part in enumerate(value):
            item(f"{name}[{index}]", part, problems)

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    """An object of these fields and no others."""
    checks = {**required, **optional}

    def check(name: str, value: Any, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems[name or "body"] = "must be an object"
            return
        prefix = f"{name}." if name else ""
        for missing in required.keys() - value.keys():
            problems[prefix + missing] = "is required"
        for key, part in value.items():
            if key in checks:
                checks[key](prefix + key, part, problems)
            else:
                problems[prefix + key] = f"is unknown; there are {', '.join(checks)}"

    return check


def either(field: str, present: Check, absent: Check) -> Check:
    """An object that is checked by whether it has that field."""

    def check(name: str, value: Any, problems: Problems) -> None:
        has = isinstance(value, dict) and field in value
        (present if has else absent)(name, value, problems)

    return check


def body(request_body: bytes, check: Check) -> Json:
    """The request's body, an empty one as an object without fields.

    Raises:
        Refusal: with each field that is wrong under `details`.
    """
    try:
        content = json.loads(request_body or b"{}")
    except (ValueError, RecursionError):
        raise Refusal(400, "The request body is no JSON.") from None
    problems: Problems = {}
    check("", content, problems)
    refuse(problems)
    checked: Json = content
    return checked


async def read(request: web.Request, check: Check) -> Json:
    """The body of the request; see `body`."""
    return body(await request.read(), check)


def refuse(problems: Problems) -> None:
    """Raise a 400 if there are problems."""
    if problems:
        said = "; ".join(f"{name} {problem}" for name, problem in sorted(problems.items()))
        raise Refusal(400, f"The request is not valid: {said}.", problems)
