"""Additions to a computed listing and removals from it."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import attrs

from northflank_async.simulator.inventory import Json, Listing
from northflank_async.simulator.responses import Rejection

ADDED = 2**39  # the anchor of the first added item; smaller anchors belong to computed items

Item = TypeVar("Item")
Rank = tuple[int, ...]


@attrs.define(eq=False)
class Added(Generic[Item]):
    """An item added before the computed one at `position`. A removed one stays, because cursors can point at it."""

    item: Item
    position: int
    rank: Rank
    serial: int
    is_removed: bool = False

    @property
    def order(self) -> tuple[int, Rank, int]:
        """The sort key; among equals, the newest comes first."""
        return self.position, self.rank, -self.serial


@attrs.define
class ListingChanges(Generic[Item]):
    """The added items in the listing's order, and the indexes of the computed items that were removed."""

    entries: list[Added[Item]] = attrs.field(factory=list)
    removed: list[int] = attrs.field(factory=list)

    def add(self, item: Item, position: int = 0, rank: Rank = ()) -> Added[Item]:
        """Add an item before the computed one at `position`, by default at the front."""
        entry = Added(item, position, rank, len(self.entries))
        insort(self.entries, entry, key=lambda entry: entry.order)
        return entry

    def find_added(self, matches: Callable[[Item], bool]) -> Added[Item] | None:
        """The first added item that matches and was not removed."""
        return next((entry for entry in self.entries if not entry.is_removed and matches(entry.item)), None)

    def remove_added(self, matches: Callable[[Item], bool]) -> bool:
        """Remove the first added item that matches; False if there is none."""
        entry = self.find_added(matches)
        if entry is not None:
            entry.is_removed = True
        return entry is not None

    def has_computed(self, index: int) -> bool:
        """Whether the computed item at this index was not removed."""
        place = bisect_left(self.removed, index)
        return place == len(self.removed) or self.removed[place] != index

    def remove_computed(self, indexes: Iterable[int]) -> None:
        """Remove computed items that were not removed before."""
        for index in indexes:
            insort(self.removed, index)

    def apply(self, base: Listing, show: Callable[[Item], Json]) -> "ChangedListing[Item]":
        """The listing with these changes; `show` returns the JSON of an added item."""
        return ChangedListing(base, show, self.entries, self.removed)


class ChangedListing(Generic[Item]):
    """A computed listing with added items and without removed ones."""

    def __init__(
        self, base: Listing, show: Callable[[Item], Json], entries: list[Added[Item]], removed: list[int]
    ) -> None:
        self._base = base
        self._show = show
        self._entries = entries
        self._removed = removed
        self._added = [entry for entry in entries if not entry.is_removed]
        self._offsets = [self._remaining(entry.position) + number for number, entry in enumerate(self._added)]

    @property
    def length(self) -> int:
        """The number of items."""
        return self._base.length - len(self._removed) + len(self._added)

    def slice(self, offset: int, size: int) -> list[Json]:
        """Up to `size` items, starting at `offset`; none past the end."""
        return [self._item(index) for index in range(offset, min(offset + size, self.length))]

    def anchor(self, offset: int) -> int:
        """A reference to the item at `offset` that later changes do not move."""
        before, added = self._split(offset)
        return ADDED + added.serial if added else self._index(offset - before)

    def offset(self, anchor: int) -> int:
        """The offset of the item with this anchor, or of the next item if it was removed."""
        if anchor < ADDED:
            before = bisect_right(self._added, anchor, key=lambda entry: entry.position)
            return self._remaining(anchor) + before
        entry = next((entry for entry in self._entries if entry.serial == anchor - ADDED), None)
        if entry is None:
            raise Rejection(400, "The cursor does not belong to this listing.")
        return self._remaining(entry.position) + bisect_left(self._added, entry.order, key=lambda entry: entry.order)

    def _item(self, offset: int) -> Json:
        before, added = self._split(offset)
        return self._show(added.item) if added else self._base.item(self._index(offset - before))

    def _split(self, offset: int) -> tuple[int, Added[Item] | None]:
        """The number of added items before the offset, and the added item at it, if any."""
        before = bisect_left(self._offsets, offset)
        is_added = before < len(self._offsets) and self._offsets[before] == offset
        return before, self._added[before] if is_added else None

    def _remaining(self, index: int) -> int:
        """The number of computed items before the index that were not removed."""
        return index - bisect_left(self._removed, index)

    def _index(self, number: int) -> int:
        """The index of the computed item with this number among those that were not removed."""
        return number + bisect_right(range(len(self._removed)), number, key=lambda place: self._removed[place] - place)
