"""Arguments: which are rejected before a request is sent, and how the others are sent."""

import json
import math
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, get_args

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from northflank_async import (
    BackupDestination,
    BackupType,
    BackupTypeName,
    CompressionType,
    CompressionTypeName,
    ConfigurationError,
    DestinationCredentials,
    DestinationUsage,
    DestinationUsageName,
    Northflank,
    ScheduleInterval,
    ScheduleIntervalName,
)
from northflank_async.resources.arguments import backup_body
from tests.support.destinations import IDENTITY, KEYS, OFFSITE
from tests.support.scripted_server import TOKEN, backup, envelope, serve

DAILY: dict[str, Any] = {"interval": "daily", "minute": [30], "hour": [3], "backup_type": "dump", "retention_time": 7}
WEEKLY: dict[str, Any] = {"interval": "weekly", "minute": [30], "hour": [18], "day": [4], "retention_time": 7}
PROJECT, ADDON = "/v1/projects/p", "/v1/projects/p/addons/a"
BACKUP, VOLUME = f"{ADDON}/backups/b", f"{PROJECT}/volumes/v"

Call = Callable[[Northflank, dict[str, Any]], Awaitable[Any]]
CALLS: dict[str, Call] = {
    "backup": lambda nf, given: nf.project("p").addon("a").create_backup(**given),
    "import": lambda nf, given: nf.project("p").addon("a").import_backup(**given),
    "schedule": lambda nf, given: nf.project("p").addon("a").create_backup_schedule(**given),
    "unschedule": lambda nf, given: nf.project("p").addon("a").delete_backup_schedule(**given),
    "restore": lambda nf, given: nf.project("p").addon("a").backup("b").restore(**given),
    "abort restore": lambda nf, given: nf.project("p").addon("a").backup("b").abort_restore(**given),
    "logs": lambda nf, given: nf.project("p").addon("a").backup("b").logs(**given),
    "restore logs": lambda nf, given: nf.project("p").addon("a").backup("b").restore_logs("r", **given),
    "wait": lambda nf, given: nf.project("p").addon("a").backup("b").wait(**given),
    "wait restore": lambda nf, given: nf.project("p").addon("a").backup("b").wait_restore(**given),
    "volume": lambda nf, given: nf.project("p").volume("v").create_backup(**given),
    "volume schedule": lambda nf, given: nf.project("p").volume("v").create_backup_schedule(**given),
    "volume unschedule": lambda nf, given: nf.project("p").volume("v").delete_backup_schedule(**given),
    "destination": lambda nf, given: nf.create_backup_destination(**given),
    "update": lambda nf, given: nf.backup_destination("d").update(**given),
}
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DESTINATION = {"name": "Off site", "prefix": "northflank/", "credentials": KEYS}

