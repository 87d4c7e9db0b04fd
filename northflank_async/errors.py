"""All errors, as one tree.

NorthflankError
├ ConfigurationError      no token, a bad base URL, an id that cannot be part of a path, …
│   └ UnknownName         a project or an addon type of a query that does not exist
├ TransportError          no response, or a truncated one: connection, timeout, …
├ DeadlineExceeded        a call did not finish within its deadline
├ ApiError                a status of failure, or a redirect
│   ├ BadRequest          400
│   ├ AuthenticationError 401
│   ├ PermissionDenied    403
│   ├ NotFound            404
│   ├ Conflict            409
│   ├ RateLimited         429, or the rate limit is reached
│   └ ServerError         5xx
├ DecodeError             a response that is not JSON, or not as documented
├ MassDeletion            a listing lacks all, or most, of what is stored
├ InvalidEvent            a request to a webhook that is not an event with the right token
├ RunFailed               a backup or restore did not complete, or an addon failed to start
└ PaginationError         the pages loop, or never end
"""

from typing import Any

from yarl import URL


class NorthflankError(Exception):
    """Base of all errors of this package.

    `method` and `url` name the request; `attempts` is the number of attempts, which took `elapsed` seconds.
    In a listing, `cursor` and `page` are the start of the failed page: pass them to the same listing to resume.
    `items` is what `Paginator.all()` had read before the error.
    `changed` is whether a POST, PUT, PATCH or DELETE made its change; `None` if that is unknown.
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
            text += f" (after {self.attempts} attempts in {self.elapsed:.1f} s)"
        return text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ConfigurationError(NorthflankError, ValueError):
    """An argument or a setting is not valid, such as a bad base URL or an id that cannot be part of a path."""


class UnknownName(ConfigurationError):
    """A query names a project, or a type of addons, that does not exist."""


class TransportError(NorthflankError):
    """No response arrived, or only a part of one.

    `sent` is false if no byte of the request was sent, so the request had no effect.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class DeadlineExceeded(NorthflankError, TimeoutError):
    """A call did not finish within its deadline. The message says what it was waiting for."""


class ApiError(NorthflankError):
    """The API responded with an error: its `status`, and the `message`, `id` and `details` of its body."""

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
    """400: the API rejected a parameter."""


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
    """The response cannot be read.

    `place` is where, such as `data.backups[3].createdAt`; empty for the whole body. `is_json` is false where the
    body is not JSON at all: a proxy probably sent it, so a GET is retried. `raw` is the JSON of the record that cannot
    be read, such as one item of a page, without its secrets. `data` is what the response to a change contained instead
    of the record.
    """

    def __init__(self, message: str, *, place: str = "", is_json: bool = True) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.data: Any = None
        self.raw: Any = None
        self.place = place
        self.is_json = is_json


class PaginationError(NorthflankError):
    """The pages of a listing loop, or never end."""


class MassDeletion(NorthflankError):
    """A listing of projects or addons lacks all, or most, of the stored ones: none of them is marked deleted."""


class InvalidEvent(NorthflankError):
    """A request to a webhook that is not an event, or has the wrong token. Respond with its `status`, 400 or 401."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class RunFailed(NorthflankError):
    """A wait ended without success: `record` is the `Backup`, `Restore` or `Addon` that failed."""

    def __init__(self, message: str, *, record: Any = None) -> None:
        super().__init__(message)
        self.record = record


def printable(text: str) -> str:
    """Put text on one line, and escape control and unprintable characters."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
