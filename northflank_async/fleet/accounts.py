"""The accounts file: the names of accounts, and where their tokens are. It holds no token."""

import logging
import os
import re
import stat
import tomllib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from attrs import field, frozen

from northflank_async.client import Northflank
from northflank_async.errors import ConfigurationError, printable
from northflank_async.http.redaction import Secret
from northflank_async.http.request import parse_base_url, parse_token, segment
from northflank_async.inventory import Query
from northflank_async.validation import nearest

_KEYS = ("name", "token_env", "token_file", "base_url", "teams", "projects")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""What is longer may be a token in the wrong place, which no message may show."""
_LONGEST_NAME = 100
_LARGEST_TOKEN = 64 * 1024
"""Bytes of a token file that are read."""
_TYPES = {
    bool: "a boolean",
    int: "an integer",
    float: "a float",
    str: "a string",
    list: "an array",
    dict: "a table",
    datetime: "a date",
    date: "a date",
    time: "a time",
}
_log = logging.getLogger("northflank_async")


@frozen(kw_only=True)
class AccountEntry:
    """One of many accounts: its name, how its token is read, and which part of it is wanted."""

    name: str
    read_token: Callable[[], Secret] = field(repr=False)
    """Reads the token again each time, so that a file's new token is used without a restart."""
    base_url: str | None = None
    teams: tuple[str, ...] = ()
    """Only these teams; the account itself if there are none."""
    projects: tuple[str, ...] | None = None
    """Only these projects; `None` is all of them."""

    def open(self, **arguments: Any) -> Northflank:
        """Open a client of the account. The arguments are those of `Northflank`, besides token, name and base URL.

        Raises:
            ConfigurationError: the token cannot be read, or an argument is not valid.
        """
        return Northflank(self.read_token(), name=self.name, base_url=self.base_url, **arguments)

    def query(self, nf: Northflank, **filters: Any) -> Query:
        """Build the query for the wanted part of the account. The filters are those of `Query`, besides projects.

        Raises:
            ConfigurationError: a filter is not valid.
        """
        return Query([nf.team(team_id) for team_id in self.teams] or nf, projects=self.projects, **filters)


@asynccontextmanager
async def open_clients(entries: Iterable[AccountEntry], **arguments: Any) -> AsyncIterator[list[Northflank]]:
    """Open a client of each account, in this order, and close them all when the block ends.

    Raises:
        ConfigurationError: a client cannot be opened; those before it are closed.
    """
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(entry.open(**arguments)) for entry in entries]


def load_accounts(path: str | os.PathLike[str]) -> list[AccountEntry]:
    """Read an accounts file, and check that each token is there.

    Files that others can read are reported as warnings in the log.

        [[accounts]]
        name = "acme"
        token_env = "ACME_NORTHFLANK_TOKEN"      # or token_file = "/run/secrets/acme"
        base_url = "https://api.northflank.com"  # optional
        teams = ["payments"]                     # optional: only these
        projects = ["billing"]                   # optional: only these

    Args:
        path: the file. A relative `token_file` is relative to its folder.

    Raises:
        ConfigurationError: the file cannot be read, or something in it is wrong; the message names the place, and
            shows no token.
    """
    path = Path(path)
    root = _Place(str(path))
    content = _parse(path, root)
    _warn_if_readable_by_others(path, root)
    for key in content:
        if key != "accounts":
            root.fail(f"unknown key {printable(key)!r}: accounts are written as [[accounts]]")
    tables = content.get("accounts", [])
    if not isinstance(tables, list):
        root.at("accounts").fail(f"must be written as [[accounts]], not as {_type(tables)}")
    if not tables:
        root.fail("no accounts: add [[accounts]]")
    entries: dict[str, AccountEntry] = {}
    for number, table in enumerate(tables):
        place = root.at(f"accounts[{number}]")
        entry = _entry(table, place, path.parent)
        if entry.name in entries:
            place.at("name").fail(f"{entry.name!r} is already the name of accounts[{[*entries].index(entry.name)}]")
        entries[entry.name] = entry
    return list(entries.values())


@frozen
class _Place:
    """A place in an accounts file, which errors begin with: `accounts.toml: accounts[2].token_env`."""

    file: str
    path: str = ""

    def at(self, key: str) -> "_Place":
        return _Place(self.file, f"{self.path}.{key}" if self.path else key)

    def __str__(self) -> str:
        return f"{self.file}: {self.path}" if self.path else self.file

    def fail(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{self}: {message}") from None

    @contextmanager
    def of_errors(self) -> Iterator[None]:
        """Name the place in what is raised inside the block."""
        try:
            yield
        except ConfigurationError as error:
            self.fail(str(error))


def _parse(path: Path, root: _Place) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        root.fail(f"cannot read it: {error.strerror or error}")
    except UnicodeDecodeError:
        root.fail("it is not UTF-8 text")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r"\(at [^()]*\)$", str(error))  # the rest may quote what is there
        root.fail(f"it is not TOML {place.group()}" if place else "it is not TOML")
    except ValueError:  # a NUL in the path
        root.fail("cannot read it: not a file name")


