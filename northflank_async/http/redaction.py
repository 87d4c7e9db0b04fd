"""Redaction: removing secrets from messages, reprs and tracebacks."""

from collections.abc import Iterable, Iterator
from typing import Any

from northflank_async.errors import ApiError, DecodeError, NorthflankError

_SHORTEST = 8
"""Characters. Redacting a shorter secret would garble messages: a token "t" would as_secret each t."""


class Secret(str):
    """Text with a hidden repr, so that tracebacks that show locals do not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def as_secret(value: Any) -> Any:
    """Make text a `Secret`. Values of other types are unchanged; they are refused later."""
    return Secret(value) if isinstance(value, str) else value


def secrets_in(body: Any) -> Iterator[Secret]:
    """Find each `Secret` in the JSON of a request."""
    match body:
        case Secret():
            yield body
        case dict():
            for item in body.values():
                yield from secrets_in(item)


class Redactor:
    """Knows the secrets of a request, and keeps them out of errors."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= _SHORTEST]

    def found_in(self, text: str) -> bool:
        """Whether the text contains a secret."""
        return any(secret in text for secret in self._secrets)

    def redact(self, value: Any) -> Any:
        """Replace each secret in text, or in the texts of decoded JSON, by `***`."""
        match value:
            case str():
                for secret in self._secrets:
                    value = value.replace(secret, "***")
                return value
            case list():
                return [self.redact(item) for item in value]
            case dict():
                return {self.redact(key): self.redact(item) for key, item in value.items()}
            case _:
                return value

    def clean(self, error: BaseException, handled: BaseException | None) -> None:
        """Redact an error's texts and drop its frames, whose locals some reports show.

        A cause whose text contains a secret is dropped, too. `handled`, the exception that the caller was handling, is
        left alone.
        """
        if isinstance(error, NorthflankError):
            self.clean_texts(error)
        while True:
            error.__traceback__ = None
            cause = error.__cause__ or error.__context__
            if cause is None or cause is handled:
                return
            if self.found_in(f"{cause} {cause!r}"):
                error.__cause__ = error.__context__ = None
                return
            error = cause

    def clean_texts(self, error: NorthflankError) -> None:
        """Redact what an error shows, for a server that echoes what it was sent."""
        error.args = tuple(self.redact(arg) for arg in error.args)
        if isinstance(error, DecodeError):
            try:
                error.raw = self.redact(error.raw)
            except RecursionError:
                error.raw = None
        if isinstance(error, ApiError):
            error.message, error.id = self.redact(error.message), self.redact(error.id)
            try:
                error.details = self.redact(error.details)
            except RecursionError:
                error.details = None
