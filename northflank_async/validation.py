"""The rules for numeric, boolean and enumerated arguments and time spans, and the suggestion after a typo."""

import inspect
import math
import re
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from northflank_async.errors import ConfigurationError

P = ParamSpec("P")
T = TypeVar("T")

_SPAN_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(f"([0-9]+)([{''.join(_SPAN_UNITS)}])")
_SIMILARITY = 0.7
"""The least ratio at which a word is suggested: "logs" for "lgos", but not for "bogus"."""


def check_integer(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Check an integer argument; `True` and `False` are not integers here.

    Raises:
        ConfigurationError: it is not an integer from `least` to `most`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        limits = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise ConfigurationError(f"{name} must be an integer {limits}, not {value!r}")


def check_boolean(name: str, value: Any) -> None:
    """Check a flag.

    Raises:
        ConfigurationError: it is neither `True` nor `False`.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r}")


def check_seconds(name: str, value: Any) -> None:
    """Check a duration in seconds.

    Raises:
        ConfigurationError: it is not a finite number greater than 0.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not (value > 0 and math.isfinite(value)):
        raise ConfigurationError(f"{name} must be a number of seconds greater than 0, not {value!r}")


def is_span(text: str) -> bool:
    """Whether a text has the form of a time span; it may still be empty or too long."""
    return _SPAN.fullmatch(text) is not None


def parse_span(text: Any) -> timedelta:
    """Parse a number of minutes, hours, days or weeks: `30m`, `12h`, `7d`, `2w`.

    Raises:
        ConfigurationError: it is something else, empty, or too long.
    """
    match = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ConfigurationError(f"{text!r} is not a time span such as 30m, 12h, 7d or 2w")
    try:
        span = timedelta(**{_SPAN_UNITS[match[2]]: int(match[1])})
    except (OverflowError, ValueError):  # int refuses thousands of digits
        raise ConfigurationError("the time span is too long") from None
    if not span:
        raise ConfigurationError("the time span is empty")
    return span


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Check an enumerated argument.

    Raises:
        ConfigurationError: it is not one of the choices.
    """
    if value not in choices:
        known = " or ".join(f'"{choice}"' for choice in choices)
        raise ConfigurationError(f"{name} must be {known}, not {value!r}")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most similar to a mistyped one, or `None` if none is similar."""
    from difflib import get_close_matches  # only a typo needs it

    by_spelling = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_spelling, n=1, cutoff=_SIMILARITY)
    return by_spelling[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Return a sentence that suggests the known word most similar to a mistyped one; empty if none is similar."""
    suggestion = nearest(word, known)
    return "" if suggestion is None else f" Did you mean {prefix + suggestion!r}?"


def plain_callback(name: str, function: Callable[P, T]) -> Callable[P, T]:
    """Check a function that is called without being awaited, and return it with a check of each result.

    Raises:
        ConfigurationError: it cannot be called, or it is an async function. The returned function raises it for an
            async function that is only recognized by the coroutine that it returns.
    """
    if not callable(function):
        raise ConfigurationError(f"{name} must be a function, not {function!r}")
    inner: Any = function
    while isinstance(inner, partial):
        inner = inner.func
    if inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(type(inner).__call__):
        raise _never_awaited(name)

    @wraps(function, updated=())
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        result = function(*args, **kwargs)
        if inspect.iscoroutine(result):
            result.close()
            raise _never_awaited(name)
        return result

    return call


def _never_awaited(name: str) -> ConfigurationError:
    return ConfigurationError(f"{name} must be a plain function: an async function is never awaited")
