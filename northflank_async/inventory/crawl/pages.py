"""A page of a listing: fetched as JSON, then parsed into records."""

from contextlib import suppress
from typing import Any, TypeAlias

from attrs import Factory, define, frozen

from northflank_async.errors import ConfigurationError, DecodeError, printable
from northflank_async.http.request import segment
from northflank_async.inventory.crawl.listings import Failure, Kind, Listing, Tree
from northflank_async.records import Addon, Backup, Project, Restore, structure, structure_all

Record: TypeAlias = Project | Addon | Backup | Restore

_RECORDS: dict[Kind, type[Record]] = {
    Kind.PROJECTS: Project,
    Kind.ADDONS: Addon,
    Kind.BACKUPS: Backup,
    Kind.RESTORES: Restore,
}
_MAX_ID_LENGTH = 60
"""Characters shown of an unreadable record's id."""


@define(eq=False)
class ParsedPage:
    """A page's records, each with its JSON; what could not be parsed; and the listings below the records."""

    listing: Listing
    items: list[tuple[Any, Any]] = Factory(list)
    unreadable: list[Any] = Factory(list)
    failures: list[Failure] = Factory(list)
    children: list[Listing] = Factory(list)


@frozen(eq=False)
class FetchedPage:
    """A page's items as JSON. Its listing stands at the following page, or has ended."""

    listing: Listing
    items: list[Any]
    tree: Tree

    def parse(self) -> ParsedPage:
        """Make records of the items. One that cannot be parsed becomes a failure."""
        listing, kind = self.listing, self.listing.kind
        if kind in (Kind.BACKUPS, Kind.RESTORES):
            with suppress(DecodeError):  # then one by one, to name the item
                return ParsedPage(
                    listing, list(zip(self.items, structure_all(self.items, _RECORDS[kind]), strict=True))
                )
        page = ParsedPage(listing)
        for index, raw in enumerate(self.items):
            try:
                record = _parse(kind, raw, f"data.{kind}[{index}]")
            except (DecodeError, ConfigurationError) as error:
                page.unreadable.append(raw)
                page.failures.append(listing.failure(error, _printable_id(raw)))
            else:
                page.items.append((raw, record))
                page.children += self.tree.children(listing, record)
        return page


def _parse(kind: Kind, raw: Any, place: str) -> Any:
    record = structure(raw, _RECORDS[kind], place)
    if isinstance(record, Project | Addon):
        segment(f"{place}.id", record.id)  # it becomes part of a path
    return record


def _printable_id(raw: Any) -> str:
    item_id = raw.get("id") if isinstance(raw, dict) else None
    return printable(item_id[:_MAX_ID_LENGTH]) if isinstance(item_id, str) else "no id"