def _entry(table: Any, place: _Place, folder: Path) -> AccountEntry:
    if not isinstance(table, dict):
        place.fail(f"must be a table, not {_type(table)}")
    for key in table:
        if key not in _KEYS:
            _refuse_key(key, place)
    return AccountEntry(
        name=_name(table, place),
        read_token=_token_reader(table, place, folder),
        base_url=_base_url(table, place),
        teams=_ids(table, "teams", "the team id", place) or (),
        projects=_ids(table, "projects", "the project id", place),
    )


def _refuse_key(key: str, place: _Place) -> NoReturn:
    if key == "token":
        place.at(key).fail("the file must not hold a token: name its place with token_env or token_file")
    suggestion = nearest(key, _KEYS)
    known = f"did you mean {suggestion!r}?" if suggestion else f"known are {', '.join(_KEYS)}"
    place.fail(f"unknown key {printable(key)!r}: {known}")


def _name(table: Mapping[str, Any], place: _Place) -> str:
    name = _text(table, "name", place)
    if name is None:
        place.fail("name is missing")
    if name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        place.at("name").fail(
            f"must be 1 to {_LONGEST_NAME} printable characters, without space at the beginning or the end"
        )
    return name


def _base_url(table: Mapping[str, Any], place: _Place) -> str | None:
    base_url = _text(table, "base_url", place)
    if base_url is not None:
        with place.at("base_url").of_errors():
            parse_base_url(base_url)
    return base_url


def _ids(table: Mapping[str, Any], key: str, noun: str, place: _Place) -> tuple[str, ...] | None:
    if key not in table:
        return None
    ids, place = table[key], place.at(key)
    if not isinstance(ids, list):
        place.fail(f"must be an array of strings, not {_type(ids)}")
    if not ids:
        place.fail("must not be empty: omit it to include all")
    for number, value in enumerate(ids):
        item = _Place(place.file, f"{place.path}[{number}]")
        if not isinstance(value, str):
            item.fail(f"must be a string, not {_type(value)}")
        with item.of_errors():
            segment(noun, value)
    return tuple(dict.fromkeys(ids))


def _token_reader(table: Mapping[str, Any], place: _Place, folder: Path) -> Callable[[], Secret]:
    variable, file = _text(table, "token_env", place), _text(table, "token_file", place)
    if variable is not None and file is not None:
        place.fail("token_env and token_file are both given: omit one")
    if variable is not None:
        place = place.at("token_env")
        if not _VARIABLE.fullmatch(variable):
            place.fail("must be the name of an environment variable, not a token")
        read = partial(_read_variable, variable, place)
    elif file is not None:
        place = place.at("token_file")
        try:
            path = folder / Path(file).expanduser()
        except RuntimeError:  # ~ of an unknown user
            place.fail("must be the path of a file")
        read = partial(_read_file, path, place)
    else:
        place.fail("token_env or token_file is missing: it names where the token is")
    read()  # to report now what is wrong with it
    if file is not None:
        _warn_if_readable_by_others(path, place)
    return read


def _read_variable(variable: str, place: _Place) -> Secret:
    token = os.environ.get(variable)
    if token is None:
        place.fail(f"the variable {variable} is not set")
    if not token:
        place.fail(f"the variable {variable} is empty")
    with place.of_errors():
        return parse_token(Secret(token))


def _read_file(path: Path, place: _Place) -> Secret:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_TOKEN)
        token = Secret(content.decode().strip())
    except OSError as error:
        place.fail(f"cannot read the file: {error.strerror or error}")
    except ValueError:  # not text, or a NUL in the path
        place.fail("it is not a file of text")
    if not token:
        place.fail("the file is empty")
    with place.of_errors():
        return parse_token(token)


def _text(table: Mapping[str, Any], key: str, place: _Place) -> str | None:
    """Get a string; an error does not show it, as it may be a token."""
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        place.at(key).fail(f"must be a string, not {_type(value)}")
    if not value:
        place.at(key).fail("must not be empty")
    return value


def _type(value: Any) -> str:
    return _TYPES.get(type(value), type(value).__name__)


def _warn_if_readable_by_others(path: Path, place: _Place) -> None:
    if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        _log.warning("%s: the file is readable by others: run 'chmod o= %s'", place, printable(str(path)))
