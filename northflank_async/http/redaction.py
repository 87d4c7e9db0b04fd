"""Redaction: removing secrets from messages, reprs and tracebacks."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import unquote, unquote_plus

from northflank_async.errors import ApiError, DecodeError, NorthflankError
from northflank_async.records.secrets import without_secrets

_SHORTEST = 8
"""Characters. Redacting a shorter secret would garble messages: a token "t" would hide each t."""


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
    """Knows the secrets of a request, and keeps them out of errors.

    It also finds what a server makes of a secret: percent-encoded or decoded, escaped as in JSON, HTML or a repr, in
    base64, and the password of a URL by itself.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = frozenset(secrets)

    def including(self, body: Any) -> "Redactor":
        """A redactor that knows the secrets in the JSON of a request, too."""
        secrets = self._secrets.union(secrets_in(body))
        return self if secrets == self._secrets else Redactor(secrets)

    def found_in(self, text: str) -> bool:
        """Whether the text contains a secret."""
        return bool(self._pattern and self._pattern.search(text))

    def redact(self, value: Any) -> Any:
        """Replace each secret in text, or in the texts of decoded JSON, by `***`."""
        match value:
            case str():
                return self._pattern.sub("***", value) if self._pattern else value
            case list():
                return [self.redact(item) for item in value]
            case dict():
                return {self.redact(key): self.redact(item) for key, item in value.items()}
            case _:
                return value

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        texts = {text for secret in self._secrets for text in _parts(str(secret)) if len(text) >= _SHORTEST}
        patterns = [pattern for text in sorted(texts, key=len, reverse=True) for pattern in _patterns(text)]
        return re.compile("|".join(patterns)) if patterns else None

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
        if isinstance(error, ApiError):
            error.message, error.id = self.redact(error.message), self.redact(error.id)
            error.details = self._redact_json(error.details)
        if isinstance(error, DecodeError):
            error.raw, error.data = self._redact_json(error.raw), self._redact_json(error.data)

    def _redact_json(self, value: Any) -> Any:
        try:
            return self.redact(without_secrets(value))
        except RecursionError:
            return None


def _parts(secret: str) -> Iterator[str]:
    """A secret, and the password and the query's values of one that is a URL; also as they are once decoded."""
    password = secret.partition("://")[2].rpartition("@")[0].partition(":")[2]
    values = [pair.partition("=")[2] for pair in secret.partition("?")[2].split("&")]
    for text in (secret, password, *values):
        yield from (text, unquote(text), unquote_plus(text))


def _patterns(text: str) -> Iterator[str]:
    """Patterns for the forms of a secret. Each character has its own, so that they may be mixed."""
    yield "".join(map(_character_pattern, text))
    encoded = text.encode("utf-8", "surrogatepass")
    for offset in range(3):  # base64 depends on how many bytes are in front of the secret
        code = base64.b64encode(b"\0" * offset + encoded).decode()
        inner = code[(offset * 8 + 5) // 6 : (offset + len(encoded)) * 8 // 6]  # characters of the secret alone
        yield re.escape(inner).replace(r"\+", "[+-]").replace("/", "[/_]")


@lru_cache(maxsize=256)
def _character_pattern(char: str) -> str:
    forms = {re.escape(char)}
    percent = "".join(f"%{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    forms |= {_ignoring_case(percent), _ignoring_case(percent.replace("%", "%25"))}
    escapes = {json.dumps(char)[1:-1], char.encode("unicode_escape").decode(), f"\\u{ord(char):04x}"}
    if not char.isalnum():
        escapes.add(f"\\{char}")
    # As many backslashes as there are: text may be escaped more than once.
    forms |= {r"\\+" + _ignoring_case(escape[1:]) for escape in escapes if escape[:1] == "\\" and len(escape) > 1}
    forms |= {re.escape(html.escape(char)), f"&#0*{ord(char)};", _ignoring_case(f"&#x{ord(char):x};")}
    if char == " ":
        forms.add(r"\+")
    if char == "+":
        forms.add(" ")
    return f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})"


def _ignoring_case(text: str) -> str:
    return f"(?i:{re.escape(text)})"