REJECTED: list[tuple[str, dict[str, Any], str]] = [
    ("backup", {"name": "ab"}, "name must have 3 to 39 characters, not 2"),
    ("backup", {"name": "a" * 40}, "name must have 3 to 39 characters, not 40"),
    ("backup", {"name": "night__ly"}, "name must be letters and digits"),
    ("backup", {"name": "nightly\n"}, "name must be letters and digits"),
    ("backup", {"name": 7}, "name must be text, not int"),
    ("backup", {"backup_type": "copy"}, 'backup_type must be "dump" or "snapshot", not \'copy\''),
    ("backup", {"backup_type": "dump", "compression_type": "xz"}, 'compression_type must be "gz" or "zstd"'),
    ("backup", {"compression_type": "gz"}, 'compression_type is only valid with backup_type="dump"'),
    (
        "backup",
        {"backup_type": "snapshot", "compression_type": "gz"},
        'compression_type is only valid with backup_type="dump"',
    ),
    (
        "backup",
        {"custom_destination_id": "offsite-bucket"},
        'custom_destination_id is only valid with backup_type="dump"',
    ),
    ("backup", {"backup_type": "dump", "custom_destination_id": "a--b"}, "custom_destination_id must be letters"),
    ("backup", {"backup_type": "dump", "custom_destination_id": "ab"}, "custom_destination_id must have 3 to 100"),
    (
        "backup",
        {"backup_type": "dump", "additional_destinations": [OFFSITE]},
        'additional_destinations are only valid with backup_type="snapshot"',
    ),
    ("backup", {"additional_destinations": "offsite-bucket"}, "additional_destinations must be a list"),
    ("backup", {"additional_destinations": ["offsite"]}, "must be BackupDestination records, not str"),
    ("backup", {"additional_destinations": [BackupDestination(destination_id="a b")]}, "destination_id must be"),
    (
        "backup",
        {"additional_destinations": [BackupDestination(destination_id="abc", retention_time=0)]},
        "retention_time must be an integer of 1 or more, not 0",
    ),
    (
        "backup",
        {"additional_destinations": [BackupDestination(destination_id="abc", type="s3")]},
        'type must be "custom"',
    ),
    ("import", {}, "pass one of them"),
    ("import", {"url": "https://x/y.gz", "connection_string": "mongodb://x"}, "pass one of them"),
    ("import", {"url": ""}, "url must be a URL that begins with https:// or http://"),
    ("import", {"connection_string": 7}, "connection_string must be text, not int"),
    ("import", {"connection_string": " "}, "connection_string must be text that is not blank"),
    ("import", {"url": "ftp://x/y.gz"}, "url must be a URL that begins with https"),
    (
        "import",
        {"url": "https://x/y.gz", "import_all_databases": True},
        "import_all_databases is only valid with a connection_string",
    ),
    (
        "import",
        {"url": "https://x/y.gz", "compression_type": "gz"},
        "compression_type is only valid with a connection_string",
    ),
    (
        "import",
        {"connection_string": "mongodb://x", "import_all_databases": 1},
        "import_all_databases must be True or False, not 1",
    ),
    ("import", {"connection_string": "mongodb://x", "name": "a"}, "name must have 3 to 39"),
    ("schedule", {**DAILY, "interval": "monthly"}, 'interval must be "hourly" or "daily" or "weekly"'),
    ("schedule", {**DAILY, "interval": None}, 'interval must be "hourly" or "daily" or "weekly", not None'),
    ("schedule", {**DAILY, "backup_type": None}, 'backup_type must be "dump" or "snapshot", not None'),
    ("schedule", {**DAILY, "minute": []}, "minute is required for 'daily'"),
    ("schedule", {**DAILY, "minute": 30}, "minute must be a list, not 30"),
    ("schedule", {**DAILY, "minute": [60]}, "each minute must be an integer from 0 to 59, not 60"),
    ("schedule", {**DAILY, "minute": [True]}, "each minute must be an integer from 0 to 59, not True"),
    ("schedule", {**DAILY, "hour": [24]}, "each hour must be an integer from 0 to 23, not 24"),
    ("schedule", {**DAILY, "hour": []}, "hour is required for 'daily'"),
    ("schedule", {**DAILY, "day": [0]}, "day is not valid for 'daily'"),
    ("schedule", {**DAILY, "interval": "hourly"}, "hour is not valid for 'hourly'"),
    ("schedule", {**DAILY, "interval": "weekly"}, "day is required for 'weekly'"),
    (
        "schedule",
        {**DAILY, "interval": "weekly", "day": [7]},
        r"each day \(0 is Monday\) must be an integer from 0 to 6, not 7",
    ),
    ("schedule", {**DAILY, "retention_time": 0}, "retention_time must be an integer of 1 or more, not 0"),
    ("schedule", {**DAILY, "retention_time": 1.5}, "retention_time must be an integer of 1 or more, not 1.5"),
    ("unschedule", {"schedule_id": "../x"}, "the schedule id must be one segment of a path"),
    ("restore", {"source_project_id": ""}, "source_project_id must be text that is not empty"),
    ("abort restore", {"restore_id": ""}, "the restore id must be one segment of a path"),
    ("logs", {"start_time": datetime(2026, 11, 1)}, "start_time must be a datetime with a time zone"),
    ("logs", {"end_time": "2026-11-01"}, "end_time must be a datetime with a time zone"),
    ("logs", {"start_time": NOON, "end_time": NOON}, "start_time must be before end_time"),
    (
        "logs",
        {"start_time": NOON, "end_time": NOON + timedelta(1), "duration": 60},
        "duration is not valid with both start_time and end_time",
    ),
    ("logs", {"duration": 0}, "duration must be an integer of 1 or more, not 0"),
    ("logs", {"line_limit": 2.5}, "line_limit must be an integer of 1 or more, not 2.5"),
    ("logs", {"direction": "up"}, 'direction must be "backward" or "forward", not \'up\''),
    ("restore logs", {"text_includes": ""}, "text_includes must be text that is not empty"),
    ("restore logs", {"container_name": 7}, "container_name must be text that is not empty"),
    ("wait", {"timeout": 0}, "timeout must be a number of seconds greater than 0, not 0"),
    ("wait", {"timeout": "60"}, "timeout must be a number of seconds greater than 0"),
    ("wait", {"timeout": True}, "timeout must be a number of seconds greater than 0, not True"),
    ("wait", {"timeout": math.inf}, "timeout must be a number of seconds greater than 0, not inf"),
    ("wait restore", {"restore_id": ""}, "the restore id must be one segment of a path"),
    ("volume", {"name": "1st"}, "name must be letters and digits, .* with a letter first"),
    ("volume", {"name": None}, "name is required"),
    ("volume", {"name": "nightly", "description": "a" * 201}, "description must have at most 200 characters, not 201"),
    ("volume", {"name": "nightly", "description": "<b>"}, "description must be letters, digits"),
    ("volume schedule", {**WEEKLY, "day": []}, "day is required for 'weekly'"),
    ("volume schedule", {**WEEKLY, "interval": "monthly"}, 'interval must be "hourly" or "daily" or "weekly"'),
    ("volume schedule", {**WEEKLY, "retention_time": 0}, "retention_time must be an integer of 1 or more, not 0"),
    ("volume unschedule", {"schedule_id": ""}, "the schedule id must be one segment of a path"),
    ("destination", {**DESTINATION, "name": "a:b:c"}, "name must be letters and digits"),
    ("destination", {**DESTINATION, "prefix": "a/b/"}, "prefix must be letters, digits, - and _ with one /"),
    ("destination", {**DESTINATION, "prefix": "northflank"}, "prefix must be letters, digits, - and _ with one /"),
    ("destination", {**DESTINATION, "prefix": None}, "prefix is required"),
    ("destination", {**DESTINATION, "credentials": {"accessKey": "x"}}, "must be DestinationCredentials, not dict"),
    (
        "destination",
        {**DESTINATION, "credentials": DestinationCredentials(access_key="x")},
        "the credentials' secret_key must be text",
    ),
    ("destination", {**DESTINATION, "credentials": None}, "credentials is required"),
    ("destination", {**DESTINATION, "credentials": evolve(KEYS, region=None)}, "the credentials' region must be text"),
    (
        "destination",
        {**DESTINATION, "credentials": evolve(IDENTITY, workload_identity_id=None)},
        "the credentials' workload_identity_id must be text",
    ),
    (
        "destination",
        {**DESTINATION, "credentials": evolve(KEYS, auth_mode="keys")},
        """the credentials' auth_mode must be "staticCreds" or "workloadIdentity", not 'keys'""",
    ),
    (
        "destination",
        {**DESTINATION, "credentials": evolve(KEYS, auth_mode="staticCreds", access_key=None)},
        "the credentials' access_key must be text",
    ),
    (
        "destination",
        {**DESTINATION, "credentials": evolve(KEYS, object_lock_retention_days=0)},
        "the credentials' object_lock_retention_days must be an integer of 1 or more",
    ),
    ("destination", {**DESTINATION, "usage": "backups"}, 'usage must be "globalBackups" or "containerSnapshots"'),
    ("destination", {**DESTINATION, "usage": None}, 'usage must be "globalBackups" or "containerSnapshots", not None'),
    ("update", {}, "nothing to change"),
]


