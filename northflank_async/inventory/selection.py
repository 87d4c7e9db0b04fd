from collections.abc import Iterable
from datetime import datetime

from attrs import field, frozen

from northflank_async.errors import ConfigurationError
from northflank_async.records import Addon, Backup


def _check_since(_: object, __: object, since: datetime | None) -> None:
    if since is not None and (not isinstance(since, datetime) or since.tzinfo is None):
        raise ConfigurationError(f"since must be a datetime with a time zone, unlike {since!r}")


def _as_set(words: Iterable[str]) -> frozenset[str]:
    return frozenset([words] if isinstance(words, str) else words)


@frozen(kw_only=True)
class Selection:
    """Which backups are wanted: all, if nothing is said.

    `since` is the earliest time of creation; `statuses` and `addon_types` are the API's words, such as `failed` and
    `postgresql`. Addons of other types are not asked for their backups.
    """

    since: datetime | None = field(default=None, validator=_check_since)
    statuses: frozenset[str] = field(default=(), converter=_as_set)
    addon_types: frozenset[str] = field(default=(), converter=_as_set)

    def wants_addon(self, addon: Addon) -> bool:
        """Whether the addon's backups are wanted at all; where its type is not known, they are."""
        addon_type = addon.spec and addon.spec.type
        return not self.addon_types or addon_type is None or addon_type in self.addon_types

    def wants(self, backup: Backup) -> bool:
        """Whether the backup is wanted."""
        if self.since is not None and backup.created_at < self.since:
            return False
        return not self.statuses or backup.status in self.statuses
