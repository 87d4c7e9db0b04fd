"""Everything that can go wrong, as one tree.

NorthflankError
├ ConfigurationError      no token, a bad base URL, an id that is no path segment
├ TransportError          no answer: connection, timeout, a body cut short
├ ApiError                the API answered with an error (also: with a redirect)
│   ├ BadRequest          400
│   ├ AuthenticationError 401
│   ├ PermissionDenied    403
│   ├ NotFound            404
│   ├ Conflict            409
│   ├ RateLimited         429, or the hour's budget is spent
│   └ ServerError         5xx
├ DecodeError             an answer that is no JSON, or not of the documented shape
├ RunFailed               a backup or a restore that was waited for has ended otherwise than completed
└ PaginationError         pages that go in a circle
"""

from typing import Any

from yarl import URL


class NorthflankError(Exception):
    """Base of all errors of this package.

    `method` and `url` name the request, `attempts` and `elapsed` (seconds) what was spent on it. In a listing,
    `cursor` and `page` are where the page that failed begins: pass them to the same listing to go on from there.
    `items` is what `Paginator.all()` had read until then.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
        self.method: str | None = None
        self.url: URL | None = None
        self.attempts = 0
        self.elapsed = 0.0
        self.cursor: str | None = None
        self.page: int | None = None
        self.items: list[Any] = []

    def __str__(self) -> str:
        text = super().__str__()
        if self.url is not None:
            text += f" [{self.method} {self.url}]"
        if self.attempts > 1:
            text += f" (given up after {self.attempts} attempts in {self.elapsed:.1f} s)"
        return text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def redact(self, secret: str) -> None:
        """Take `secret` out of every text that the error shows, for a server that echoes what it was sent."""
        self.args = tuple(_redacted(arg, secret) for arg in self.args)


class ConfigurationError(NorthflankError, ValueError):
    """An argument or a setting is not valid: no token, a bad base URL, an id that cannot be part of a path."""


class TransportError(NorthflankError):
    """No answer came. `sent` is false where the connection was never made, so that nothing can have happened."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class ApiError(NorthflankError):
    """The API answered with an error: `status`, and `message`, `id` and `details` from its body."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        id: str | None = None,
        details: Any = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = printable(message)
        self.status = status
        self.id = id
        self.details = details
        self.retry_after = retry_after
        """Seconds until the server wants to be asked again, where it said so."""

    def __str__(self) -> str:
        return f"{self.status} {super().__str__()}"

    def redact(self, secret: str) -> None:
        super().redact(secret)
        self.message = _redacted(self.message, secret)
        self.id = _redacted(self.id, secret)
        try:
            self.details = _redacted(self.details, secret)
        except RecursionError:
            self.details = None


class BadRequest(ApiError):
    """400: the API does not accept a parameter."""


class AuthenticationError(ApiError):
    """401: the token is missing, wrong or revoked."""


class PermissionDenied(ApiError):
    """403: the token's role does not allow this."""


class NotFound(ApiError):
    """404: there is no such project, addon, backup, …, or the token cannot see it."""


class Conflict(ApiError):
    """409: what was asked does not fit the state it is in."""


class RateLimited(ApiError):
    """429, or the budget is spent and `on_rate_limit="raise"`: `reset_after` is the seconds until there is more."""

    @property
    def reset_after(self) -> float | None:
        return self.retry_after


class ServerError(ApiError):
    """5xx: the API, or a proxy before it, has failed."""


class DecodeError(NorthflankError):
    """The answer cannot be read.

    `place` is where, as in `data.backups[3].createdAt`; empty for the whole body. `is_json` is false where the body is
    no JSON at all: something on the way has made it, so a GET is tried again.
    """

    def __init__(self, message: str, *, place: str = "", is_json: bool = True) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place
        self.is_json = is_json


class PaginationError(NorthflankError):
    """The pages of a listing go in a circle, or lead nowhere."""


class RunFailed(NorthflankError):
    """A backup or a restore has failed, was aborted or is not supported: `record` is the `Backup` or the `Restore`."""

    def __init__(self, message: str, *, record: Any = None) -> None:
        super().__init__(message)
        self.record = record


def printable(text: str) -> str:
    """Text from outside on one line, with what a terminal would obey or could not take written as an escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _redacted(value: Any, secret: str) -> Any:
    match value:
        case str():
            return value.replace(secret, "***")
        case list():
            return [_redacted(item, secret) for item in value]
        case dict():
            return {_redacted(key, secret): _redacted(item, secret) for key, item in value.items()}
        case _:
            return value