@pytest.mark.parametrize(("call", "given", "message"), REJECTED, ids=[f"{row[0]}-{row[2][:40]}" for row in REJECTED])
async def test_an_invalid_argument_is_rejected_before_a_request_is_sent(
    call: str, given: dict[str, Any], message: str
) -> None:
    async with serve(lambda _: envelope({})) as server, server.client() as nf:
        with pytest.raises(ConfigurationError, match=message):
            await CALLS[call](nf, given)
        assert server.requests == []


@pytest.mark.parametrize(
    ("call", "given"),
    [
        ("backup", {"name": 7}),
        ("backup", {"name": "ab"}),
        ("backup", {"backup_type": "full"}),
        ("backup", {"additional_destinations": 7}),
        ("import", {"connection_string": "mongodb://x", "import_all_databases": 1}),
        ("schedule", {**DAILY, "retention_time": True}),
        ("unschedule", {"schedule_id": ".."}),
        ("logs", {"start_time": "2026-11-01"}),
        ("logs", {"text_includes": 7}),
        ("wait", {"timeout": -1}),
        ("destination", {**DESTINATION, "credentials": "key"}),
        ("update", {}),
    ],
)
async def test_an_invalid_argument_of_any_kind_is_a_value_error(call: str, given: dict[str, Any]) -> None:
    async with Northflank(TOKEN, base_url="http://127.0.0.1:1") as nf:
        with pytest.raises(ValueError, match=r"must|pass") as caught:
            await CALLS[call](nf, given)
        assert type(caught.value) is ConfigurationError


