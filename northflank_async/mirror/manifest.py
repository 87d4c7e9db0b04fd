"""The manifest: one entry for each dump that a mirror holds."""

import json
from datetime import UTC, datetime
from typing import Any, Self, TypeAlias

from attrs import asdict, field, fields, frozen
from attrs.validators import ge, instance_of, matches_re, optional

from northflank_async.errors import DecodeError
from northflank_async.mirror.layout import is_safe

Identity: TypeAlias = tuple[str | None, str | None, str, str, str, datetime]
"""What tells a dump apart from all others: the ids above it, its own id, and its creation."""

_text = instance_of(str)


def _check_time(_: object, __: object, value: Any) -> None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("a time has no zone")


def _check_path(_: object, __: object, value: Any) -> None:
    if not isinstance(value, str) or not is_safe(value):
        raise ValueError("the path is not one of a mirror")


def _parse_time(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


@frozen(kw_only=True)
class Copy:
    """A dump that a mirror holds, with what is needed to restore it without the platform.

    `path` is below the mirror, `size` is in bytes, and `sha256` is that of the file, as hexadecimal digits.
    """

    account_id: str | None = field(validator=optional(_text))
    team_id: str | None = field(validator=optional(_text))
    project_id: str = field(validator=_text)
    addon_id: str = field(validator=_text)
    backup_id: str = field(validator=_text)
    created_at: datetime = field(converter=_parse_time, validator=_check_time)
    path: str = field(validator=_check_path)
    size: int = field(validator=[instance_of(int), ge(0)])
    sha256: str = field(validator=matches_re("[0-9a-f]{64}"))
    fetched_at: datetime = field(converter=_parse_time, validator=_check_time)
    addon_type: str | None = field(validator=optional(_text))
    addon_version: str | None = field(validator=optional(_text))

    @property
    def identity(self) -> Identity:
        """What tells the dump apart from all others."""
        return (self.account_id, self.team_id, self.project_id, self.addon_id, self.backup_id, self.created_at)

    @property
    def addon(self) -> tuple[str | None, str | None, str, str]:
        """What tells the addon apart from all others."""
        return self.identity[:4]

    @classmethod
    def from_json(cls, text: bytes, place: str) -> Self:
        """Read an entry of the manifest, which is at `place`.

        Raises:
            DecodeError: it is not an entry.
        """
        try:
            content = json.loads(text)
            return cls(**{each.name: content[each.name] for each in fields(cls)})
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            reason = "it is not an entry of a manifest" if not isinstance(error, ValueError) else str(error)
            raise DecodeError(reason, place=place) from None

    def to_json(self) -> bytes:
        """Write an entry of the manifest."""
        values = {
            name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }
        return json.dumps(values, indent=1).encode() + b"\n"
