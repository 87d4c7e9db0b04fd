"""The listings of an account, as a tree: projects, their addons, and the backups and others of each addon."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from attrs import define, field, frozen

from northflank_async.errors import ApiError, DecodeError, NorthflankError, printable
from northflank_async.inventory.query import Query
from northflank_async.paging import Pages, Paginator
from northflank_async.records import Addon, Project
from northflank_async.resources import AccountResource

MAX_RESTARTS = 3
"""How often a listing restarts because the API rejects its cursors, which expire."""
_OTHER_REFUSALS = (401, 403, 408, 429)
"""Statuses that say nothing about the cursor of the request."""


class Kind(StrEnum):
    """The kind of items in a listing, by the API's name."""

    PROJECTS = "projects"
    ADDONS = "addons"
    BACKUPS = "backups"
    RESTORES = "restores"
    SCHEDULES = "schedules"


@frozen(kw_only=True)
class Failure:
    """Something that could not be read: a whole account, a project's or an addon's listing, or its item `item_id`.

    `account_id` is what the API calls the account, or else the name of the client; `None` if neither is known.
    """

    account_id: str | None = None
    team_id: str | None = None
    project_id: str | None = None
    addon_id: str | None = None
    item_id: str | None = None
    error: NorthflankError | BlockingIOError

    def __str__(self) -> str:
        where = "/".join(filter(None, (self.team_id, self.project_id, self.addon_id)))
        where = printable(where or f"the account {self.account_id or ''}".rstrip())
        return f"{where}: {f'{self.item_id}: ' if self.item_id else ''}{self.error}"


@define(kw_only=True, eq=False)
class Listing:
    """One listing of the tree, and where its next page begins (`cursor`, `page`).

    `items_read` counts the items of this reading, `restarts` how often the API rejected a cursor. A store knows the
    listing by its `store_id`.
    """

    account: AccountResource
    account_id: str | None = None
    kind: Kind
    project: Project | None = None
    addon: Addon | None = None
    cursor: str | None = None
    page: int | None = None
    items_read: int = 0
    restarts: int = 0
    store_id: int = 0
    _pages: Pages[Any] | None = field(default=None, init=False)

    @property
    def project_id(self) -> str | None:
        return None if self.project is None else self.project.id

    @property
    def addon_id(self) -> str | None:
        return None if self.addon is None else self.addon.id

    @property
    def key(self) -> tuple[str | None, str | None, str | None, Kind]:
        """What tells the listing apart from others of the same client."""
        return (self.account.team_id, self.project_id, self.addon_id, self.kind)

    @property
    def ended(self) -> bool:
        return self._pages is not None and self._pages.ended

    async def fetch_page(self) -> "RawPage":
        """Fetch the next page.

        Raises:
            NorthflankError: the page could not be read, or has `null` in place of its items: then it is not known
                whether there are any.
        """
        pages = self._pages or self._paginator().raw().pages()
        cursor, number, requested_at = self.cursor, self.page, datetime.now(UTC)
        page = await anext(pages)
        if page.data[self.kind] is None:
            raise DecodeError("expected an array, got null", place=f"data.{self.kind}")
        self._pages, self.cursor, self.page = pages, pages.cursor, pages.page
        items = list(page.items)
        self.items_read += len(items)
        return RawPage(items, requested_at, cursor, number, pages.ended)

    def restart(self) -> None:
        """Continue with the first page."""
        self._pages = self.cursor = self.page = None
        self.items_read = 0

    def is_rejected_cursor(self, error: NorthflankError) -> bool:
        """Whether the API refused a page because of its cursor, and the listing may restart."""
        return (
            self.cursor is not None
            and isinstance(error, ApiError)
            and 400 <= error.status < 500
            and error.status not in _OTHER_REFUSALS
            and self.restarts < MAX_RESTARTS
        )

    def at(self, cursor: str | None, page: int | None) -> "Listing":
        """Return another reading of the listing that begins there."""
        return Listing(
            account=self.account,
            account_id=self.account_id,
            kind=self.kind,
            project=self.project,
            addon=self.addon,
            cursor=cursor,
            page=page,
        )

    def failure(self, error: NorthflankError, item_id: str | None = None) -> Failure:
        """Describe why the listing, or one of its items, could not be read."""
        return Failure(
            account_id=self.account_id,
            team_id=self.account.team_id,
            project_id=self.project_id,
            addon_id=self.addon_id,
            item_id=item_id,
            error=error,
        )

    def count(self, items: int, children: Sequence["Listing"], *, ended: bool) -> Counter[str]:
        """What a page adds to the progress."""
        return Counter(
            projects=int(ended and self.kind is Kind.ADDONS),
            addons=sum(child.kind is Kind.BACKUPS for child in children),
            addons_done=int(ended and self.kind is Kind.BACKUPS),
            backups=items if self.kind is Kind.BACKUPS else 0,
            pages=1,
        )

    def _paginator(self) -> Paginator[Any]:
        if self.project is None:
            return self.account.projects(cursor=self.cursor, page=self.page)
        project = self.account.project(self.project.id)
        if self.addon is None:
            return project.addons(cursor=self.cursor, page=self.page)
        addon = project.addon(self.addon.id)
        match self.kind:
            case Kind.RESTORES:
                return addon.restores(cursor=self.cursor, page=self.page)
            case Kind.SCHEDULES:
                return addon.backup_schedules(cursor=self.cursor, page=self.page)
        return addon.backups(cursor=self.cursor, page=self.page)


@frozen(eq=False)
class RawPage:
    """A page's items as JSON, when it was requested, where it began, and whether it is the last one."""

    items: list[Any]
    requested_at: datetime
    cursor: str | None
    number: int | None
    is_last: bool


@frozen
class Tree:
    """The listings to read for a query; `of_each_addon` names those of each addon."""

    query: Query
    of_each_addon: Sequence[Kind] = (Kind.BACKUPS,)
    account_id: str | None = None

    def roots(self) -> list[Listing]:
        """Return the listings to start with: of all projects, or of the addons of the named ones."""
        query = self.query
        if query.projects is None:
            return [self._listing(account, Kind.PROJECTS) for account in query.accounts]
        return [
            self._listing(account, Kind.ADDONS, Project(id=project_id))
            for account in query.accounts
            for project_id in query.projects
        ]

    def children(self, listing: Listing, record: Any) -> list[Listing]:
        """Return the listings below one record of a listing."""
        match record:
            case Project():
                return [self._listing(listing.account, Kind.ADDONS, record)]
            case Addon() if self.query.matches_addon(record):
                return [self._listing(listing.account, kind, listing.project, record) for kind in self.of_each_addon]
        return []

    def _listing(
        self, account: AccountResource, kind: Kind, project: Project | None = None, addon: Addon | None = None
    ) -> Listing:
        return Listing(account=account, account_id=self.account_id, kind=kind, project=project, addon=addon)