@pytest.mark.parametrize("call", ["logs", "restore logs"])
async def test_an_unknown_log_filter_is_a_type_error(call: str) -> None:
    async with Northflank(TOKEN, base_url="http://127.0.0.1:1") as nf:
        with pytest.raises(TypeError, match="'lines' is not a log filter: start_time, end_time, "):
            await CALLS[call](nf, {"lines": 100})


@pytest.mark.parametrize(
    ("names", "members"),
    [
        (BackupTypeName, BackupType),
        (CompressionTypeName, CompressionType),
        (DestinationUsageName, DestinationUsage),
        (ScheduleIntervalName, ScheduleInterval),
    ],
)
def test_the_literal_types_have_the_values_of_the_enums(names: Any, members: type[StrEnum]) -> None:
    assert list(get_args(names)) == list(members)


SENT: list[tuple[str, dict[str, Any], str, str, dict[str, Any] | None]] = [
    ("backup", {}, "POST", f"{ADDON}/backups", {}),
    (
        "backup",
        {"name": "Before 2/3 the upgrade", "additional_destinations": [OFFSITE]},
        "POST",
        f"{ADDON}/backups",
        {
            "name": "Before 2/3 the upgrade",
            "additionalDestinations": [{"destinationId": "offsite-bucket", "retentionTime": 7, "type": "custom"}],
        },
    ),
    (
        "backup",
        {"backup_type": "dump", "compression_type": "zstd", "custom_destination_id": "offsite-bucket"},
        "POST",
        f"{ADDON}/backups",
        {"backupType": "dump", "compressionType": "zstd", "customDestinationId": "offsite-bucket"},
    ),
    (
        "import",
        {
            "connection_string": "mongodb://mongodb0.example.com:27017",
            "name": "Example Backup",
            "compression_type": "gz",
        },
        "POST",
        f"{ADDON}/import",
        {
            "name": "Example Backup",
            "connectionString": "mongodb://mongodb0.example.com:27017",
            "compressionType": "gz",
        },
    ),
    ("import", {"url": "https://x/y.gz"}, "POST", f"{ADDON}/import", {"importUrl": "https://x/y.gz"}),
    (
        "schedule",
        {"interval": "weekly", "minute": (30,), "hour": [18], "day": range(4, 6), "backup_type": "snapshot",
         "retention_time": 7, "additional_destinations": [OFFSITE]},
        "POST",
        f"{ADDON}/backup-schedules",
        {
            "scheduling": {"interval": "weekly", "minute": [30], "hour": [18], "day": [4, 5]},
            "backupType": "snapshot",
            "additionalDestinations": [{"destinationId": "offsite-bucket", "retentionTime": 7, "type": "custom"}],
            "retentionTime": 7,
        },
    ),
    (
        "schedule",
        {"interval": "hourly", "minute": [0, 30], "backup_type": "dump", "retention_time": 1},
        "POST",
        f"{ADDON}/backup-schedules",
        {"scheduling": {"interval": "hourly", "minute": [0, 30]}, "backupType": "dump", "retentionTime": 1},
    ),
    (
        "backup",
        {"backup_type": BackupType.DUMP, "compression_type": CompressionType.ZSTD},
        "POST",
        f"{ADDON}/backups",
        {"backupType": "dump", "compressionType": "zstd"},
    ),
    (
        "schedule",
        {**DAILY, "interval": ScheduleInterval.DAILY},
        "POST",
        f"{ADDON}/backup-schedules",
        {
            "scheduling": {"interval": "daily", "minute": [30], "hour": [3]},
            "backupType": "dump",
            "retentionTime": 7,
        },
    ),
    (
        "abort restore",
        {"restore_id": "66845073ce75649ad18635f0", "source_project_id": "q", "source_addon_id": "b"},
        "POST",
        f"{BACKUP}/abort-restore?sourceProjectId=q&sourceAddonId=b",
        {"restoreId": "66845073ce75649ad18635f0"},
    ),
    (
        "volume schedule",
        WEEKLY,
        "POST",
        f"{VOLUME}/backup-schedules",
        {"scheduling": {"interval": "weekly", "minute": [30], "hour": [18], "day": [4]}, "retentionTime": 7},
    ),
    ("volume unschedule", {"schedule_id": "s"}, "DELETE", f"{VOLUME}/backup-schedules/s", None),
    ("volume", {"name": "Example Backup"}, "POST", f"{VOLUME}/backups", {"name": "Example Backup"}),
    (
        "destination",
        DESTINATION,
        "POST",
        "/v1/backup-destinations",
        {
            "name": "Off site",
            "type": "s3",
            "usage": "globalBackups",
            "prefix": "northflank/",
            "credentials": {
                "accessKey": "AKIAIOSFODNN7EXAMPLE",
                "secretKey": "wJalrXUtnFEMI/K7MDENG",
                "bucketName": "backups",
                "region": "us-west-2",
                "endpoint": "s3.us-west-2.amazonaws.com",
            },
        },
    ),
    (
        "destination",
        {**DESTINATION, "usage": DestinationUsage.CONTAINER_SNAPSHOTS, "credentials": IDENTITY},
        "POST",
        "/v1/backup-destinations",
        {
            "name": "Off site",
            "type": "s3",
            "usage": "containerSnapshots",
            "prefix": "northflank/",
            "credentials": {
                "authMode": "workloadIdentity",
                "workloadIdentityId": "exporter",
                "bucketName": "backups",
                "region": "us-west-2",
                "endpoint": "s3.us-west-2.amazonaws.com",
                "enableObjectLock": True,
                "objectLockRetentionDays": 30,
            },
        },
    ),
    ("update", {"description": "Off site"}, "PATCH", "/v1/backup-destinations/d", {"description": "Off site"}),
]  # fmt: skip


