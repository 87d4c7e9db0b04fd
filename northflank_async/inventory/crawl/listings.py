"""The listings of a company, as a tree: of projects, of their addons, and of the backups and restores of these."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias

from attrs import define, field, frozen

from northflank_async.errors import ConfigurationError, DecodeError, NorthflankError, printable
from northflank_async.http.request import segment
from northflank_async.paging import Pages, Paginator
from northflank_async.records import Addon, Backup, Project, Restore, structure, structure_all
from northflank_async.resources import AccountResource

Record: TypeAlias = Project | Addon | Backup | Restore

_SHOWN = 60
"""Characters of an unreadable record's id that are shown."""


class Kind(StrEnum):
    """What a listing lists, by its name in the API."""

    PROJECTS = "projects"
    ADDONS = "addons"
    BACKUPS = "backups"
    RESTORES = "restores"


_RECORDS: dict[Kind, type[Record]] = {
    Kind.PROJECTS: Project,
    Kind.ADDONS: Addon,
    Kind.BACKUPS: Backup,
    Kind.RESTORES: Restore,
}
LEAVES = (Kind.BACKUPS, Kind.RESTORES)


@frozen(kw_only=True)
class Failure:
    """What could not be read: a project's or an addon's listing, or the one item of it that `item_id` names."""

    team_id: str | None = None
    project_id: str | None = None
    addon_id: str | None = None
    item_id: str | None = None
    error: NorthflankError

    def __str__(self) -> str:
        where = printable("/".join(filter(None, (self.team_id, self.project_id, self.addon_id)))) or "the account"
        return f"{where}: {f'{self.item_id}: ' if self.item_id else ''}{self.error}"


@define(kw_only=True, eq=False)
class Branch:
    """One listing of the tree, with where its next page begins (`cursor`, `page`)."""

    view: AccountResource
    kind: Kind
    project: Project | None = None
    addon: Addon | None = None
    cursor: str | None = None
    page: int | None = None
    _pages: Pages[Any] | None = field(default=None, init=False)

    @property
    def project_id(self) -> str | None:
        return None if self.project is None else self.project.id

    @property
    def addon_id(self) -> str | None:
        return None if self.addon is None else self.addon.id

    @property
    def resumed(self) -> bool:
        """Whether nothing but an earlier walk's word says that its cursor is good."""
        return self._pages is None and self.cursor is not None

    @property
    def ended(self) -> bool:
        return self._pages is not None and self._pages.ended

    async def turn(self) -> list[Any]:
        """Ask for the next page; its items are as the API sent them."""
        pages = self._pages or self._paginator().raw().pages()
        page = await anext(pages)
        self._pages, self.cursor, self.page = pages, pages.cursor, pages.page
        return list(page.items)

    def begin_again(self) -> None:
        self._pages = self.cursor = self.page = None

    def failure(self, error: NorthflankError, item_id: str | None = None) -> Failure:
        """What to say of it when it, or one of its items, could not be read."""
        return Failure(
            team_id=self.view.team_id,
            project_id=self.project_id,
            addon_id=self.addon_id,
            item_id=item_id,
            error=error,
        )

    def _paginator(self) -> Paginator[Any]:
        if self.project is None:
            return self.view.projects(cursor=self.cursor, page=self.page)
        project = self.view.project(self.project.id)
        if self.addon is None:
            return project.addons(cursor=self.cursor, page=self.page)
        addon = project.addon(self.addon.id)
        listing = addon.backups if self.kind is Kind.BACKUPS else addon.restores
        return listing(cursor=self.cursor, page=self.page)


class Visit:
    """A page that has come. It is read when it is looked at; its branch stands at the page after it, or has ended.

    `raw` is its JSON. `children_of` says which listings a record leads to.
    """

    def __init__(self, branch: Branch, raw: list[Any], children_of: Callable[[Branch, Any], list[Branch]]) -> None:
        self.branch = branch
        self.raw = raw
        self._children_of = children_of

    @property
    def items(self) -> list[tuple[Any, Any]]:
        """The records, each with the JSON it was made of."""
        return self._read[0]

    @property
    def unreadable(self) -> list[Any]:
        """The JSON of which no record could be made."""
        return [raw for raw, _ in self._read[1]]

    @property
    def failures(self) -> list[Failure]:
        """What to say of that."""
        return [failure for _, failure in self._read[1]]

    @cached_property
    def children(self) -> list[Branch]:
        """The listings that the page leads to."""
        if self.branch.kind in LEAVES:
            return []
        return [child for _, record in self.items for child in self._children_of(self.branch, record)]

    def counts(self, opened: Iterable[Branch]) -> Counter[str]:
        """What the page adds to the progress, given which of its children are read."""
        kind, ended = self.branch.kind, self.branch.ended
        return Counter(
            projects=int(ended and kind is Kind.ADDONS),
            addons=sum(child.kind is Kind.BACKUPS for child in opened),
            addons_done=int(ended and kind is Kind.BACKUPS),
            backups=len(self.raw) if kind is Kind.BACKUPS else 0,
            pages=1,
        )

    @cached_property
    def _read(self) -> tuple[list[tuple[Any, Any]], list[tuple[Any, Failure]]]:
        kind = self.branch.kind
        if kind in LEAVES:
            with suppress(DecodeError):  # if there is something wrong, one by one
                return list(zip(self.raw, structure_all(self.raw, _RECORDS[kind]), strict=True)), []
        items: list[tuple[Any, Any]] = []
        failed: list[tuple[Any, Failure]] = []
        for index, raw in enumerate(self.raw):
            try:
                items.append((raw, _record(kind, raw, f"data.{kind}[{index}]")))
            except (DecodeError, ConfigurationError) as error:
                failed.append((raw, self.branch.failure(error, _shown_id(raw))))
        return items, failed


def roots(views: Sequence[AccountResource], projects: Iterable[str] | None) -> list[Branch]:
    """Where a walk begins: at these projects of each view, or at all of them.

    Raises:
        ConfigurationError: there is no view, or an id cannot be part of a URL.
    """
    distinct = list({view.team_id: view for view in views}.values())
    if not distinct:
        raise ConfigurationError("there is nothing to read: pass a client, or one of its teams")
    if len({view.budget for view in views}) > 1:
        raise ConfigurationError("all views must be of one client")
    if projects is None:
        return [Branch(view=view, kind=Kind.PROJECTS) for view in distinct]
    if isinstance(projects, str) or not isinstance(projects, Iterable):
        raise ConfigurationError(f"projects is a list of ids, not {projects!r}")
    ids = list(projects)
    for project_id in ids:
        segment("the project id", project_id)
    return [
        Branch(view=view, kind=Kind.ADDONS, project=Project(id=project_id))
        for view in distinct
        for project_id in dict.fromkeys(ids)
    ]


def _record(kind: Kind, raw: Any, place: str) -> Any:
    record = structure(raw, _RECORDS[kind], place)
    if isinstance(record, Project | Addon):
        segment(f"{place}.id", record.id)  # it becomes part of a path
    return record


def _shown_id(raw: Any) -> str:
    name = raw.get("id") if isinstance(raw, dict) else None
    return printable(name[:_SHOWN]) if isinstance(name, str) else "no id"
