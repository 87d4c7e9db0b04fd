"""The rules for numeric, boolean and enumerated arguments, each in one place."""

import inspect
import math
from collections.abc import Collection
from functools import partial
from typing import Any

from northflank_async.errors import ConfigurationError


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


def check_choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Check an enumerated argument.

    Raises:
        ConfigurationError: it is not one of the choices.
    """
    if value not in choices:
        known = " or ".join(f'"{choice}"' for choice in choices)
        raise ConfigurationError(f"{name} must be {known}, not {value!r}")


def check_callback(name: str, value: Any) -> None:
    """Check a function that is called without being awaited.

    Raises:
        ConfigurationError: it cannot be called, or it is an async function.
    """
    if not callable(value):
        raise ConfigurationError(f"{name} must be a function, not {value!r}")
    function = value
    while isinstance(function, partial):
        function = function.func
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        raise ConfigurationError(f"{name} must be a plain function: an async function is never awaited")


def refuse_coroutine(name: str, result: object) -> None:
    """Check what a callback returned, for one that only turns out to be async when it is called.

    Raises:
        ConfigurationError: it returned a coroutine.
    """
    if inspect.iscoroutine(result):
        result.close()
        raise ConfigurationError(f"{name} must be a plain function: an async function is never awaited")
