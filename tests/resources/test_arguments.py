"""What a call refuses before anything is sent, and what it sends of its arguments."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from northflank_async import BackupDestination, ConfigurationError, DestinationCredentials, Northflank
from northflank_async.resources.arguments import backup_body
from tests.support.destinations import KEYS, OFFSITE
from tests.support.scripted_server import TOKEN, backup, envelope, serve

DAILY: dict[str, Any] = {"interval": "daily", "minute": [30], "hour": [3], "backup_type": "dump", "retention_time": 7}
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
    "destination": lambda nf, given: nf.create_backup_destination(**given),
    "update": lambda nf, given: nf.backup_destination("d").update(**given),
}
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DESTINATION = {"name": "Off site", "prefix": "northflank/", "credentials": KEYS}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("backup", {"name": "ab"}, "name must have 3 to 39 characters, not 2"),
    ("backup", {"name": "a" * 40}, "name must have 3 to 39 characters, not 40"),
    ("backup", {"name": "night__ly"}, "name must be letters and digits"),
    ("backup", {"name": "nightly\n"}, "name must be letters and digits"),
    ("backup", {"name": 7}, "name must be text, not int"),
    ("backup", {"backup_type": "copy"}, 'backup_type must be "dump" or "snapshot", not \'copy\''),
    ("backup", {"backup_type": "dump", "compression_type": "xz"}, 'compression_type must be "gz" or "zstd"'),
    ("backup", {"compression_type": "gz"}, 'compression_type is for backup_type="dump"'),
    ("backup", {"backup_type": "snapshot", "compression_type": "gz"}, 'compression_type is for backup_type="dump"'),
    ("backup", {"custom_destination_id": "offsite-bucket"}, 'custom_destination_id is for backup_type="dump"'),
    ("backup", {"backup_type": "dump", "custom_destination_id": "a--b"}, "custom_destination_id must be letters"),
    ("backup", {"backup_type": "dump", "custom_destination_id": "ab"}, "custom_destination_id must have 3 to 100"),
    ("backup", {"backup_type": "dump", "additional_destinations": [OFFSITE]}, "additional_destinations are for"),
    ("backup", {"additional_destinations": "offsite-bucket"}, "additional_destinations must be a list"),
    ("backup", {"additional_destinations": ["offsite"]}, "must be BackupDestination records, not str"),
    ("backup", {"additional_destinations": [BackupDestination(destination_id="a b")]}, "destination_id must be"),
    (
        "backup",
        {"additional_destinations": [BackupDestination(destination_id="abc", retention_time=0)]},
        "retention_time must be a whole number of days from 1, not 0",
    ),
    (
        "backup",
        {"additional_destinations": [BackupDestination(destination_id="abc", type="s3")]},
        'type must be "custom"',
    ),
    ("import", {}, "pass one of them"),
    ("import", {"url": "https://x/y.gz", "connection_string": "mongodb://x"}, "pass one of them"),
    ("import", {"url": ""}, "url must be text that is not empty"),
    ("import", {"connection_string": 7}, "connection_string must be text that is not empty"),
    ("import", {"url": "ftp://x/y.gz"}, "url must begin with https"),
    (
        "import",
        {"url": "https://x/y.gz", "import_all_databases": True},
        "import_all_databases is for an import from a con",
    ),
    ("import", {"url": "https://x/y.gz", "compression_type": "gz"}, "compression_type is for an import from a con"),
    ("import", {"connection_string": "mongodb://x", "import_all_databases": 1}, "must be True or False, not 1"),
    ("import", {"connection_string": "mongodb://x", "name": "a"}, "name must have 3 to 39"),
    ("schedule", {**DAILY, "interval": "monthly"}, 'interval must be "hourly" or "daily" or "weekly"'),
    ("schedule", {**DAILY, "interval": None}, "interval must be one of"),
    ("schedule", {**DAILY, "backup_type": None}, "backup_type must be"),
    ("schedule", {**DAILY, "minute": []}, "minute is needed for 'daily'"),
    ("schedule", {**DAILY, "minute": 30}, "minute must be a list, not 30"),
    ("schedule", {**DAILY, "minute": [60]}, "minute must be whole numbers from 0 to 59, not 60"),
    ("schedule", {**DAILY, "minute": [True]}, "minute must be whole numbers"),
    ("schedule", {**DAILY, "hour": [24]}, "hour must be whole numbers from 0 to 23, not 24"),
    ("schedule", {**DAILY, "hour": []}, "hour is needed for 'daily'"),
    ("schedule", {**DAILY, "day": [0]}, "day has no meaning for 'daily'"),
    ("schedule", {**DAILY, "interval": "hourly"}, "hour has no meaning for 'hourly'"),
    ("schedule", {**DAILY, "interval": "weekly"}, "day is needed for 'weekly'"),
    ("schedule", {**DAILY, "interval": "weekly", "day": [7]}, r"day must be .* 0 to 6 \(0 is Monday\), not 7"),
    ("schedule", {**DAILY, "retention_time": 0}, "retention_time must be a whole number of days from 1, not 0"),
    ("schedule", {**DAILY, "retention_time": 1.5}, "retention_time must be a whole number of days"),
    ("unschedule", {"schedule_id": "../x"}, "the schedule id must be one part of a path"),
    ("restore", {"source_project_id": ""}, "source_project_id must be an id"),
    ("abort restore", {"restore_id": ""}, "the restore id must be one part of a path"),
    ("logs", {"start_time": datetime(2026, 11, 1)}, "start_time must be a datetime with a time zone"),
    ("logs", {"end_time": "2026-11-01"}, "end_time must be a datetime with a time zone"),
    ("logs", {"start_time": NOON, "end_time": NOON}, "start_time must be before end_time"),
    ("logs", {"start_time": NOON, "end_time": NOON + timedelta(1), "duration": 60}, "duration goes with start_time or"),
    ("logs", {"duration": 0}, "duration must be a whole number from 1, not 0"),
    ("logs", {"line_limit": 2.5}, "line_limit must be a whole number from 1, not 2.5"),
    ("logs", {"direction": "up"}, 'direction must be "backward" or "forward", not \'up\''),
    ("restore logs", {"text_includes": ""}, "text_includes must be text that is not empty"),
    ("restore logs", {"container_name": 7}, "container_name must be text that is not empty"),
    ("wait", {"timeout": 0}, "timeout must be more than 0 seconds, not 0"),
    ("wait", {"timeout": "60"}, "timeout must be more than 0 seconds"),
    ("wait restore", {"restore_id": ""}, "the restore id must be one part of a path"),
    ("volume", {"name": "1st"}, "name must be letters and digits that begin with a letter"),
    ("volume", {"name": None}, "name is needed"),
    ("volume", {"name": "nightly", "description": "a" * 201}, "description must have at most 200 characters, not 201"),
    ("volume", {"name": "nightly", "description": "<b>"}, "description must be letters, digits"),
    ("destination", {**DESTINATION, "name": "a:b:c"}, "name must be letters and digits"),
    ("destination", {**DESTINATION, "prefix": "a/b/"}, "prefix must be letters, digits, - and _ with one /"),
    ("destination", {**DESTINATION, "prefix": "northflank"}, "prefix must be letters, digits, - and _ with one /"),
    ("destination", {**DESTINATION, "prefix": None}, "prefix is needed"),
    ("destination", {**DESTINATION, "credentials": {"accessKey": "x"}}, "must be DestinationCredentials, not dict"),
    ("destination", {**DESTINATION, "credentials": DestinationCredentials(access_key="x")}, "secret_key must be text"),
    ("update", {}, "there is nothing to change"),
]


@pytest.mark.parametrize(("call", "given", "message"), REFUSED, ids=[f"{row[0]}-{row[2][:40]}" for row in REFUSED])
async def test_what_is_not_as_documented_is_refused_before_anything_is_sent(
    call: str, given: dict[str, Any], message: str
) -> None:
    async with serve(lambda _: envelope({})) as server, server.client() as nf:
        with pytest.raises(ConfigurationError, match=message):
            await CALLS[call](nf, given)
        assert server.requests == []


SENT: list[tuple[str, dict[str, Any], str, str, dict[str, Any]]] = [
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
        "abort restore",
        {"restore_id": "66845073ce75649ad18635f0", "source_project_id": "q", "source_addon_id": "b"},
        "POST",
        f"{BACKUP}/abort-restore?sourceProjectId=q&sourceAddonId=b",
        {"restoreId": "66845073ce75649ad18635f0"},
    ),
    ("volume", {"name": "Example Backup"}, "POST", f"{VOLUME}/backups", {"name": "Example Backup"}),
    (
        "destination",
        DESTINATION,
        "POST",
        "/v1/backup-destinations",
        {
            "name": "Off site",
            "type": "s3",
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
    ("update", {"description": "Off site"}, "PATCH", "/v1/backup-destinations/d", {"description": "Off site"}),
]  # fmt: skip


@pytest.mark.parametrize(("call", "given", "method", "path", "body"), SENT)
async def test_what_is_given_is_sent_as_it_is_documented(
    call: str, given: dict[str, Any], method: str, path: str, body: dict[str, Any]
) -> None:
    everything = {**backup(1), "name": "n"}
    async with serve(lambda _: envelope(everything)) as server, server.client() as nf:
        await CALLS[call](nf, given)
        (request,) = server.requests
        assert (request.method, request.path_qs) == (method, path)
        assert json.loads(await request.read()) == body


async def test_a_change_without_a_body_sends_none() -> None:
    async with serve(lambda _: envelope({"restoreId": "r"})) as server, server.client() as nf:
        made = nf.project("p").addon("a").backup("b")
        assert await made.restore(source_project_id="q", source_addon_id="c") == "r"
        await made.abort()
        await made.retain()
        await made.delete()
        sent = [(request.method, request.path_qs, await request.read()) for request in server.requests]
    assert sent == [
        ("POST", f"{BACKUP}/restore?sourceProjectId=q&sourceAddonId=c", b""),
        ("POST", f"{BACKUP}/abort", b""),
        ("POST", f"{BACKUP}/retain", b""),
        ("DELETE", BACKUP, b""),
    ]


async def test_a_log_is_asked_for_with_times_as_the_api_writes_them() -> None:
    async with serve(lambda _: envelope([])) as server, server.client() as nf:
        made = nf.project("p").addon("a").backup("b")
        await made.logs(
            start_time=datetime(2026, 11, 1, 13, tzinfo=timezone(timedelta(hours=1))),
            duration=60, line_limit=5, direction="forward", text_includes="a", text_not_includes="b",
            regex_includes="c+", regex_not_includes="d|e", container_name="f",
        )  # fmt: skip
        await made.restore_logs("r")
        first, second = server.requests
    assert dict(first.query) == {
        "queryType": "range", "startTime": "2026-11-01T12:00:00.000Z", "duration": "60", "lineLimit": "5",
        "direction": "forward", "textIncludes": "a", "textNotIncludes": "b", "regexIncludes": "c+",
        "regexNotIncludes": "d|e", "containerName": "f",
    }  # fmt: skip
    assert second.path_qs == f"{BACKUP}/restores/r/logs?queryType=range"


async def test_an_import_gives_the_backup_where_the_api_answers_with_it() -> None:
    answers = iter([backup(1), {}, {"id": "x"}])
    async with serve(lambda _: envelope(next(answers))) as server, server.client() as nf:
        addon = nf.project("p").addon("a")
        made = [await addon.import_backup(url="https://x/y.gz") for _ in range(3)]
    assert [found and found.id for found in made] == ["b1", None, None]


PATTERN = re.compile(r"^[a-zA-Z0-9]+((-|\s|\/|:)[a-zA-Z0-9]+)*\Z")


@given(st.text(st.sampled_from("aZ09-/: _\n\t"), max_size=41))
def test_a_name_is_accepted_where_the_documented_pattern_and_lengths_accept_it(name: str) -> None:
    nothing: Any = {"backup_type": None, "compression_type": None, "custom_destination_id": None}
    documented = bool(PATTERN.match(name)) and 3 <= len(name) <= 39
    try:
        assert backup_body(name=name, additional_destinations=(), **nothing) == {"name": name}
        accepted = True
    except ConfigurationError:
        accepted = False
    assert accepted == documented


async def test_no_refusal_shows_a_secret() -> None:
    async with Northflank(TOKEN, base_url="http://127.0.0.1:1") as nf:
        for given_ in ({"url": "ftp://user:hunter22@x"}, {"url": "https://h/hunter22", "compression_type": "gz"}):
            with pytest.raises(ConfigurationError) as caught:
                await nf.project("p").addon("a").import_backup(**given_)
            assert "hunter22" not in str(caught.value)
