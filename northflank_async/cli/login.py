"""The login of Northflank's own command line: the contexts in `~/.northflank/config.json`."""

import errno
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import Factory, frozen

from northflank_async.client import BASE_URL_VARIABLES, TOKEN_VARIABLES
from northflank_async.errors import ConfigurationError
from northflank_async.http.redaction import Secret
from northflank_async.http.request import parse_base_url, parse_token
from northflank_async.validation import did_you_mean

if TYPE_CHECKING:  # only commands that read several accounts need it
    from northflank_async.fleet import AccountEntry

_FILE = "~/.northflank/config.json"
_REMEDY = "log in again with 'northflank login', or set NORTHFLANK_API_TOKEN"


@frozen(kw_only=True)
class Login:
    """The token and the host to use.

    `None` leaves the choice to the client; an empty token means that there is none. `project` is the default project.
    `overridden` maps what the environment overrides in the context, `"token"` or `"host"`, to the variable's name.
    """

    token: Secret | None = None
    base_url: str | None = None
    project: str | None = None
    overridden: dict[str, str] = Factory(dict)


def find_login(context: str | None) -> Login:
    """Find the login of the named context, or of the current one if the environment has no token.

    A token or a host in the environment overrides the context.

    Raises:
        ConfigurationError: the contexts cannot be read, or none has that name; the message shows no content of them.
    """
    variables = {"token": _first_set(TOKEN_VARIABLES), "host": _first_set(BASE_URL_VARIABLES)}
    if variables["token"] and context is None:
        return Login()
    found = _find_context(context)
    return Login(
        token=None if variables["token"] else Secret(_text(found, "token") or ""),
        base_url=None if variables["host"] else _text(found, "host"),
        project=_text(found, "project"),
        overridden={name: variable for name, variable in variables.items() if variable and _text(found, name)},
    )


def find_contexts(names: Sequence[str] | None) -> "list[AccountEntry]":
    """Find the accounts of the named contexts, or of all of them. The environment overrides nothing.

    Raises:
        ConfigurationError: the contexts cannot be read, or one of them has no usable token or host.
    """
    if names is None:
        _, contexts = _read_contexts() or (None, [])
        names = [str(context.get("name")) for context in contexts]
        if not names:
            raise ConfigurationError(f"{_FILE} has no contexts: log in with 'northflank login'")
    return [_entry(name, _find_context(name)) for name in dict.fromkeys(names)]


def find_default() -> "AccountEntry":
    """Find the account that commands use by default.

    Raises:
        ConfigurationError: there is no token.
    """
    variable = _first_set(TOKEN_VARIABLES)
    if variable is None:
        login = find_login(None)
        if not login.token:
            raise ConfigurationError("no token: set NORTHFLANK_API_TOKEN, or log in with 'northflank login'")
        current, _ = _read_contexts() or (None, [])
        return _entry(str(current), {"token": login.token, "host": login.base_url})
    return _entry(variable, {"token": os.environ[variable]})


def _entry(name: str, context: dict[str, Any]) -> "AccountEntry":
    from northflank_async.fleet import AccountEntry

    text, base_url = _text(context, "token"), _text(context, "host")
    if text is None:
        raise ConfigurationError(f"the context {name!r} in {_FILE} has no token; {_REMEDY}")
    try:
        token = parse_token(text)
        if base_url is not None:
            parse_base_url(base_url)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None
    return AccountEntry(name=name, read_token=lambda: token, base_url=base_url)


def _first_set(names: Iterable[str]) -> str | None:
    return next((name for name in names if os.environ.get(name)), None)


def _find_context(name: str | None) -> dict[str, Any]:
    """Find the named context, or the current one; empty if there is no current one."""
    read = _read_contexts()
    if read is None:
        if name is not None:
            raise ConfigurationError(f"no context {name!r}: {_FILE} does not exist")
        return {}
    current, contexts = read
    wanted = current if name is None else name
    for context in contexts:
        if wanted is not None and context.get("name") == wanted:
            return dict(context)
    if name is None:
        return {}
    names = [str(context.get("name")) for context in contexts]
    available = ", ".join(names) or "none"
    raise ConfigurationError(f"no context {name!r} in {_FILE}; available: {available}.{did_you_mean(name, names)}")


def _read_contexts() -> tuple[Any, list[dict[str, Any]]] | None:
    """Read the name of the current context, and all contexts; `None` if there is no file."""
    try:
        content = json.loads(_path().read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot read {_FILE}: {error.strerror}; {_REMEDY}") from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{_FILE} is not JSON; {_REMEDY}") from None
    contexts = content.get("contexts") if isinstance(content, dict) else None
    if not isinstance(contexts, list) or not all(isinstance(context, dict) for context in contexts):
        raise ConfigurationError(f"{_FILE} has no list of contexts; {_REMEDY}")
    return content.get("current"), contexts


def _path() -> Path:
    """Find the file.

    Raises:
        FileNotFoundError: there is no home directory.
    """
    try:
        path = Path(_FILE).expanduser()
    except RuntimeError:  # neither HOME nor an entry for the user, as in some containers
        path = Path()
    if not path.is_absolute():  # an empty HOME does not mean the current folder
        raise FileNotFoundError(errno.ENOENT, "there is no home directory")
    return path


def _text(context: dict[str, Any], name: str) -> str | None:
    """Get a string from a context; the error does not show the value, which may be the token."""
    value = context.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise ConfigurationError(f"the {name} of a context in {_FILE} is not a string; {_REMEDY}")
