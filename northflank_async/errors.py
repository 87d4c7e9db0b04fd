"""All errors, as one tree.

NorthflankError
├ ConfigurationError      no token, a bad base URL, an id that cannot be part of a path, …
│   └ UnknownName         a project or an addon type of a query that is nowhere
├ TransportError          no answer: connection, timeout, a body cut short
├ DeadlineExceeded        a call is not done within its deadline
├ ApiError                the API answered with an error, or a redirect
│   ├ BadRequest          400
│   ├ AuthenticationError 401
│   ├ PermissionDenied    403
│   ├ NotFound            404
│   ├ Conflict            409
│   ├ RateLimited         429, or the rate limit is reached
│   └ ServerError         5xx
├ DecodeError             an answer that is not JSON, or not as documented
├ MassDeletion            a listing no longer has all, or most, of what a sync had stored
├ RunFailed               a backup or restore ended, but did not complete
└ PaginationError         pages that lead in a circle
"""

from typing import Any

from yarl import URL


class NorthflankError(Exception):
    """Base of all errors of this package.

    `method` and `url` name the request; `attempts` and `elapsed` (seconds) say how often and for how long it was tried.
    In a listing, `cursor` and `page` are where the failed page begins: pass them to the same listing to resume.
    `items` is what `Paginator.all()` had read by then.
    `changed` says of a POST, PUT, PATCH or DELETE whether the change was made; `None` if that is unknown.
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
        self.changed: bool | None = False

    def __str__(self) -> str:
        text = super().__str__()
        if self.url is not None:
            text += f" [{self.method} {self.url}]"
        if self.changed is not False:
            text += " (the change was made)" if self.changed else " (the change may have been made)"
        if self.attempts > 1:
            text += f" (given up after {self.attempts} attempts in {self.elapsed:.1f} s)"
        return text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ConfigurationError(NorthflankError, ValueError):
    """An argument or a setting is not valid, such as a bad base URL or an id that cannot be part of a path."""


class UnknownName(ConfigurationError):
    """A query names a project, or a type of addons, that does not exist."""


class TransportError(NorthflankError):
    """No answer came, or only a part.

    `sent` is false if no byte of the request was sent, so that nothing has happened.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class DeadlineExceeded(NorthflankError, TimeoutError):
    """A call is not done within its deadline. The message says what it was waiting for."""


class ApiError(NorthflankError):
    """The API answered with an error: its `status`, and the `message`, `id` and `details` of its body."""

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
        """Seconds until a retry, if the server asked for a time."""

    def __str__(self) -> str:
        return f"{self.status} {super().__str__()}"


class BadRequest(ApiError):
    """400: the API refuses a parameter."""


class AuthenticationError(ApiError):
    """401: the token is missing, wrong or revoked."""


class PermissionDenied(ApiError):
    """403: the token's role does not allow this."""


class NotFound(ApiError):
    """404: there is no such project, addon, backup, …, or the token cannot see it."""


class Conflict(ApiError):
    """409: the request conflicts with the current state."""


class RateLimited(ApiError):
    """429, or the rate limit is reached and `on_rate_limit="raise"`."""

    @property
    def reset_after(self) -> float | None:
        """Seconds until the window resets, if that is known."""
        return self.retry_after


class ServerError(ApiError):
    """5xx: the API, or a proxy in front of it, failed."""


class DecodeError(NorthflankError):
    """The answer cannot be read.

    `place` is where, such as `data.backups[3].createdAt`; empty for the whole body. `is_json` is false where the
    body is not JSON at all: a proxy probably sent it, so a GET is retried. `raw` is the JSON of which no record could
    be made, without its secrets, such as that of one item of a page. `data` is what came instead of the record of a
    change that was made.
    """

    def __init__(self, message: str, *, place: str = "", is_json: bool = True) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.data: Any = None
        self.raw: Any = None
        self.place = place
        self.is_json = is_json


class PaginationError(NorthflankError):
    """The pages of a listing lead in a circle, or nowhere."""


class MassDeletion(NorthflankError):
    """A listing of projects or addons has lost all, or most, of what is stored: nothing of it is marked deleted."""


class RunFailed(NorthflankError):
    """A backup or restore failed, was aborted or is not supported: `record` is the `Backup` or the `Restore`."""

    def __init__(self, message: str, *, record: Any = None) -> None:
        super().__init__(message)
        self.record = record


def printable(text: str) -> str:
    """Text from outside on one line: characters that a terminal would obey or cannot show become escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
