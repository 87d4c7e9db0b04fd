"""Records are converted from the documented JSON, and back."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from northflank_async import records
from northflank_async.errors import DecodeError
from northflank_async.records import (
    Addon,
    Backup,
    BackupConfig,
    LastRestore,
    Project,
    Restore,
    RunStatus,
    SourceType,
    structure,
    unstructure,
)
from northflank_async.records.download import DownloadLink

TESTS = Path(__file__).parent.parent
RECORDS = {
    "backups": Backup,
    "restores": Restore,
    "addons": Addon,
    "projects": Project,
    "get-addon-backup": Backup,
    "get-addon": Addon,
    "get-project": Project,
}
BACKUP = {"id": "b", "status": "completed", "createdAt": "2021-01-20T11:19:53.175Z"}


def example(name: str) -> Any:
    return json.loads((TESTS / "facts" / f"{name}.json").read_text())["example_response"]["body"]["data"]


def documents() -> dict[str, list[Any]]:
    """The examples of the five documents: those of the API, the command line and the JavaScript client."""
    examples: dict[str, list[Any]] = json.loads((TESTS / "documents.json").read_text())
    return examples


def payloads() -> list[Any]:
    """Every example of the eight endpoints' schemas and of the five documents, as (record class, JSON)."""
    data = [
        (path.stem, example(path.stem))
        for path in (TESTS / "facts").glob("*.json")
        if path.stem in RECORDS or path.stem.startswith(("list-addon", "list-projects"))
    ]
    data += [(name, body.get("data", body)) for name, bodies in documents().items() for body in bodies]
    found: list[Any] = []
    for name, content in data:
        key = next((key for key in RECORDS if key in content and name.startswith("list-")), None)
        for item in content[key] if key else [content]:
            found.append(pytest.param(RECORDS[key or name], item, id=f"{name}-{len(found)}"))
    return found


def test_every_document_has_examples() -> None:
    assert len(documents()) == 5
    assert len(payloads()) >= 8 + 5


@pytest.mark.parametrize(("record", "raw"), payloads())
def test_an_example_survives_a_round_trip(record: type[Any], raw: Any) -> None:
    assert json.dumps(unstructure(structure(raw, record)), sort_keys=True) == json.dumps(raw, sort_keys=True)


def test_a_backup_has_python_types() -> None:
    backup = structure(example("list-addon-backups")["backups"][0], Backup)
    assert backup.status is RunStatus.COMPLETED
    assert backup.created_at == datetime(2021, 1, 20, 11, 19, 53, 175_000, tzinfo=UTC)
    assert backup.config
    assert backup.config.size == 1234
    assert backup.config.source
    assert backup.config.source.type is SourceType.SNAPSHOT
    assert backup.config.additional_destinations
    assert backup.config.additional_destinations[0].retention_time == 7


def test_the_listing_and_the_details_share_a_record_class() -> None:
    single = structure(example("get-addon-backup"), Backup)
    assert isinstance(single.last_restore, LastRestore)
    assert single.custom_destination_id is None


def test_a_backup_requires_only_id_status_and_time() -> None:
    backup = structure(BACKUP, Backup)
    assert (backup.name, backup.completed_at, backup.config) == (None, None, None)


@pytest.mark.parametrize("name", ["id", "status", "createdAt"])
def test_a_missing_required_field_is_an_error(name: str) -> None:
    with pytest.raises(DecodeError, match=rf"^{name}: missing"):
        structure({key: value for key, value in BACKUP.items() if key != name}, Backup)


def test_an_undocumented_status_stays_text() -> None:
    backup = structure({**BACKUP, "status": "quarantined"}, Backup)
    assert backup.status == "quarantined"
    assert unstructure(backup)["status"] == "quarantined"


def test_unstructure_returns_plain_json_types() -> None:
    raw = unstructure(structure(example("list-addon-backups")["backups"][0], Backup))
    assert type(raw["status"]) is type(raw["config"]["source"]["type"]) is str
    assert type(raw["config"]["additionalDestinations"]) is list


def test_null_equals_absent_for_optional_fields() -> None:
    nulls = {"name": None, "uid": None, "completedAt": None, "config": None, "lastRestore": None}
    assert structure({**BACKUP, **nulls}, Backup) == structure(BACKUP, Backup)


