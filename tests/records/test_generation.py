"""The fast way to a record: the same records and the same refusals as the one that explains."""

from datetime import UTC
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from northflank_async import Addon, Backup, DecodeError, Project, Restore
from northflank_async.records import structure_all
from northflank_async.records.converter import _explaining, _fast
from northflank_async.simulator.inventory import Inventory

INVENTORY = Inventory(backup_average=40)
EXAMPLE = INVENTORY.project("default-project")
ADDON = EXAMPLE and EXAMPLE.addon("example-addon")
assert EXAMPLE
assert ADDON
DOCUMENTED: list[tuple[type[Any], dict[str, Any]]] = [
    (Project, EXAMPLE.details()),
    (Addon, ADDON.details()),
    *((Backup, backup) for backup in ADDON.backups.slice(0, 40)),
    *((Restore, restore) for restore in ADDON.restores.slice(0, 10)),
]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.just([]), st.just({}),
    st.sampled_from(["2026-11-01", "2026-11-01T12:00:00", "2026-11-01 12:00:00Z", "2026-11-01T12:00:00+02:00", "12"]),
)  # fmt: skip


def outcome(converter: Any, raw: Any, record: type[Any]) -> Any:
    try:
        return converter.structure(raw, record)
    except Exception:
        return "refused"


@pytest.mark.parametrize(("record", "raw"), DOCUMENTED)
def test_what_is_documented_comes_out_the_same(record: type[Any], raw: Any) -> None:
    made = _fast.structure(raw, record)
    assert made == _explaining.structure(raw, record)
    assert type(made) is record
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.id = "another"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where anything stands in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@given(st.sampled_from(DOCUMENTED), ODD, st.data())
def test_what_is_not_documented_is_read_or_refused_alike(
    documented: tuple[type[Any], Any], odd: Any, data: st.DataObject
) -> None:
    record, raw = documented
    changed = replaced(raw, data.draw(st.sampled_from(places(raw))), odd)
    fast, explained = (outcome(converter, changed, record) for converter in (_fast, _explaining))
    if fast != "refused":  # it may refuse what is only unusual: the other is asked then
        assert fast == explained


def test_times_are_in_utc_whichever_way_they_are_read() -> None:
    for text in ("2026-11-01T12:00:00.000Z", "2026-11-01T13:00:00+01:00", "2026-11-01T12:00:00", "20261101T120000Z"):
        made = _fast.structure({"id": "b", "status": "completed", "createdAt": text}, Backup)
        assert (made.created_at.isoformat(), made.created_at.tzinfo) == ("2026-11-01T12:00:00+00:00", UTC)


def test_of_many_records_the_first_that_cannot_be_read_is_named() -> None:
    good = {"id": "b", "status": "completed", "createdAt": "2026-11-01T12:00:00Z"}
    with pytest.raises(DecodeError, match=r"data\.backups\[1\]\.createdAt: expected an ISO 8601 time, got 7"):
        structure_all([good, {**good, "createdAt": 7}, {**good, "id": 7}], Backup, "data.backups")
    assert structure_all([], Backup, "data.backups") == []
