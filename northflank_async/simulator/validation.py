"""Validators, from which the schemas of request bodies are built."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from northflank_async.simulator.inventory import Json
from northflank_async.simulator.responses import Rejection

Problems = dict[str, str]  # messages by the names of the invalid fields
Validator = Callable[[str, Any, Problems], None]


def text(pattern: str = "", min_length: int = 0, max_length: int | None = None) -> Validator:
    """A string of this length that matches the pattern completely."""

    def validate(name: str, value: Any, problems: Problems) -> None:
        if not isinstance(value, str):
            problems[name] = "must be a string"
        elif len(value) < min_length:
            problems[name] = f"must have at least {min_length} characters"
        elif max_length is not None and len(value) > max_length:
            problems[name] = f"must have at most {max_length} characters"
        elif pattern and not re.fullmatch(pattern, value):
            problems[name] = f"must match ^{pattern}$"

    return validate


def choice(*values: str) -> Validator:
    """One of these values."""

    def validate(name: str, value: Any, problems: Problems) -> None:
        if value not in values:
            problems[name] = f"must be one of {', '.join(values)}"

    return validate


def integer(minimum: int, maximum: int) -> Validator:
    """An integer in this range."""

    def validate(name: str, value: Any, problems: Problems) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            problems[name] = f"must be an integer from {minimum} to {maximum}"

    return validate


def boolean(name: str, value: Any, problems: Problems) -> None:
    """`true` or `false`."""
    if not isinstance(value, bool):
        problems[name] = "must be true or false"


def mapping(name: str, value: Any, problems: Problems) -> None:
    """An object with any fields."""
    if not isinstance(value, dict):
        problems[name] = "must be an object"


def array(item: Validator, min_length: int = 0) -> Validator:
    """An array of valid items with at least this length."""

    def validate(name: str, value: Any, problems: Problems) -> None:
        if not isinstance(value, list) or len(value) < min_length:
            problems[name] = "must be a non-empty array" if min_length else "must be an array"
            return
        for index, part in enumerate(value):
            item(f"{name}[{index}]", part, problems)

    return validate


def json_object(required: Mapping[str, Validator], optional: Mapping[str, Validator]) -> Validator:
    """An object with these fields and no others."""
    validators = {**required, **optional}

    def validate(name: str, value: Any, problems: Problems) -> None:
        if not isinstance(value, dict):
            problems[name or "body"] = "must be an object"
            return
        prefix = f"{name}." if name else ""
        for missing in required.keys() - value.keys():
            problems[prefix + missing] = "is required"
        for key, part in value.items():
            if key in validators:
                validators[key](prefix + key, part, problems)
            else:
                problems[prefix + key] = f"is unknown; the fields are {', '.join(validators)}"

    return validate


def depending_on(field: str, present: Validator, absent: Validator) -> Validator:
    """An object validated by one of two validators, depending on whether it has this field."""

    def validate(name: str, value: Any, problems: Problems) -> None:
        is_present = isinstance(value, dict) and field in value
        (present if is_present else absent)(name, value, problems)

    return validate


async def read_body(request: web.Request, validate: Validator) -> Json:
    """Read the request's JSON body; an empty body counts as an object without fields.

    Raises:
        Rejection: The body is not valid; `details` names each invalid field.
    """
    try:
        content = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError):
        raise Rejection(400, "The request body is not JSON.") from None
    problems: Problems = {}
    validate("", content, problems)
    reject(problems)
    valid: Json = content
    return valid


def reject(problems: Problems) -> None:
    """Raise a 400 if there are problems."""
    if problems:
        summary = "; ".join(f"{name} {problem}" for name, problem in sorted(problems.items()))
        raise Rejection(400, f"The request is not valid: {summary}.", problems)
