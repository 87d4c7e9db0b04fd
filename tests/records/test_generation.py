"""The generated structure hooks: the same records and the same rejections as the explaining converter."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from cattrs import Converter
from hypothesis import given
from hypothesis import strategies as st

from northflank_async import Addon, Backup, DecodeError, Project, Restore
from northflank_async.records import DestinationBackup, structure_all
from northflank_async.records.converter import _explaining, _fast
from northflank_async.records.values import ByteSize, MillisecondTime
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
    (DestinationBackup, {**next(iter(ADDON.backups.slice(0, 1))), "expiredBy": "1729232400000.0"}),
]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.just([]), st.just({}),
    st.sampled_from(["2026-11-01", "2026-11-01T12:00:00", "2026-11-01 12:00:00Z", "2026-11-01T12:00:00+02:00", "12"]),
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Disk:
    """A record whose fields have other names than the API's sizes and times in milliseconds."""

    size: int
    capacity: ByteSize | None = None
    mounted_at: MillisecondTime | None = None


def outcome(converter: Converter, raw: Any, record: type[Any]) -> Any:
    try:
        return converter.structure(raw, record)
    except Exception:
        return "rejected"


@pytest.mark.parametrize(("record", "raw"), DOCUMENTED)
def test_both_converters_agree_on_documented_responses(record: type[Any], raw: Any) -> None:
    result = _fast.structure(raw, record)
    assert result == _explaining.structure(raw, record)
    assert type(result) is record
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        result.id = "another"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@given(st.sampled_from(DOCUMENTED), ODD, st.data())
def test_both_converters_agree_on_undocumented_values(
    documented: tuple[type[Any], Any], odd: Any, data: st.DataObject
) -> None:
    record, raw = documented
    changed = replaced(raw, data.draw(st.sampled_from(places(raw))), odd)
    fast, explained = (outcome(converter, changed, record) for converter in (_fast, _explaining))
    if fast != "rejected":  # the fast one may reject an unusual notation; the explaining one decides then
        assert fast == explained


def test_times_are_in_utc_whatever_their_notation() -> None:
    for text in ("2026-11-01T12:00:00.000Z", "2026-11-01T13:00:00+01:00", "2026-11-01T12:00:00", "20261101T120000Z"):
        backup = _fast.structure({"id": "b", "status": "completed", "createdAt": text}, Backup)
        assert (backup.created_at.isoformat(), backup.created_at.tzinfo) == ("2026-11-01T12:00:00+00:00", UTC)


def test_an_error_names_the_first_invalid_record() -> None:
    good = {"id": "b", "status": "completed", "createdAt": "2026-11-01T12:00:00Z"}
    with pytest.raises(DecodeError, match=r"data\.backups\[1\]\.createdAt: expected an ISO 8601 time, got 7"):
        structure_all([good, {**good, "createdAt": 7}, {**good, "id": 7}], Backup, "data.backups")
    assert structure_all([], Backup, "data.backups") == []


@pytest.mark.parametrize("converter", [_fast, _explaining], ids=["fast", "explaining"])
def test_a_field_is_converted_by_its_type_and_not_by_its_name(converter: Converter) -> None:
    disk = converter.structure({"size": 1, "capacity": "2", "mountedAt": "1729232400000"}, Disk)
    assert disk == Disk(size=1, capacity=2, mounted_at=datetime(2024, 10, 18, 6, 20, tzinfo=UTC))
    assert converter.unstructure(disk) == {"size": 1, "capacity": "2", "mountedAt": 1729232400000.0}
    assert outcome(converter, {"size": "1"}, Disk) == "rejected"
