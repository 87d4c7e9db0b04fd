"""Every example of the backup endpoints becomes a record, also where it contradicts its own schema."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from northflank_async.records import (
    Backup,
    BackupSchedule,
    CustomDestination,
    DestinationBackup,
    DestinationCredentials,
    LogLine,
    ScheduleInterval,
    SourceType,
    Volume,
    VolumeBackup,
    structure,
    unstructure,
)
from northflank_async.records.converter import _explaining, _fast
from northflank_async.records.download import DownloadLink
from northflank_async.records.restore import StartedRestore
from northflank_async.records.schedule import CreatedSchedule

WEEKLY = {"interval": "weekly", "minute": [30], "hour": [18], "day": [4]}
VOLUME = {
    "id": "example-volume",
    "name": "Example Volume",
    "spec": {"storageClassName": "ssd", "storageSize": 6144},
    "attachedObjects": [{"id": "example-service", "type": "service"}],
    "status": "BOUND",
    "createdAt": "2021-01-01 12:00:00.000Z",
    "updatedAt": "2021-01-01 12:00:00.000Z",
}
DESTINATION_BACKUP = {
    "id": "example-backup",
    "name": "Example Backup",
    "status": "completed",
    "project": {"id": "example-project", "name": "Example Project"},
    "addon": {"id": "example-addon", "name": "Example Addon"},
    "config": {"addonVersion": "4.4.8", "addonType": "mongodb", "source": {"type": "global"}, "size": "1234"},
    "schedules": [WEEKLY],
    "expiredBy": "1729232400000.0",
    "createdAt": "2021-01-20T11:19:53.175Z",
    "completedAt": "2021-01-20T11:19:54.494Z",
}
CREDENTIALS = {
    "accessKey": "AKIAIOSFODNN7EXAMPLE",
    "secretKey": "wJalrXUtnFEMI/K7MDENG",
    "bucketName": "backups",
    "region": "us-west-2",
    "endpoint": "s3.us-west-2.amazonaws.com",
}
EXAMPLES: dict[str, tuple[type[Any], Any]] = {
    "backup-addon": (
        Backup,
        {
            "id": "example-backup",
            "name": "Example Backup",
            "uid": "88283b31-06f3-4857-b75f-f807bd7a52af",
            "status": "completed",
            "createdAt": "2021-01-20T11:19:53.175Z",
            "completedAt": "2021-01-20T11:19:54.494Z",
            "config": {"source": {"type": "snapshot"}, "size": "1234", "addonVersion": "4.4.8"},
            "lastRestore": {
                "restoreTimestamp": "2021-01-20T11:19:54.494Z",
                "status": "completed",
                "completedAt": "2021-01-20T11:19:54.494Z",
            },
        },
    ),
    "restore-addon-backup": (StartedRestore, {"restoreId": "1611305397038"}),
    "get-backup-download-link": (DownloadLink, {"downloadLink": "https://storage.googleapis.com/..."}),
    "get-addon-backup-logs": (LogLine, {"log": "stdout F This is a log line", "ts": "2023-03-21T15:01:17.310Z"}),
    "create-addon-backup-schedule": (CreatedSchedule, {"id": "62cc20b90956ab62a58e8474"}),
    "get-addon-backup-schedules": (
        BackupSchedule,
        {
            "id": "62cc20b90956ab62a58e8474",
            "backupType": "snapshot",
            "backupCompressionType": "gz",
            "additionalDestinations": [
                {"destinationId": "example-backup-destination", "retentionTime": 7, "type": "custom"}
            ],
            "customDestinationId": "example-backup-destination",
            "scheduling": WEEKLY,
            "retentionTime": 7,
            "createdAt": "2022-07-11T13:08:09.626Z",
            "updatedAt": "2022-07-11T13:08:09.626Z",
        },
    ),
    "get-volume": (Volume, VOLUME),
    "get-volume-backups": (VolumeBackup, {"id": "example-backup"}),
    "a volume backup as in its schema": (
        VolumeBackup,
        {
            "id": "example-backup",
            "name": "Example Backup",
            "description": "Before the upgrade",
            "status": "completed",
            "spec": {"storageSize": 6144},
            "source": {
                "type": "volume",
                "sourceObject": {
                    "id": "example-volume",
                    "spec": {"accessMode": "ReadWriteOnce", "storageSize": 6144, "storageClassName": "ssd"},
                },
            },
            "createdAt": "2021-01-20T11:19:53.175Z",
            "updatedAt": "2021-01-20T11:19:53.175Z",
        },
    ),
    "list-backup-destinations": (CustomDestination, {"name": "Example Backup Destination"}),
    "get-backup-destination": (
        CustomDestination,
        {"name": "Example Backup Destination", "id": "example-backup-destination"},
    ),
    "a destination as in its schema": (
        CustomDestination,
        {
            "name": "Example Backup Destination",
            "id": "example-backup-destination",
            "description": "Off-site",
            "type": "s3",
            "prefix": "northflank/",
            "credentials": CREDENTIALS,
            "createdAt": "2021-01-20T11:19:53.175Z",
            "updatedAt": "2021-01-20T11:19:53.175Z",
        },
    ),
    "list-destinations-backups": (DestinationBackup, DESTINATION_BACKUP),
}


def as_documented(raw: dict[str, Any]) -> dict[str, Any]:
    """The example in its schema's notation: times with a T, and numbers as numbers."""
    times = {name: raw[name].replace(" ", "T") for name in raw.keys() & {"createdAt", "updatedAt"}}
    numbers = {name: int(float(raw[name])) for name in raw.keys() & {"expiredBy"}}
    return {**raw, **times, **numbers}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_survives_a_round_trip(name: str) -> None:
    record, raw = EXAMPLES[name]
    result = structure(raw, record)
    assert json.dumps(unstructure(result), sort_keys=True) == json.dumps(as_documented(raw), sort_keys=True)
    assert structure(unstructure(result), record) == result


