"""A page of a listing: fetched as JSON, then parsed into rows."""

from datetime import datetime
from typing import Any

from attrs import Factory, define, frozen

from northflank_async.errors import DecodeError, printable
from northflank_async.inventory.crawl.columns import Row, read_rows
from northflank_async.inventory.crawl.listings import Failure, Listing, RawPage, Tree

_MAX_ID_LENGTH = 60
"""Characters shown of an id."""


@define(eq=False)
class ParsedPage:
    """A page's items, each as JSON and as a row; what cannot be read of them; and the listings below them."""

    listing: Listing
    requested_at: datetime
    is_last: bool
    items: list[tuple[Any, Row]] = Factory(list)
    failures: list[Failure] = Factory(list)
    children: list[Listing] = Factory(list)


@frozen(eq=False)
class FetchedPage:
    """A page's items as JSON. Its listing already points to the next page, or has ended."""

    listing: Listing
    raw: RawPage
    tree: Tree

    def parse(self) -> ParsedPage:
        """Read the items, each as far as it can be read."""
        page = ParsedPage(self.listing, self.raw.requested_at, self.raw.is_last)
        rows = read_rows(self.listing.kind, self.raw.items, f"data.{self.listing.kind}")
        for raw, row in zip(self.raw.items, rows, strict=True):
            page.items.append((raw, row))
            if row.errors:
                page.failures.append(self.listing.failure(_join(row.errors), _printable_id(raw)))
            if row.record is not None:
                page.children += self.tree.children(self.listing, row.record)
        return page


def _join(errors: tuple[DecodeError, ...]) -> DecodeError:
    if len(errors) == 1:
        return errors[0]
    joined = DecodeError("; ".join(str(error) for error in errors))
    joined.place = errors[0].place
    return joined


def _printable_id(raw: Any) -> str:
    item_id = raw.get("id") if isinstance(raw, dict) else None
    return printable(item_id[:_MAX_ID_LENGTH]) if isinstance(item_id, str) and item_id else "no id"