@pytest.mark.parametrize(("call", "given", "method", "path", "body"), SENT)
async def test_arguments_are_sent_as_documented(
    call: str, given: dict[str, Any], method: str, path: str, body: dict[str, Any] | None
) -> None:
    everything = {**backup(1), "name": "n"}
    async with serve(lambda _: envelope(everything)) as server, server.client() as nf:
        await CALLS[call](nf, given)
        (request,) = server.requests
        assert (request.method, request.path_qs) == (method, path)
        assert json.loads(await request.read() or b"null") == body


async def test_a_change_without_a_body_sends_none() -> None:
    async with serve(lambda _: envelope({"restoreId": "r"})) as server, server.client() as nf:
        resource = nf.project("p").addon("a").backup("b")
        assert await resource.restore(source_project_id="q", source_addon_id="c") == "r"
        await resource.abort()
        await resource.retain()
        await resource.delete()
        sent = [(request.method, request.path_qs, await request.read()) for request in server.requests]
    assert sent == [
        ("POST", f"{BACKUP}/restore?sourceProjectId=q&sourceAddonId=c", b""),
        ("POST", f"{BACKUP}/abort", b""),
        ("POST", f"{BACKUP}/retain", b""),
        ("DELETE", BACKUP, b""),
    ]


async def test_log_filters_are_sent_in_the_notation_of_the_api() -> None:
    async with serve(lambda _: envelope([])) as server, server.client() as nf:
        resource = nf.project("p").addon("a").backup("b")
        await resource.logs(
            start_time=datetime(2026, 11, 1, 13, tzinfo=timezone(timedelta(hours=1))),
            duration=60, line_limit=5, direction="forward", text_includes="a", text_not_includes="b",
            regex_includes="c+", regex_not_includes="d|e", container_name="f",
        )  # fmt: skip
        await resource.restore_logs("r")
        first, second = server.requests
    assert dict(first.query) == {
        "queryType": "range", "startTime": "2026-11-01T12:00:00.000Z", "duration": "60", "lineLimit": "5",
        "direction": "forward", "textIncludes": "a", "textNotIncludes": "b", "regexIncludes": "c+",
        "regexNotIncludes": "d|e", "containerName": "f",
    }  # fmt: skip
    assert second.path_qs == f"{BACKUP}/restores/r/logs?queryType=range"