@pytest.mark.parametrize("name", EXAMPLES)
def test_both_converters_agree_on_the_examples(name: str) -> None:
    record, raw = EXAMPLES[name]
    assert _fast.structure(raw, record) == _explaining.structure(raw, record)


def test_times_may_have_a_space_or_be_in_milliseconds() -> None:
    assert structure(VOLUME, Volume).created_at == datetime(2021, 1, 1, 12, tzinfo=UTC)
    for expiry in ("1729232400000.0", 1729232400000.0, 1729232400000):
        backup = structure({**DESTINATION_BACKUP, "expiredBy": expiry}, DestinationBackup)
        assert backup.expired_by == datetime(2024, 10, 18, 6, 20, tzinfo=UTC)


@pytest.mark.parametrize("expiry", ["soon", "", True, [], 1e40, "nan"])
def test_an_error_names_an_invalid_time_in_milliseconds(expiry: Any) -> None:
    with pytest.raises(Exception, match="expiredBy: expected a time in milliseconds, got"):
        structure({**DESTINATION_BACKUP, "expiredBy": expiry}, DestinationBackup)


def test_documented_values_become_enum_members() -> None:
    backup = structure(DESTINATION_BACKUP, DestinationBackup)
    assert backup.config
    assert backup.config.source
    assert backup.config.source.type is SourceType.GLOBAL
    assert backup.schedules
    assert backup.schedules[0].interval is ScheduleInterval.WEEKLY


def test_a_log_line_may_be_any_json() -> None:
    line = structure({"log": {"level": 30}, "ts": "2023-03-21T15:01:17.310Z", "containerId": "c"}, LogLine)
    assert (line.log, line.container_id) == ({"level": 30}, "c")


def test_no_repr_shows_a_secret_key_or_a_link() -> None:
    credentials = structure(CREDENTIALS, DestinationCredentials)
    assert credentials.secret_key == CREDENTIALS["secretKey"]
    shown = [credentials, structure({"name": "d", "credentials": CREDENTIALS}, CustomDestination)]
    assert all("wJalr" not in f"{record!r} {record}" for record in shown)
    assert "googleapis" not in repr(structure({"downloadLink": "https://storage.googleapis.com/x"}, DownloadLink))
