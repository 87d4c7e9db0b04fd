"""The target of an inventory, parsed and resolved once: what it is, how it is named, and how it is shown."""

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from attrs import field, frozen

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.extras import require_extra

if TYPE_CHECKING:
    from psycopg import Connection

SCHEMA = "northflank"
"""The PostgreSQL schema that holds an inventory by default."""

_LONGEST_NAME = 63
"""Bytes; PostgreSQL cuts longer names."""
_SECRETS = ("password", "sslpassword", "scram_client_key", "scram_server_key", "oauth_client_secret")
_DEFAULTS = {
    "connect_timeout": "10",
    "fallback_application_name": "northflank-async",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""libpq parameters for a URL that does not set them: seconds, and milliseconds for the last one."""

AnyPath: TypeAlias = "str | os.PathLike[str]"


@frozen
class Target:
    """A SQLite file or a schema of a PostgreSQL database.

    Equal targets are one inventory: a file is compared by its resolved path, a database by its connection parameters
    and its schema. The string form shows no secret.
    """

    shown: str = field(eq=False)
    """The file as it was written, or the URL without its password and parameters."""
    path: Path | None = None
    """The resolved path of a file: absolute, symbolic links followed."""
    schema: str | None = None
    """The PostgreSQL schema."""
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """The libpq parameters of a URL, sorted."""

    @classmethod
    def parse(cls, target: AnyPath, *, schema: str = SCHEMA) -> "Target":
        """Parse a file's path or a `postgresql://` URL.

        Args:
            target: the path or the URL. libpq parses the URL, so every parameter that libpq knows is accepted.
            schema: the PostgreSQL schema that holds the inventory; ignored for a file.

        Raises:
            ConfigurationError: it is neither of the two, or it is malformed. The message shows nothing secret.
            OSError: the path cannot be resolved.
        """
        text = os.fspath(target)
        if not isinstance(target, str):
            return _parse_file(text)
        if re.match(r"postgres(ql)?(\+\w+)?:", text, re.IGNORECASE):
            return _parse_url(text, schema)
        if "://" in text:
            scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text)
            instead = f", not {scheme.group()}…" if scheme else ""
            raise ConfigurationError(f"the target must be a file or postgresql://…{instead}")
        return _parse_file(text)

    def __str__(self) -> str:
        return self.shown

    def connect(self, **options: Any) -> "Connection[Any]":
        """Open a connection to PostgreSQL, for a caller in a thread."""
        import psycopg

        parameters: dict[str, Any] = {**self.connection_parameters, **options}
        return psycopg.connect(**parameters)

    @property
    def connection_parameters(self) -> dict[str, str]:
        """The libpq parameters of a connection, with the defaults of those that the URL does not set."""
        return {**_DEFAULTS, **dict(self.parameters)}

    def redact(self, text: str) -> str:
        """Replace the URL's secrets in a message of the driver or the server."""
        for name, secret in self.parameters:
            if name in _SECRETS and secret:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
        return text


def _parse_file(text: str) -> Target:
    if not text or "\0" in text:
        raise ConfigurationError("the target must be a file or postgresql://…, not an empty name or one with NUL")
    return Target(text, path=resolve(text))


def resolve(path: AnyPath) -> Path:
    """Make a path absolute and follow its symbolic links.

    Raises:
        OSError: they are a loop, which `Path.resolve` reports differently in each version of Python.
    """
    resolved = Path(os.path.realpath(path))
    if any(part.is_symlink() for part in (resolved, *resolved.parents)):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
    return resolved


def _parse_url(text: str, schema: str) -> Target:
    with require_extra():
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    _, separator, rest = text.partition("://")
    if not separator:
        raise ConfigurationError("the database's URL must begin with postgresql://")
    _check_at_signs(rest)
    try:
        parameters = {name: str(value) for name, value in conninfo_to_dict(f"postgresql://{rest}").items()}
    except (ProgrammingError, UnicodeError) as error:
        raise ConfigurationError(_malformed(rest, str(error))) from None  # libpq's message may hold a password
    for port in parameters.get("port", "").split(","):
        if port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            raise ConfigurationError("the database's URL has an invalid port: use a number from 1 to 65535")
    if "://" in parameters.get("dbname", "") or "=" in parameters.get("dbname", ""):
        raise ConfigurationError("the database's URL has an invalid database name")
    if not _is_name(schema):
        raise ConfigurationError(f"the schema must be a name of 1 to {_LONGEST_NAME} bytes, not {schema!r}")
    if schema.lower().startswith("pg_") or schema.lower() == "information_schema":
        raise ConfigurationError(f"the schema {schema!r} is PostgreSQL's own: use another one")
    return Target(_show(parameters), schema=schema, parameters=tuple(sorted(parameters.items())))


def _is_name(text: str) -> bool:
    """Whether PostgreSQL accepts a text as a name, and does not cut it."""
    try:
        return 0 < len(text.encode()) <= _LONGEST_NAME and "\0" not in text
    except UnicodeEncodeError:
        return False


def _check_at_signs(rest: str) -> None:
    """Refuse a URL that libpq would split inside the password, and whose host would then show part of it.

    libpq ends the user and the password at the first `@`, unless a `/` comes before it.
    """
    login = re.match(r"[^@/]*@", rest)
    place, _, _ = rest[login.end() if login else 0 :].partition("?")
    if "@" in place:
        raise ConfigurationError(
            "the database's URL has too many @: write @ in the password as %40 (and / as %2F, ? as %3F)"
        )


def _malformed(rest: str, error: str) -> str:
    unknown = re.search(r'invalid URI query parameter: "([A-Za-z_]{1,40})"', error)
    if unknown and "@" not in rest.partition("?")[2]:
        return f"the database's URL has an option that is not known: {unknown.group(1)}"
    return "the database's URL cannot be read: write special characters in the password as %40 (@), %2F (/), %25 (%)"


def _show(parameters: dict[str, str]) -> str:
    """Render only what names a database: any other parameter may be secret."""
    hosts = parameters.get("host", parameters.get("hostaddr", "")).split(",")
    ports = parameters.get("port", "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports + [""] * (len(hosts) - len(ports))
    places = [
        (f"[{host}]" if ":" in host else quote(host, safe="")) + (f":{port}" if port else "")
        for host, port in zip(hosts, ports, strict=False)
    ]
    user = quote(parameters["user"], safe="") + "@" if parameters.get("user") else ""
    return f"postgresql://{user}{','.join(places)}/{quote(parameters.get('dbname', ''), safe='')}"
