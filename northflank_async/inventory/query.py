import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import astuple, evolve, field, fields, frozen
from yarl import URL

from northflank_async.errors import ConfigurationError
from northflank_async.http.budget import Budget
from northflank_async.http.request import segment
from northflank_async.inventory.encoding import LONGEST_ID, is_too_long
from northflank_async.records import Addon, Backup
from northflank_async.resources import AccountResource


def _distinct_accounts(accounts: AccountResource | Iterable[AccountResource]) -> tuple[AccountResource, ...]:
    given = [accounts] if isinstance(accounts, AccountResource) else list(accounts)
    if not given:
        raise ConfigurationError("there is nothing to read: pass a client, or one of its teams")
    for account in given:
        _check_length("a team id", account.team_id)
        _check_length("the name of a client", account.name)
    return tuple({(account.budget, account.team_id): account for account in given}.values())


def _distinct_projects(projects: Iterable[str] | None) -> tuple[str, ...] | None:
    if projects is None:
        return None
    if isinstance(projects, str) or not isinstance(projects, Iterable):
        raise ConfigurationError(f"projects must be a list of ids, not {projects!r}")
    ids = list(projects)
    for project_id in ids:
        segment("the project id", project_id)
        _check_length("a project id", project_id)
    return tuple(dict.fromkeys(ids))


def _check_length(noun: str, item_id: str | None) -> None:
    if item_id is not None and is_too_long(item_id):
        raise ConfigurationError(f"{noun} has at most {LONGEST_ID} bytes, not {item_id[:40]!r}…")


def _word_set(words: str | Iterable[str]) -> frozenset[str]:
    return frozenset([words] if isinstance(words, str) else words)


def _check_since(_: object, __: object, since: datetime | timedelta | None) -> None:
    if isinstance(since, timedelta):
        if since <= timedelta():
            raise ConfigurationError(f"since must be longer than no time, not {since!r}")
    elif since is not None and (not isinstance(since, datetime) or since.tzinfo is None):
        raise ConfigurationError(f"since must be a datetime with a time zone, or a timedelta, not {since!r}")


@frozen
class Query:
    """Which part of an inventory is wanted; scans, plans, syncs, exports and streams all take one.

        Query(nf)                                              # everything the token can see
        Query([nf.team("acme"), nf.team("globex")], projects=["billing"], statuses="failed")

    Args:
        accounts: a client or one of its teams, or several of them, also of several clients.
        projects: ids to read in each account; `None` reads all projects.
        addons: ids; other addons' backups are not requested. Every project has its own addons with such ids.
        addon_types: the API's words, such as `"postgresql"`; other addons' backups are not requested. An addon
            without a type is included.
        statuses: the API's words, such as `"failed"`.
        since: the earliest creation time of a backup, with a time zone; or a `timedelta` before the start of the scan
            or sync run, which stays the same when the sync run is resumed.
        restores: read restores too. Only a sync or an export to a target reads them.
        schedules: read backup schedules too. Only a sync, or an export to a database, reads them.

    Raises:
        ConfigurationError: an argument is invalid.
    """

    accounts: tuple[AccountResource, ...] = field(converter=_distinct_accounts)
    projects: tuple[str, ...] | None = field(default=None, converter=_distinct_projects, kw_only=True)
    addons: frozenset[str] = field(default=(), converter=_word_set, kw_only=True)
    addon_types: frozenset[str] = field(default=(), converter=_word_set, kw_only=True)
    statuses: frozenset[str] = field(default=(), converter=_word_set, kw_only=True)
    since: datetime | timedelta | None = field(default=None, validator=_check_since, kw_only=True)
    restores: bool = field(default=False, kw_only=True)
    schedules: bool = field(default=False, kw_only=True)

    @classmethod
    def of(cls, source: "Query | AccountResource") -> "Query":
        """Return a query unchanged, and wrap an account in a query for everything in it."""
        return source if isinstance(source, Query) else cls(source)

    @classmethod
    def of_each_client(cls, sources: "Sequence[Query | AccountResource]") -> "list[Query]":
        """Return one query for each client and what is wanted of it, in the order in which they were given.

        Raises:
            ConfigurationError: there is no source.
        """
        accounts: dict[tuple[Any, ...], list[AccountResource]] = {}
        for query in map(cls.of, sources):
            wanted = astuple(query, recurse=False)[1:]
            for account in query.accounts:
                accounts.setdefault((account.budget, *wanted), []).append(account)
        if not accounts:
            raise ConfigurationError("there is nothing to read: pass a client, one of its teams, or a query")
        names = [each.name for each in fields(cls)][1:]
        return [cls(found, **dict(zip(names, key[1:], strict=True))) for key, found in accounts.items()]

    def starting(self, now: datetime) -> "Query":
        """Return the query with a relative `since` as a time, for a scan, plan or sync run that starts at `now`.

        A resumed sync run keeps the time of its first start.
        """
        if not isinstance(self.since, timedelta):
            return self
        try:
            return evolve(self, since=now - self.since)
        except OverflowError:  # before the year 1
            return evolve(self, since=None)

    def matches_addon(self, addon: Addon) -> bool:
        """Whether the addon's backups are wanted. An addon of unknown type has any type."""
        if self.addons and addon.id not in self.addons:
            return False
        addon_type = addon.spec and addon.spec.type
        return not self.addon_types or addon_type is None or addon_type in self.addon_types

    def matches(self, backup: Backup) -> bool:
        """Whether the backup's creation time and status are wanted. See `starting` for a relative `since`."""
        return self._matches(backup.created_at, backup.status)

    def matches_columns(self, columns: Mapping[str, Any]) -> bool:
        """Whether the creation time and the status of a backup are wanted; they are if they cannot be read."""
        return self._matches(columns.get("created_at"), columns.get("status"))

    def _matches(self, created_at: datetime | None, status: str | None) -> bool:
        assert not isinstance(self.since, timedelta), "the query has not started"
        if self.since is not None and created_at is not None and created_at < self.since:
            return False
        return not self.statuses or status is None or status in self.statuses

    @property
    def filters_backups(self) -> bool:
        """Whether some backups may not match."""
        return self.since is not None or bool(self.statuses)

    @property
    def budget(self) -> Budget:
        """The budget of the client, of a query of one client."""
        return self.accounts[0].budget

    @property
    def name(self) -> str | None:
        """The name of the client, of a query of one client."""
        return self.accounts[0].name

    @property
    def host(self) -> str:
        """The host of the API, of a query of one client."""
        return URL(self.accounts[0].base_url).host or ""

    @property
    def fingerprint(self) -> str:
        """Syncs of one account that share it can resume each other: they read the same, however that was written."""
        url = URL(self.accounts[0].base_url)
        return json.dumps(
            {
                "baseUrl": str(url.with_path(url.raw_path.rstrip("/"), encoded=True)),
                "teams": sorted(account.team_id or "" for account in self.accounts),
                "projects": None if self.projects is None else sorted(self.projects),
                "since": self.since.astimezone(UTC).isoformat()
                if isinstance(self.since, datetime)
                else self.since and str(self.since),
                "statuses": sorted(self.statuses),
                "addons": sorted(self.addons),
                "addonTypes": sorted(self.addon_types),
                "restores": self.restores,
                "schedules": self.schedules,
            }
        )
