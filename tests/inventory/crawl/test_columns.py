"""What a store keeps of an item: every column that can be read."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from northflank_async import Addon, Backup, DecodeError, Project, Restore
from northflank_async.inventory.crawl import columns
from northflank_async.inventory.crawl.columns import Row, read_row, read_rows
from northflank_async.inventory.crawl.listings import Kind
from northflank_async.inventory.encoding import storable

T1, T2 = "2026-01-02T03:04:05.678Z", "2026-01-02T03:05:05.000Z"
TIME1, TIME2 = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC), datetime(2026, 1, 2, 3, 5, 5, 0, UTC)
ITEMS: dict[Kind, dict[str, Any]] = {
    Kind.PROJECTS: {
        "id": "p",
        "name": "Project",
        "description": "All of it",
        "createdAt": T1,
        "deployment": {"region": "europe-west"},
        "services": [{"id": "s", "serviceType": "build"}],
        "cluster": {"id": "c"},
    },
    Kind.ADDONS: {
        "id": "a",
        "name": "Addon",
        "appId": "/p/a",
        "tags": ["production"],
        "description": "Orders",
        "createdAt": T1,
        "status": "running",
        "spec": {
            "type": "postgresql",
            "config": {
                "versionTag": "16.4.0",
                "deployment": {"replicas": 1, "storageSize": 6144},
                "networking": {"ipPolicies": [{"address": "10.0.0.0/8", "action": "DENY"}]},
            },
        },
    },
    Kind.BACKUPS: {
        "id": "b",
        "name": "Backup",
        "uid": "u",
        "status": "completed",
        "createdAt": T1,
        "completedAt": T2,
        "customDestinationId": "offsite",
        "config": {
            "source": {"type": "snapshot"},
            "size": "1234",
            "compressionType": "gz",
            "addonVersion": "16.4.0",
            "addonType": "postgresql",
            "additionalDestinations": [{"destinationId": "d", "type": "custom", "retentionTime": 7}],
        },
        "lastRestore": {"restoreTimestamp": T1, "status": "completed", "completedAt": T2},
    },
    Kind.RESTORES: {
        "id": "r",
        "backupId": "b",
        "status": "failed",
        "restoreTimestamp": T1,
        "completedAt": T2,
    },
    Kind.SCHEDULES: {
        "id": "s",
        "backupType": "dump",
        "scheduling": {"interval": "weekly", "minute": [30], "hour": [18], "day": [4]},
        "retentionTime": 7,
        "backupCompressionType": "gz",
        "customDestinationId": "offsite",
        "additionalDestinations": [{"destinationId": "d", "type": "custom", "retentionTime": 7}],
        "createdAt": T1,
        "updatedAt": T2,
    },
}
COLUMNS: dict[Kind, dict[str, Any]] = {
    Kind.PROJECTS: {"id": "p", "name": "Project"},
    Kind.ADDONS: {"id": "a", "name": "Addon", "type": "postgresql", "status": "running"},
    Kind.BACKUPS: {
        "id": "b",
        "name": "Backup",
        "uid": "u",
        "status": "completed",
        "created_at": TIME1,
        "completed_at": TIME2,
        "source_type": "snapshot",
        "size": 1234,
        "compression_type": "gz",
        "addon_version": "16.4.0",
        "custom_destination_id": "offsite",
    },
    Kind.RESTORES: {
        "id": "r",
        "backup_id": "b",
        "status": "failed",
        "restore_timestamp": TIME1,
        "completed_at": TIME2,
    },
    Kind.SCHEDULES: {
        "id": "s",
        "backup_type": "dump",
        "interval": "weekly",
        "retention_time": 7,
        "created_at": TIME1,
        "updated_at": TIME2,
    },
}
kinds = st.sampled_from(Kind)


def read(kind: Kind, raw: Any) -> Row:
    return read_row(kind, raw, f"data.{kind}[3]")


def places(row: Row) -> list[str]:
    return [error.place.removeprefix("data.") for error in row.errors]


def backup(**fields: Any) -> dict[str, Any]:
    return {**ITEMS[Kind.BACKUPS], **fields}


@pytest.mark.parametrize("kind", Kind)
def test_a_documented_item_fills_every_column(kind: Kind) -> None:
    row = read(kind, ITEMS[kind])
    assert row.id == ITEMS[kind]["id"]
    assert row.values == COLUMNS[kind]
    assert (row.errors, row.unread) == ((), frozenset())
    assert isinstance(row.record, columns.RECORDS[kind])


@pytest.mark.parametrize(("kind", "required"), [(Kind.PROJECTS, ""), (Kind.ADDONS, ""), (Kind.BACKUPS, T1)])
def test_what_was_not_sent_is_not_an_error(kind: Kind, required: str) -> None:
    raw = {"id": "x", **({"status": "completed", "createdAt": required} if required else {})}
    row = read(kind, raw)
    assert row.errors == ()
    assert row.unread == frozenset()
    assert {name for name, value in row.values.items() if value is not None} <= {"id", "status", "created_at"}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("raw", "place", "reason"),
    [
        ({"id": 7}, ".id", "expected text, got 7"),
        ({"id": None}, ".id", "expected text, got None"),
        ({"id": ["b"]}, ".id", "expected text, got ['b']"),
        ({}, ".id", "missing"),
        (["b"], "", "expected an object, got ['b']"),
        (None, "", "expected an object, got None"),
        ("b", "", "expected an object, got 'b'"),
    ],
)
def test_only_an_unusable_id_makes_an_item_unreadable(kind: Kind, raw: Any, place: str, reason: str) -> None:
    row = read(kind, {**ITEMS[kind], **raw} if isinstance(raw, dict) and raw else raw)
    assert (row.id, row.values, row.record) == (None, {}, None)
    assert str(row.errors[0]) == f"data.{kind}[3]{place}: {reason}"
    assert row.unread == COLUMNS[kind].keys() - {"id"}


@pytest.mark.parametrize("kind", Kind)
def test_an_empty_id_is_not_usable(kind: Kind) -> None:
    row = read(kind, {**ITEMS[kind], "id": ""})
    assert row.id is None
    assert places(row) == [f"{kind}[3].id"]


@pytest.mark.parametrize("item_id", [".", "..", "a/b", "a b", "a\0", "\ud800", "a?b"])
def test_the_id_of_a_project_or_addon_must_fit_into_a_path(item_id: str) -> None:
    for kind in (Kind.PROJECTS, Kind.ADDONS):
        row = read(kind, {**ITEMS[kind], "id": item_id})
        assert row.id is None
        assert places(row) == [f"{kind}[3].id"]
    for kind in (Kind.BACKUPS, Kind.RESTORES):
        row = read(kind, {**ITEMS[kind], "id": item_id})
        assert (row.id, row.values) == (storable(item_id), {**COLUMNS[kind], "id": storable(item_id)})


def test_an_addon_with_odd_tags_keeps_all_else() -> None:
    row = read(Kind.ADDONS, {**ITEMS[Kind.ADDONS], "tags": "production"})
    assert row.values == COLUMNS[Kind.ADDONS]
    assert [str(error) for error in row.errors] == ["data.addons[3].tags: expected an array, got 'production'"]
    assert row.unread == frozenset()
    assert isinstance(row.record, Addon)
    assert (row.record.tags, row.record.status, row.record.app_id) == (None, "running", "/p/a")
    assert row.record.spec
    assert row.record.spec.config


@pytest.mark.parametrize("junk", [5, True, "soon", "2026-13-01T00:00:00Z", [], {}, "0001-01-01T00:00:00+23:00"])
def test_an_odd_completion_time_keeps_the_status(junk: Any) -> None:
    row = read(Kind.BACKUPS, backup(completedAt=junk))
    assert row.values == {**COLUMNS[Kind.BACKUPS], "completed_at": None}
    assert places(row) == ["backups[3].completedAt"]
    assert row.unread == {"completed_at"}
    assert isinstance(row.record, Backup)


def test_an_odd_config_keeps_the_rest() -> None:
    of_config = {"source_type", "size", "compression_type", "addon_version"}
    row = read(Kind.BACKUPS, backup(config="none"))
    assert row.values == {**COLUMNS[Kind.BACKUPS], **dict.fromkeys(of_config)}
    assert row.unread == of_config
    assert places(row) == ["backups[3].config"]


def test_a_part_of_a_config_keeps_the_other_parts() -> None:
    raw = copy.deepcopy(ITEMS[Kind.BACKUPS])
    raw["config"]["source"]["type"] = 5
    raw["config"]["additionalDestinations"] = [{"type": "custom"}]
    row = read(Kind.BACKUPS, raw)
    assert row.values == {**COLUMNS[Kind.BACKUPS], "source_type": None}
    assert row.unread == {"source_type"}
    assert places(row) == [
        "backups[3].config.source.type",
        "backups[3].config.additionalDestinations[0].destinationId",
    ]


def test_a_required_field_that_is_missing_leaves_no_record_and_all_other_columns() -> None:
    raw = backup()
    del raw["status"]
    row = read(Kind.BACKUPS, raw)
    assert row.values == {**COLUMNS[Kind.BACKUPS], "status": None}
    assert [str(error) for error in row.errors] == ["data.backups[3].status: missing"]
    assert row.unread == {"status"}
    assert row.record is None


def test_every_unreadable_field_is_named() -> None:
    row = read(Kind.BACKUPS, backup(name=1, uid=2, status=3, createdAt=4, completedAt=5, lastRestore={"status": 6}))
    assert places(row) == [
        f"backups[3].{name}"
        for name in ("status", "createdAt", "name", "uid", "completedAt", "lastRestore.restoreTimestamp",
                     "lastRestore.status")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("size", "column"),
    [
        ("0", 0),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        (2**70, None),
        (-(2**70), None),
        (1.0, 1),
        (1e300, None),
    ],
)
def test_a_size_beyond_64_bits_has_no_column(size: Any, column: int | None) -> None:
    row = read(Kind.BACKUPS, backup(config={"size": size}))
    assert (row.values["size"], row.values["status"], row.errors) == (column, "completed", ())


@pytest.mark.parametrize("size", ["many", "", "-1", 1.5, True, [], "٣", float("inf"), float("nan"), "9" * 5000])
def test_what_is_not_a_size_is_named(size: Any) -> None:
    row = read(Kind.BACKUPS, backup(config={"size": size, "addonVersion": "1"}))
    assert (row.values["size"], row.values["addon_version"]) == (None, "1")
    assert places(row) == ["backups[3].config.size"]


def test_text_that_databases_refuse_is_stored_as_escapes() -> None:
    row = read(Kind.BACKUPS, backup(id="a\0", name="\ud800", status="\0", config={"source": {"type": "\udfff"}}))
    assert row.id == r"a\x00"
    assert (row.values["name"], row.values["status"], row.values["source_type"]) == (r"\ud800", r"\x00", r"\udfff")
    assert row.errors == ()


@pytest.mark.parametrize("depth", [200, 1_000, 100_000])
@pytest.mark.parametrize("field", ["id", "status", "completedAt", "config", "lastRestore", "undocumented"])
def test_deep_nesting_is_read_or_named(field: str, depth: int) -> None:
    deep: Any = []
    for _ in range(depth):
        deep = [deep]
    row = read(Kind.BACKUPS, backup(**{field: deep}))
    assert places(row) == ([] if field == "undocumented" else [f"backups[3].{field}"])
    assert (row.id is None) is (field == "id")
    assert all(len(str(error)) < 200 for error in row.errors)


def test_a_page_is_read_like_its_items() -> None:
    items = [backup(), backup(id=7), backup(completedAt=5), backup(id="c")]
    rows = read_rows(Kind.BACKUPS, items, "data.backups")
    assert [row.id for row in rows] == ["b", None, "b", "c"]
    assert [error.place for row in rows for error in row.errors] == [
        "data.backups[1].id",
        "data.backups[2].completedAt",
    ]
    assert read_rows(Kind.BACKUPS, [backup(), backup(id="c")], "data.backups") == [rows[0], rows[3]]
    assert read_rows(Kind.BACKUPS, [], "data.backups") == []


def test_a_page_with_an_empty_id_names_it() -> None:
    (row,) = read_rows(Kind.BACKUPS, [backup(id="")], "data.backups")
    assert [error.place for error in row.errors] == ["data.backups[0].id"]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from([T1, "completed", "", "1234", "9" * 5000, 2**70, "\0", "\ud800"]),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(sorted({name for raw in ITEMS.values() for name in raw} | set(ITEMS[Kind.BACKUPS]["config"])))
almost_items = st.recursive(
    json_values,
    lambda children: st.dictionaries(names, children, max_size=8) | st.lists(children, max_size=3),
    max_leaves=20,
)


@pytest.mark.slow
@given(kinds, json_values | almost_items)
@settings(max_examples=500)
def test_any_json_becomes_a_row(kind: Kind, raw: Any) -> None:
    row = read(kind, raw)
    assert isinstance(row.record, Project | Addon | Backup | Restore | None)
    if row.id is None:
        assert row.errors
        assert row.values == {}
        return
    assert row.values.keys() == COLUMNS[kind].keys()
    assert bool(row.unread) <= bool(row.errors)
    assert all(row.values[column] is None for column in row.unread)
    assert all(isinstance(error, DecodeError) and error.place for error in row.errors)
    for value in row.values.values():
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()


def paths(raw: Any) -> list[tuple[str, ...]]:
    """Every field of an object, and of the objects in it."""
    if not isinstance(raw, dict):
        return []
    return [(name, *path) for name, part in raw.items() for path in [(), *paths(part)]]


@pytest.mark.slow
@given(kinds, st.data(), json_values)
@settings(max_examples=500)
def test_junk_in_one_field_costs_no_other(kind: Kind, data: st.DataObject, junk: Any) -> None:
    path = data.draw(st.sampled_from([path for path in paths(ITEMS[kind]) if path != ("id",)]))
    raw = copy.deepcopy(ITEMS[kind])
    place = raw
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = junk
    row = read(kind, raw)
    assert row.id == ITEMS[kind]["id"]
    at = f"data.{kind}[3]." + ".".join(path)
    assert all(error.place.startswith(at) for error in row.errors)
    for column, value in COLUMNS[kind].items():
        source = columns._PATHS[kind].get(column, ("id",))
        if source[: len(path)] != path:
            assert row.values[column] == value
        elif row.errors and len(source) == len(path):
            assert row.values[column] is None
            assert column in row.unread


def test_the_items_of_these_tests_are_json() -> None:
    assert json.loads(json.dumps(list(ITEMS.values()))) == list(ITEMS.values())
