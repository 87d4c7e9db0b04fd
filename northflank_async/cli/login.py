"""The login of Northflank's own command line: the contexts in `~/.northflank/config.json`."""

import json
import os
from pathlib import Path
from typing import Any

from attrs import frozen

from northflank_async.client import BASE_URL_VARIABLES, TOKEN_VARIABLES
from northflank_async.errors import ConfigurationError
from northflank_async.protocol import Secret

_SHOWN = "~/.northflank/config.json"
_OTHERWISE = "log in anew with “northflank login”, or set NORTHFLANK_API_TOKEN"


@frozen(kw_only=True)
class Login:
    """What requests are sent with; what is `None` is left to the client. `project` is the project by default."""

    token: Secret | None = None
    base_url: str | None = None
    project: str | None = None


def find_login(context: str | None) -> Login:
    """The login of the context of that name, or of the current one where the environment has no token.

    A token or a host in the environment comes first in any case.

    Raises:
        ConfigurationError: the contexts cannot be read, or there is none of that name; it does not show their content.
    """
    has_token = any(os.environ.get(name) for name in TOKEN_VARIABLES)
    if has_token and context is None:
        return Login()
    found = _find_context(context)
    if found is None:
        return Login()
    has_host = any(os.environ.get(name) for name in BASE_URL_VARIABLES)
    return Login(
        token=None if has_token else Secret(_text(found, "token") or ""),
        base_url=None if has_host else _text(found, "host"),
        project=_text(found, "project"),
    )


def _find_context(name: str | None) -> dict[str, Any] | None:
    """The context of that name, or else the current one."""
    path = Path.home() / ".northflank" / "config.json"
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if name is not None:
            raise ConfigurationError(f"there is no context {name!r}: there is no {_SHOWN}") from None
        return None
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
        return None
    names = ", ".join(str(context.get("name")) for context in contexts) or "none"
    raise ConfigurationError(f"there is no context {name!r} in {_SHOWN}; there is: {names}")


def _text(context: dict[str, Any], name: str) -> str | None:
    """A text of a context; the error does not show what there is instead, which may be the token."""
    value = context.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise ConfigurationError(f"the {name} of a context in {_SHOWN} is no text; {_OTHERWISE}")
