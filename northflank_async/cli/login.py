"""The login of Northflank's own command line: the contexts in `~/.northflank/config.json`."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import Factory, frozen

from northflank_async.client import BASE_URL_VARIABLES, TOKEN_VARIABLES
from northflank_async.errors import ConfigurationError
from northflank_async.http.redaction import Secret

_SHOWN = "~/.northflank/config.json"
_OTHERWISE = "log in anew with “northflank login”, or set NORTHFLANK_API_TOKEN"


@frozen(kw_only=True)
class Login:
    """What requests are sent with; what is `None` is left to the client, and a token that is empty is nowhere.

    `project` is the project by default. `replaced` names what the context has to no effect, with the variable of the
    environment that is used instead.
    """

    token: Secret | None = None
    base_url: str | None = None
    project: str | None = None
    replaced: dict[str, str] = Factory(dict)


def find_login(context: str | None) -> Login:
    """The login of the context of that name, or of the current one where the environment has no token.

    A token or a host in the environment comes first in any case.

    Raises:
        ConfigurationError: the contexts cannot be read, or there is none of that name; it does not show their content.
    """
    variables = {"token": _first_set(TOKEN_VARIABLES), "host": _first_set(BASE_URL_VARIABLES)}
    if variables["token"] and context is None:
        return Login()
    found = _find_context(context)
    return Login(
        token=None if variables["token"] else Secret(_text(found, "token") or ""),
        base_url=None if variables["host"] else _text(found, "host"),
        project=_text(found, "project"),
        replaced={name: variable for name, variable in variables.items() if variable and _text(found, name)},
    )


def _first_set(names: Iterable[str]) -> str | None:
    return next((name for name in names if os.environ.get(name)), None)


def _find_context(name: str | None) -> dict[str, Any]:
    """The context of that name, or else the current one; empty if there is none."""
    path = Path.home() / ".northflank" / "config.json"
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if name is not None:
            raise ConfigurationError(f"there is no context {name!r}: there is no {_SHOWN}") from None
        return {}
    except OSError as error:
        raise ConfigurationError(f"{_SHOWN} cannot be read: {error.strerror}; {_OTHERWISE}") from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{_SHOWN} is no JSON; {_OTHERWISE}") from None
    contexts = content.get("contexts") if isinstance(content, dict) else None
    if not isinstance(contexts, list) or not all(isinstance(context, dict) for context in contexts):
        raise ConfigurationError(f"{_SHOWN} has no list of contexts; {_OTHERWISE}")
    wanted = content.get("current") if name is None else name
    for context in contexts:
        if wanted is not None and context.get("name") == wanted:
            return dict(context)
    if name is None:
        return {}
    names = ", ".join(str(context.get("name")) for context in contexts) or "none"
    raise ConfigurationError(f"there is no context {name!r} in {_SHOWN}; there is: {names}")


def _text(context: dict[str, Any], name: str) -> str | None:
    """A text of a context; the error does not show what there is instead, which may be the token."""
    value = context.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise ConfigurationError(f"the {name} of a context in {_SHOWN} is no text; {_OTHERWISE}")