def test_unknown_fields_are_ignored() -> None:
    assert structure({**BACKUP, "shard": 7, "config": {"size": "1", "x": []}}, Backup).config == BackupConfig(size=1)


@pytest.mark.parametrize("size", ["9007199254740993", 9007199254740993, "0"])
def test_a_size_is_exact_as_text_and_as_a_number(size: str | int) -> None:
    assert structure({"size": size}, BackupConfig).size == int(size)


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"createdAt": "yesterday"}, "data.backups[3].createdAt"),
        ({"createdAt": 1611141593}, "data.backups[3].createdAt"),
        ({"createdAt": "2021-01-20"}, "data.backups[3].createdAt"),
        ({"createdAt": "0001-01-01T00:00:00+05:00"}, "data.backups[3].createdAt"),
        ({"id": 7}, "data.backups[3].id"),
        ({"status": None}, "data.backups[3].status"),
        ({"config": []}, "data.backups[3].config"),
        ({"config": {"size": "12 GB"}}, "data.backups[3].config.size"),
        ({"config": {"size": -1.5}}, "data.backups[3].config.size"),
        (
            {"config": {"additionalDestinations": [{"destinationId": "d", "retentionTime": "7"}]}},
            "data.backups[3].config.additionalDestinations[0].retentionTime",
        ),
        ({"config": {"size": True}}, "data.backups[3].config.size"),
        ({"config": {"source": {"type": 1}}}, "data.backups[3].config.source.type"),
        ({"config": {"additionalDestinations": {}}}, "data.backups[3].config.additionalDestinations"),
        (
            {"config": {"additionalDestinations": [{"destinationId": "d"}, {"destinationId": 1}]}},
            "data.backups[3].config.additionalDestinations[1].destinationId",
        ),
    ],
)
def test_an_error_names_the_place_of_the_invalid_value(changed: dict[str, Any], place: str) -> None:
    with pytest.raises(DecodeError) as caught:
        structure({**BACKUP, **changed}, Backup, "data.backups[3]")
    assert caught.value.place == place
    assert place in str(caught.value)


def test_an_error_truncates_a_long_value() -> None:
    with pytest.raises(DecodeError) as caught:
        structure({**BACKUP, "createdAt": "x" * 10_000}, Backup)
    assert len(str(caught.value)) < 200


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_any_time_survives_a_round_trip(time: datetime) -> None:
    try:
        backup = Backup(id="b", status="completed", created_at=time.astimezone(UTC))
    except OverflowError:
        return
    assert structure(unstructure(backup), Backup) == backup


