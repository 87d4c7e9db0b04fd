"""What a computed listing has gained and lost since the start."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import attrs

from northflank_async.simulator.answers import Refusal
from northflank_async.simulator.inventory import Json, Listing

ADDED = 2**39  # the place of the first item that was added; below it are those of the computed ones

Item = TypeVar("Item")
Rank = tuple[int, ...]


@attrs.define(eq=False)
class Added(Generic[Item]):
    """An item that was added before the computed one at `position`; once `gone`, it only holds its place."""

    item: Item
    position: int
    rank: Rank
    serial: int
    gone: bool = False

    @property
    def order(self) -> tuple[int, Rank, int]:
        """Where it comes; of equals the newest first."""
        return self.position, self.rank, -self.serial


@attrs.define
class Overlay(Generic[Item]):
    """What was added, in the listing's order, and the indexes of the computed items that were removed."""

    entries: list[Added[Item]] = attrs.field(factory=list)
    removed: list[int] = attrs.field(factory=list)

    def add(self, item: Item, position: int = 0, rank: Rank = ()) -> Added[Item]:
        """Add an item before the computed one at `position`, at the front if not told otherwise."""
        entry = Added(item, position, rank, len(self.entries))
        insort(self.entries, entry, key=lambda entry: entry.order)
        return entry

    def remove(self, indexes: Iterable[int]) -> None:
        """Remove computed items that are still there."""
        for index in indexes:
            insort(self.removed, index)

    def has(self, index: int) -> bool:
        """Whether the computed item is still there."""
        place = bisect_left(self.removed, index)
        return place == len(self.removed) or self.removed[place] != index

    def find(self, matches: Callable[[Item], bool]) -> Added[Item] | None:
        """The first added item that matches and is still there."""
        return next((entry for entry in self.entries if not entry.gone and matches(entry.item)), None)

    def discard(self, matches: Callable[[Item], bool]) -> bool:
        """Remove the first added item that matches; False where there is none."""
        entry = self.find(matches)
        if entry is not None:
            entry.gone = True
        return entry is not None

    def over(self, base: Listing, show: Callable[[Item], Json]) -> "Overlaid[Item]":
        """The listing as it is now."""
        return Overlaid(base, show, self.entries, self.removed)


class Overlaid(Generic[Item]):
    """A computed listing with what was added to it and without what was removed from it."""

    def __init__(
        self, base: Listing, show: Callable[[Item], Json], entries: list[Added[Item]], removed: list[int]
    ) -> None:
        self._base = base
        self._show = show
        self._entries = entries
        self._removed = removed
        self._added = [entry for entry in entries if not entry.gone]
        self._offsets = [self._survivors(entry.position) + turn for turn, entry in enumerate(self._added)]

    @property
    def length(self) -> int:
        """The number of items."""
        return self._base.length - len(self._removed) + len(self._added)

    def slice(self, offset: int, size: int) -> list[Json]:
        """Up to `size` items from `offset` on; none past the end."""
        return [self._item(index) for index in range(offset, min(offset + size, self.length))]

    def place(self, offset: int) -> int:
        """Where the item at `offset` is, however the listing changes."""
        turn, added = self._turn(offset)
        return ADDED + added.serial if added else self._index(offset - turn)

    def offset(self, place: int) -> int:
        """The offset of the item at that place, or of the next one if it is gone."""
        if place < ADDED:
            before = bisect_right(self._added, place, key=lambda entry: entry.position)
            return self._survivors(place) + before
        entry = next((entry for entry in self._entries if entry.serial == place - ADDED), None)
        if entry is None:
            raise Refusal(400, "The cursor is not one of this listing.")
        return self._survivors(entry.position) + bisect_left(self._added, entry.order, key=lambda entry: entry.order)

    def _item(self, offset: int) -> Json:
        turn, added = self._turn(offset)
        return self._show(added.item) if added else self._base.item(self._index(offset - turn))

    def _turn(self, offset: int) -> tuple[int, Added[Item] | None]:
        """How many added items come before that offset, and the one that is at it."""
        turn = bisect_left(self._offsets, offset)
        is_added = turn < len(self._offsets) and self._offsets[turn] == offset
        return turn, self._added[turn] if is_added else None

    def _survivors(self, index: int) -> int:
        """How many computed items before that index are still there."""
        return index - bisect_left(self._removed, index)

    def _index(self, survivor: int) -> int:
        """The index of the computed item before which so many are still there."""
        gone = bisect_right(range(len(self._removed)), survivor, key=lambda turn: self._removed[turn] - turn)
        return survivor + gone
