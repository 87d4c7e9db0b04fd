"""Requests: how arguments become a URL, headers and a body. No I/O."""

import ipaddress
import json
import math
import platform
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen
from yarl import URL

from northflank_async.errors import ConfigurationError
from northflank_async.http.redaction import Redactor, Secret
from northflank_async.validation import check_integer
from northflank_async.version import __version__

USER_AGENT = f"northflank-async/{__version__} Python/{platform.python_version()}"
MAX_PER_PAGE = 100
_DOT_SEGMENT = r"(?:\.|%2[Ee]){1,2}(?:/|$)"
_PATH = re.compile(rf"(?:/(?!{_DOT_SEGMENT})(?:[A-Za-z0-9._~!$&'()*+,;=:@-]++|%[0-9A-Fa-f]{{2}})++)++/?")
_FORBIDDEN_IN_ID = re.compile(r"[/?#\s\x00-\x1f\x7f-\x9f]")


@frozen(kw_only=True)
class Request:
    """One request, ready to send."""

    method: str
    url: URL
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    redactor: Redactor = field(repr=False)


def parse_base_url(text: str) -> URL:
    """Check the URL that requests, and with them the token, are sent to.

    Raises:
        ConfigurationError: not an absolute http(s) URL, or plain http to a host that is not loopback.
    """
    try:
        url = URL(text)
    except (TypeError, ValueError):
        raise ConfigurationError("the base URL is not a URL") from None
    host = url.host
    if url.user is not None or url.password is not None:
        raise ConfigurationError("the base URL must not contain a user or a password")
    if url.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"the base URL must be like https://api.northflank.com, not {text!r}")
    if url.path.rstrip("/").endswith("/v1"):
        raise ConfigurationError(f"the base URL must end before /v1, which is part of each path: {text!r}")
    if url.raw_query_string or url.raw_fragment:
        raise ConfigurationError("the base URL must not have a query or a fragment")
    if url.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(f"the token is not sent over plain http to {host}: use https")
    return url


def parse_token(token: str) -> Secret:
    """Check that a token can be sent in a header; the error does not show it."""
    if not isinstance(token, str):
        raise ConfigurationError(f"the token must be text, not {type(token).__name__}")
    if not token:
        raise ConfigurationError("no token: pass one, or set NORTHFLANK_API_TOKEN")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError("the token contains a space, a line break or another character that no token has")
    return Secret(token)


def parse_proxy(proxy: str | URL, name: str = "the proxy") -> Secret:
    """Check a proxy's URL, which may contain a password; the error does not show it."""
    try:
        url = URL(proxy)
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} is not a URL") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"{name} must be a URL like http://proxy.example.com:3128")
    return Secret(url)


def segment(name: str, value: str) -> str:
    """Make an id one percent-encoded segment of a path.

    Raises:
        ConfigurationError: empty, `.`, `..`, or with a `/`, `?`, `#`, white space or a control character.
    """
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be text, not {type(value).__name__}")
    if value in ("", ".", "..") or _FORBIDDEN_IN_ID.search(value) or not is_unicode(value):
        raise ConfigurationError(
            f"{name} must be one segment of a path (not empty, . or .., without / ? # and white space), not {value!r}"
        )
    return URL.build(path=value).raw_path


def check_page_size(per_page: int, page: int | None) -> None:
    """Raise `ConfigurationError` where the API would refuse the numbers."""
    check_integer("per_page", per_page, 1, MAX_PER_PAGE)
    if page is not None:
        check_integer("page", page, 1)


def build_request(
    base_url: URL,
    token: Secret,
    method: str,
    path: str,
    params: Mapping[str, Any] | None = None,
    json_body: Any = None,
    *,
    redactor: Redactor | None = None,
) -> Request:
    """Build a request for `path`, which is sent unchanged; a parameter that is `None` is left out.

    `redactor` knows the token; pass the same one to each request, which spares making its patterns again.

    Raises:
        ConfigurationError: the method, the path, a parameter or the body cannot be sent.
    """
    if not isinstance(method, str) or not method.isascii() or not method.isalpha():
        raise ConfigurationError(f"not an HTTP method: {method!r}")
    _check_path(path)
    url = base_url.with_path(base_url.raw_path.rstrip("/") + path, encoded=True)
    query = [(name, text) for name, value in (params or {}).items() for text in _query_texts(name, value)]
    headers = {
        "Authorization": Secret(f"Bearer {token}"),
        "Accept": "application/json",
        "User-Agent": USER_AGENT,
    }
    if json_body is not None:
        headers["Content-Type"] = "application/json"
    return Request(
        method=method.upper(),
        url=url.with_query(query),
        headers=headers,
        body=None if json_body is None else _json_bytes(json_body),
        redactor=(redactor or Redactor([token])).including(json_body),
    )


def _check_path(path: str) -> None:
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ConfigurationError(
            f"not a path like /v1/projects: {path!r} (no . or .. as a segment; percent-encode special characters; "
            "pass the query in params)"
        )


def _query_texts(name: str, value: Any) -> list[str]:
    if not isinstance(name, str) or not is_unicode(name):
        raise ConfigurationError(f"the parameter name cannot be sent: {name!r}")
    match value:
        case None:
            return []
        case str() if is_unicode(value):
            return [value]
        case bool():
            return ["true" if value else "false"]
        case int():
            return [str(value)]
        case float() if math.isfinite(value):
            return [str(value)]
        case datetime():
            return [value.isoformat()]
        case list() | tuple():
            return [text for item in value for text in _query_texts(name, item)]
    raise ConfigurationError(f"the parameter {name} cannot be sent: {value!r}")


def _json_bytes(value: Any) -> bytes:
    try:
        return json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the body cannot be sent as JSON: {error}") from None


def is_loopback(host: str) -> bool:
    """Whether requests to the host stay on this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"  # localhost. and names below .localhost are resolved like any name
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def is_unicode(text: str) -> bool:
    """Whether the text can be encoded; half a surrogate pair cannot."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