def test_times_have_the_notation_of_the_api() -> None:
    assert unstructure(structure(BACKUP, Backup))["createdAt"] == "2021-01-20T11:19:53.175Z"
    assert structure({**BACKUP, "createdAt": "2021-01-20T12:19:53.175+01:00"}, Backup) == structure(BACKUP, Backup)
    assert structure({**BACKUP, "createdAt": "2021-01-20T11:19:53.175"}, Backup) == structure(BACKUP, Backup)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.25Z", datetime(2017, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)),
        ("2017-01-01T00:59:60+01:00", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2026-01-01T24:00:00Z", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-12-31T24:00:00.000+01:00", datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("2026-01-01t12:00:00.5z", datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-01T12:00:00z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T12:00:00.123456789Z", datetime(2026, 1, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-01-01T12:00:00,1234567z", datetime(2026, 1, 1, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-01-01T12:00:00.9Z", datetime(2026, 1, 1, 12, 0, 0, 900_000, tzinfo=UTC)),
        ("2026-01-01T12:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T12:00:00+0530", datetime(2026, 1, 1, 6, 30, tzinfo=UTC)),
        ("2026-01-01T12:00:00-02", datetime(2026, 1, 1, 14, tzinfo=UTC)),
        ("2026-01-01T12:00:00\u221202:00", datetime(2026, 1, 1, 14, tzinfo=UTC)),
        ("2026-01-01T12:00:00-00:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01 12:00:00 UTC", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01 12:00:00.5 +0000 UTC", datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)),
        (" 20260101T120000Z ", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T24:00:00", datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_an_unusual_time_is_read_if_it_names_one_moment(text: str, time: datetime) -> None:
    backup = structure({**BACKUP, "createdAt": text}, Backup)
    assert (backup.created_at, backup.created_at.tzinfo) == (time, UTC)


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T24:00:01Z", "2026-01-01T12:00:61Z", "2026-01-01T12:60:00Z", "2026-01-01T25:00:00Z",
     "2026-02-30T12:00:00Z", "9999-12-31T24:00:00Z", "2026-01-01T12:00:00+25:00", "2026-01-01T12:00:00 CET",
     "01/02/2026 10:00", "2026-01-01T", "T12:00:00Z", "2026-01-01T12:00:00Zz", "１２２６-01-01T12:00:60Z", ""],
)  # fmt: skip
def test_an_ambiguous_time_is_an_error(text: str) -> None:
    with pytest.raises(DecodeError, match="createdAt: expected an ISO 8601 time"):
        structure({**BACKUP, "createdAt": text}, Backup)


def test_a_time_without_a_time_zone_is_in_utc_in_both_directions() -> None:
    """Whatever the local time zone."""
    naive = datetime(2026, 1, 1, 12)
    backup = Backup(id="b", status="completed", created_at=naive)
    assert unstructure(backup)["createdAt"] == "2026-01-01T12:00:00.000Z"
    assert structure(unstructure(backup), Backup).created_at == naive.replace(tzinfo=UTC)
    copy = records.DestinationBackup(id="b", status="completed", created_at=naive, expired_by=naive)
    assert unstructure(copy)["expiredBy"] == 1767268800000


@pytest.mark.parametrize("number", [1729232400001, 253402300799999, -62135596800000])
def test_milliseconds_stay_a_whole_number(number: int) -> None:
    for sent in (number, float(number), str(number)):
        record = structure({**BACKUP, "expiredBy": sent}, records.DestinationBackup)
        result = unstructure(record)["expiredBy"]
        assert (result, type(result)) == (number, int)
    half = structure({**BACKUP, "expiredBy": 1729232400000.5}, records.DestinationBackup)
    assert unstructure(half)["expiredBy"] == 1729232400000.5


@given(st.integers())
def test_a_number_of_any_size_stays_whole(number: int) -> None:
    raw = {"id": "x", "spec": {"config": {"deployment": {"replicas": number, "storageSize": number}}}}
    assert repr(unstructure(structure(raw, Addon))) == repr(raw)
    line = {"ts": "2023-03-21T15:01:17.310Z", "log": {"number": number}}
    assert repr(unstructure(structure(line, records.LogLine))["log"]) == repr(line["log"])


SECRET = "https://storage.example.com/x?Signature=abcdef"


@pytest.mark.parametrize(
    ("record", "raw"),
    [
        (DownloadLink, SECRET),
        (DownloadLink, [SECRET]),
        (DownloadLink, {"downloadLink": {"url": SECRET}}),
        (DownloadLink, {"downloadLink": [SECRET]}),
        (DownloadLink, {"download_link": SECRET}),
        (records.DestinationCredentials, {"accessKey": [SECRET]}),
        (records.DestinationCredentials, SECRET),
        (records.CustomDestination, {"name": "d", "credentials": SECRET}),
        (records.CustomDestination, {"name": "d", "credentials": [SECRET]}),
        (records.CustomDestination, {"name": "d", "credentials": {"secretKey": {"value": SECRET}}}),
        (records.CustomDestination, {"name": 7, "credentials": {"secretKey": SECRET}}),
        (records.CustomDestination, {"name": 7, "token": SECRET, "nested": [{"password": SECRET}]}),
    ],
)
def test_an_error_never_shows_a_secret_whatever_its_shape(record: type[Any], raw: Any) -> None:
    with pytest.raises(DecodeError) as caught:
        structure(raw, record, "data")
    assert "Signature" not in f"{caught.value} {caught.value.raw}"
    assert caught.value.raw


def test_an_error_has_the_json_that_is_not_a_record() -> None:
    raw = {**BACKUP, "createdAt": "soon", "config": {"size": "1"}}
    with pytest.raises(DecodeError) as caught:
        structure(raw, Backup)
    assert caught.value.raw == raw


@pytest.mark.parametrize("name", [name for name in records.__all__ if attrs.has(getattr(records, name))])
def test_records_are_frozen_slotted_and_keyword_only(name: str) -> None:
    record = getattr(records, name)
    assert "__slots__" in vars(record)
    assert all(field.kw_only for field in attrs.fields(record))
    assert record.__setattr__ is not object.__setattr__