async def test_an_import_returns_the_backup_if_the_response_contains_it() -> None:
    responses = iter([backup(1), {}, {"id": "x"}])
    async with serve(lambda _: envelope(next(responses))) as server, server.client() as nf:
        addon = nf.project("p").addon("a")
        backups = [await addon.import_backup(url="https://x/y.gz") for _ in range(3)]
    assert [imported and imported.id for imported in backups] == ["b1", None, "x"]


PATTERN = re.compile(r"^[a-zA-Z0-9]+((-|\s|\/|:)[a-zA-Z0-9]+)*\Z")


@given(st.text(st.sampled_from("aZ09-/: _\n\t"), max_size=41))
def test_a_name_is_accepted_if_it_matches_the_documented_pattern_and_length(name: str) -> None:
    nothing: Any = {"backup_type": None, "compression_type": None, "custom_destination_id": None}
    documented = bool(PATTERN.match(name)) and 3 <= len(name) <= 39
    try:
        assert backup_body(name=name, additional_destinations=(), **nothing) == {"name": name}
        accepted = True
    except ConfigurationError:
        accepted = False
    assert accepted == documented


async def test_no_rejection_shows_a_secret() -> None:
    async with Northflank(TOKEN, base_url="http://127.0.0.1:1") as nf:
        rejected: list[dict[str, Any]] = [
            {"url": "ftp://user:hunter22@x"},
            {"url": "https://h/hunter22", "compression_type": "gz"},
        ]
        for arguments in rejected:
            with pytest.raises(ConfigurationError) as caught:
                await nf.project("p").addon("a").import_backup(**arguments)
            assert "hunter22" not in str(caught.value)
