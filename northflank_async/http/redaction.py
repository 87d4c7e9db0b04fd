"""Redaction: removing secrets from messages, reprs and tracebacks."""

import base64
import html.entities
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property, lru_cache
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
    hex or base64, in the other case, and the password of a URL by itself.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = frozenset(secrets)

    def including(self, body: Any) -> "Redactor":
        """A redactor that knows the secrets in the JSON of a request, too."""
        secrets = self._secrets.union(secrets_in(body))
        return self if secrets == self._secrets else Redactor(secrets)

    def found_in(self, text: str) -> bool:
        """Whether the text contains a secret."""
        return self._can_be_in(text) and bool(self._pattern.search(text))

    def redact(self, value: Any) -> Any:
        """Replace each secret in text, or in the texts of decoded JSON, by `***`."""
        match value:
            case str():
                return self._pattern.sub("***", value) if self._can_be_in(value) else value
            case list():
                return [self.redact(item) for item in value]
            case dict():
                return {self.redact(key): self.redact(item) for key, item in value.items()}
            case _:
                return value

    def _can_be_in(self, text: str) -> bool:
        """Whether the text is long enough for a secret: the pattern of a long one takes a while to compile."""
        return bool(self._texts) and len(text) >= len(self._texts[-1])

    @cached_property
    def _texts(self) -> list[str]:
        """The secrets and their parts, longest first. No form of a secret is shorter than itself."""
        texts = {text for secret in self._secrets for text in _parts(str(secret)) if len(text) >= _SHORTEST}
        return sorted(texts, key=len, reverse=True)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(pattern for text in self._texts for pattern in _patterns(text)), re.IGNORECASE)

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
            if self.found_in(f"{cause} {cause!r} {vars(cause)}"):
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
    yield "[ :-]?".join(f"{byte:02x}" for byte in encoded)
    for offset in range(3):  # base64 depends on how many bytes are in front of the secret
        code = base64.b64encode(b"\0" * offset + encoded).decode()
        inner = code[(offset * 8 + 5) // 6 : (offset + len(encoded)) * 8 // 6]  # characters of the secret alone
        yield r"(?:\s|\\[rn])*".join(_BASE64_FORMS.get(char, char) for char in inner)


_BASE64_FORMS = {"+": "(?:[+-]|%2b)", "/": "(?:[/_]|%2f)"}


@lru_cache(maxsize=256)
def _character_pattern(char: str) -> str:
    """A pattern for the forms of a character, which may be encoded or escaped more than once."""
    code = ord(char)
    percent = "".join(f"[%=](?:25)*{byte:02x}" for byte in char.encode("utf-8", "surrogatepass"))
    forms = {re.escape(char), percent, f"%u{code:04x}"}
    escapes = {f"u{{0*{code:x}}}", f"u(?:0000)?{code:04x}", f"0*{code:o}", f"x{code:02x}"}
    escapes |= {re.escape(escape[1:]) for escape in (json.dumps(char)[1:-1], repr(char)[1:-1]) if escape[:1] == "\\"}
    if not char.isalnum():
        escapes.add(re.escape(char))
    forms.add(rf"\\+(?:{_any_of(escapes)})")
    entities = {f"#0*{code};?", f"#x0*{code:x};?", *map(re.escape, _entities().get(char, ()))}
    forms.add(f"&(?:amp;)*(?:{_any_of(entities)})")
    if char == " ":
        forms.add(r"\+")
    if char == "+":
        forms.add(" ")
    return f"(?:{_any_of(forms)})"


def _any_of(patterns: Iterable[str]) -> str:
    return "|".join(sorted(patterns, key=len, reverse=True))


@cache
def _entities() -> dict[str, list[str]]:
    """The names of HTML for each character, with the semicolon."""
    found: dict[str, list[str]] = {}
    for name, char in html.entities.html5.items():
        if name.endswith(";"):
            found.setdefault(char, []).append(name)
    return found
