"""Additions to a computed listing and removals from it."""

from attrs import define
from hypothesis import given
from hypothesis import strategies as st

from northflank_async.simulator.changes import ListingChanges
from northflank_async.simulator.inventory import Listing

Change = tuple[bool, int]


@define
class Item:
    """An item that was ever listed: where it comes, and whether it was removed."""

    order: tuple[int, int, int]
    name: str
    is_removed: bool = False


class Model:
    """The same as a plain list of every item that was ever listed."""

    def __init__(self, length: int) -> None:
        self.items = [Item((index, 1, 0), f"computed {index}") for index in range(length)]

    def add(self, name: str, position: int, serial: int) -> None:
        self.items.append(Item((position, 0, -serial), name))
        self.items.sort(key=lambda item: item.order)

    def remove(self, name: str) -> None:
        next(item for item in self.items if item.name == name).is_removed = True

    @property
    def names(self) -> list[str]:
        return [item.name for item in self.items if not item.is_removed]

    def offset(self, name: str) -> int:
        """How many items come before it that were not removed."""
        place = [item.name for item in self.items].index(name)
        return sum(not item.is_removed for item in self.items[:place])


def make(changes: list[Change], listing_changes: ListingChanges[str], model: Model, length: int) -> None:
    for is_added, number in changes:
        if is_added:
            position = number % (length + 1)
            entry = listing_changes.add(f"added {len(listing_changes.entries)}", position)
            model.add(entry.item, position, entry.serial)
        elif model.names:
            name = model.names[number % len(model.names)]
            model.remove(name)
            kind, _, index = name.partition(" ")
            if kind == "computed":
                listing_changes.remove_computed([int(index)])
            else:
                assert listing_changes.remove_added(name.__eq__)


changes = st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=25)


@given(length=st.integers(0, 12), before=changes, after=changes)
def test_a_changed_listing_matches_a_plain_list_and_its_anchors_stay_valid(
    length: int, before: list[Change], after: list[Change]
) -> None:
    listing_changes, model = ListingChanges[str](), Model(length)
    base = Listing(length, lambda index: {"name": f"computed {index}"})
    make(before, listing_changes, model, length)
    listing = listing_changes.apply(base, lambda name: {"name": name})
    assert [item["name"] for item in listing.slice(0, 100)] == model.names
    assert listing.length == len(model.names)
    anchors = {name: listing.anchor(offset) for offset, name in enumerate(model.names)}
    assert [listing.offset(anchor) for anchor in anchors.values()] == list(range(listing.length))

    make(after, listing_changes, model, length)
    later = listing_changes.apply(base, lambda name: {"name": name})
    assert {name: later.offset(anchor) for name, anchor in anchors.items()} == {n: model.offset(n) for n in anchors}
    for size in (1, 3):
        pages = [later.slice(offset, size) for offset in range(0, later.length, size)]
        assert [item["name"] for page in pages for item in page] == model.names
