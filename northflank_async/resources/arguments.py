"""The documented rules for what callers pass, checked before anything is sent, and the JSON that comes of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import attrs

from northflank_async.errors import ConfigurationError
from northflank_async.http.redaction import Secret
from northflank_async.records import (
    BackupDestination,
    BackupType,
    CompressionType,
    DestinationCredentials,
    DestinationType,
    ScheduleInterval,
    StorageType,
    unstructure,
)

_SLUG = re.compile(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*")
_BACKUP_NAME = re.compile(r"[a-zA-Z0-9]+([-\s/:][a-zA-Z0-9]+)*")
_VOLUME_BACKUP_NAME = re.compile(r"[a-zA-Z]([-\s]?[a-zA-Z0-9]+([-\s][a-zA-Z0-9]+)*)?")
_DESTINATION_NAME = re.compile(r"[a-zA-Z0-9]+([-\s][a-zA-Z0-9]+)*")
_DESCRIPTION = re.compile(r"[a-zA-Z0-9.,?\s\\/'\"()\[\];`%^&*\-_:!]+")
_PREFIX = re.compile(r"[a-zA-Z0-9_-]+/")
_DIRECTIONS = ("backward", "forward")
_TIMES = {"minute": 59, "hour": 23, "day": 6}
_TIMES_OF = {
    ScheduleInterval.HOURLY: ("minute",),
    ScheduleInterval.DAILY: ("minute", "hour"),
    ScheduleInterval.WEEKLY: ("minute", "hour", "day"),
}


def hidden(value: str | None) -> Any:
    """Text that is not to be seen in a repr or an error; what is no text is refused later."""
    return Secret(value) if isinstance(value, str) else value


def backup_body(
    *,
    name: str | None,
    backup_type: str | None,
    compression_type: str | None,
    custom_destination_id: str | None,
    additional_destinations: Iterable[BackupDestination],
) -> dict[str, Any]:
    """What a backup is asked for with."""
    _check_text("name", name, _BACKUP_NAME, "letters and digits, with single - / : or spaces between", 3, 39)
    return _present(
        name=name,
        **_storage(backup_type, compression_type, custom_destination_id, additional_destinations),
    )


def schedule_body(
    *,
    interval: str,
    minute: Iterable[int],
    hour: Iterable[int],
    day: Iterable[int],
    backup_type: str,
    retention_time: int,
    compression_type: str | None,
    custom_destination_id: str | None,
    additional_destinations: Iterable[BackupDestination],
) -> dict[str, Any]:
    """What a schedule is created with."""
    if backup_type is None:
        raise ConfigurationError('backup_type must be "dump" or "snapshot" for a schedule')
    _check_days("retention_time", retention_time)
    return _present(
        scheduling=_scheduling(interval, {"minute": minute, "hour": hour, "day": day}),
        **_storage(backup_type, compression_type, custom_destination_id, additional_destinations),
        retentionTime=retention_time,
    )


def import_body(
    *,
    url: str | None,
    connection_string: str | None,
    name: str | None,
    import_all_databases: bool | None,
    compression_type: str | None,
    custom_destination_id: str | None,
) -> dict[str, Any]:
    """What a backup is imported with: from where, and the options that go with that."""
    if (url is None) == (connection_string is None):
        raise ConfigurationError("an import is from a url or from a connection_string: pass one of them")
    for argument, value in (("url", url), ("connection_string", connection_string)):
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise ConfigurationError(f"{argument} must be text that is not empty")
    if url is not None:
        if not re.match(r"https?://[^/\s]", url):
            raise ConfigurationError("url must begin with https:// or http://")
        for argument, option in (
            ("import_all_databases", import_all_databases),
            ("compression_type", compression_type),
        ):
            if option is not None:
                raise ConfigurationError(f"{argument} is for an import from a connection_string, not from a url")
    if import_all_databases is not None and not isinstance(import_all_databases, bool):
        raise ConfigurationError(f"import_all_databases must be True or False, not {import_all_databases!r}")
    _check_text("name", name, _BACKUP_NAME, "letters and digits, with single - / : or spaces between", 3, 39)
    _check_choice("compression_type", compression_type, CompressionType)
    _check_destination_id("custom_destination_id", custom_destination_id)
    return _present(
        name=name,
        importUrl=url,
        connectionString=connection_string,
        importAllDatabases=import_all_databases,
        compressionType=compression_type,
        customDestinationId=custom_destination_id,
    )


def volume_backup_body(*, name: str, description: str | None) -> dict[str, Any]:
    """What a volume's backup is asked for with."""
    _require("name", name)
    rule = "letters and digits that begin with a letter, with single - or spaces between"
    _check_text("name", name, _VOLUME_BACKUP_NAME, rule, 3, 39)
    _check_description(description)
    return _present(name=name, description=description)


def destination_body(
    *, name: str, prefix: str, credentials: DestinationCredentials | None, description: str | None
) -> dict[str, Any]:
    """What a backup destination is created with."""
    _require("name", name)
    _require("prefix", prefix)
    _check_text("prefix", prefix, _PREFIX, "letters, digits, - and _ with one / at the end")
    return {"type": StorageType.S3.value, "prefix": prefix, **_destination(name, description, credentials)}


def destination_changes(
    *, name: str | None, description: str | None, credentials: DestinationCredentials | None
) -> dict[str, Any]:
    """What is to be changed of a backup destination."""
    changes = _destination(name, description, credentials)
    if not changes:
        raise ConfigurationError("there is nothing to change: pass a name, a description or credentials")
    return changes


def log_query(
    *,
    start_time: datetime | None,
    end_time: datetime | None,
    duration: int | None,
    line_limit: int | None,
    direction: str | None,
    text_includes: str | None,
    text_not_includes: str | None,
    regex_includes: str | None,
    regex_not_includes: str | None,
    container_name: str | None,
) -> dict[str, Any]:
    """Which lines of a log are asked for."""
    for argument, time in (("start_time", start_time), ("end_time", end_time)):
        if time is not None and (not isinstance(time, datetime) or time.tzinfo is None):
            raise ConfigurationError(f"{argument} must be a datetime with a time zone, not {time!r}")
    for argument, number in (("duration", duration), ("line_limit", line_limit)):
        if number is not None and not _is_whole(number, 1):
            raise ConfigurationError(f"{argument} must be a whole number from 1, not {number!r}")
    if duration is not None and start_time is not None and end_time is not None:
        raise ConfigurationError("duration goes with start_time or with end_time, not with both")
    if start_time is not None and end_time is not None and start_time >= end_time:
        raise ConfigurationError("start_time must be before end_time")
    if direction is not None and direction not in _DIRECTIONS:
        raise ConfigurationError(f'direction must be "backward" or "forward", not {direction!r}')
    texts = {
        "text_includes": text_includes,
        "text_not_includes": text_not_includes,
        "regex_includes": regex_includes,
        "regex_not_includes": regex_not_includes,
        "container_name": container_name,
    }
    for argument, text in texts.items():
        if text is not None and (not isinstance(text, str) or not text):
            raise ConfigurationError(f"{argument} must be text that is not empty, not {text!r}")
    return {
        "queryType": "range",
        "startTime": _timestamp(start_time),
        "endTime": _timestamp(end_time),
        "duration": duration,
        "lineLimit": line_limit,
        "direction": direction,
        "textIncludes": text_includes,
        "textNotIncludes": text_not_includes,
        "regexIncludes": regex_includes,
        "regexNotIncludes": regex_not_includes,
        "containerName": container_name,
    }


def source_query(source_project_id: str | None, source_addon_id: str | None) -> dict[str, Any]:
    """Where a global backup comes from."""
    for argument, value in (("source_project_id", source_project_id), ("source_addon_id", source_addon_id)):
        if value is not None and (not isinstance(value, str) or not value):
            raise ConfigurationError(f"{argument} must be an id, not {value!r}")
    return {"sourceProjectId": source_project_id, "sourceAddonId": source_addon_id}


def _storage(
    backup_type: str | None,
    compression_type: str | None,
    custom_destination_id: str | None,
    additional_destinations: Iterable[BackupDestination],
) -> dict[str, Any]:
    """How and where a backup is stored: a dump is compressed, a snapshot has more than one destination."""
    _check_choice("backup_type", backup_type, BackupType)
    _check_choice("compression_type", compression_type, CompressionType)
    _check_destination_id("custom_destination_id", custom_destination_id)
    destinations = [
        _additional_destination(item) for item in _items("additional_destinations", additional_destinations)
    ]
    if backup_type == BackupType.DUMP:
        if destinations:
            raise ConfigurationError(
                'additional_destinations are for backup_type="snapshot"; a dump has one destination'
            )
    else:
        for argument, value in (
            ("compression_type", compression_type),
            ("custom_destination_id", custom_destination_id),
        ):
            if value is not None:
                raise ConfigurationError(f'{argument} is for backup_type="dump", not for a snapshot')
    return _present(
        backupType=backup_type,
        compressionType=compression_type,
        customDestinationId=custom_destination_id,
        additionalDestinations=destinations or None,
    )


def _additional_destination(destination: BackupDestination) -> dict[str, Any]:
    if not isinstance(destination, BackupDestination):
        raise ConfigurationError(
            f"additional_destinations must be BackupDestination records, not {type(destination).__name__}"
        )
    _check_destination_id("destination_id", destination.destination_id)
    _check_choice("type", destination.type, DestinationType)
    if destination.retention_time is not None:
        _check_days("retention_time", destination.retention_time)
    body: dict[str, Any] = unstructure(destination)
    return {**body, "type": destination.type or DestinationType.CUSTOM.value}


def _scheduling(interval: str, times: Mapping[str, Iterable[int]]) -> dict[str, Any]:
    if interval is None:
        raise ConfigurationError("interval must be one of hourly, daily, weekly")
    _check_choice("interval", interval, ScheduleInterval)
    scheduling: dict[str, Any] = {"interval": interval}
    for argument, values in times.items():
        numbers = list(_items(argument, values))
        belongs = argument in _TIMES_OF[ScheduleInterval(interval)]
        if bool(numbers) != belongs:
            raise ConfigurationError(f"{argument} {'is needed' if belongs else 'has no meaning'} for {interval!r}")
        last = _TIMES[argument]
        for number in numbers:
            if not _is_whole(number, 0) or number > last:
                meaning = " (0 is Monday)" if argument == "day" else ""
                raise ConfigurationError(f"{argument} must be whole numbers from 0 to {last}{meaning}, not {number!r}")
        if numbers:
            scheduling[argument] = numbers
    return scheduling


def _destination(
    name: str | None, description: str | None, credentials: DestinationCredentials | None
) -> dict[str, Any]:
    _check_text("name", name, _DESTINATION_NAME, "letters and digits, with single - or spaces between", 3, 100)
    _check_description(description)
    return _present(
        name=name,
        description=description,
        credentials=None if credentials is None else _credentials(credentials),
    )


def _credentials(credentials: DestinationCredentials) -> dict[str, Any]:
    if not isinstance(credentials, DestinationCredentials):
        raise ConfigurationError(f"credentials must be DestinationCredentials, not {type(credentials).__name__}")
    for field in attrs.fields(DestinationCredentials):
        value = getattr(credentials, field.name)
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"the credentials' {field.name} must be text that is not empty")
    keys = {
        name: hidden(value)
        for name, value in (("accessKey", credentials.access_key), ("secretKey", credentials.secret_key))
    }
    return {**unstructure(credentials), **keys}


def _check_text(
    argument: str, value: str | None, pattern: re.Pattern[str], rule: str, least: int = 0, most: int | None = None
) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise ConfigurationError(f"{argument} must be text, not {type(value).__name__}")
    if len(value) < least or (most is not None and len(value) > most):
        lengths = f"{least} to {most}" if least else f"at most {most}"
        raise ConfigurationError(f"{argument} must have {lengths} characters, not {len(value)}")
    if not pattern.fullmatch(value):
        raise ConfigurationError(f"{argument} must be {rule}, not {value!r}")


def _check_description(description: str | None) -> None:
    rule = "letters, digits, spaces and . , ? \\ / ' \" ( ) [ ] ; ` % ^ & * - _ : !"
    _check_text("description", description, _DESCRIPTION, rule, 0, 200)


def _check_destination_id(argument: str, value: str | None) -> None:
    _check_text(argument, value, _SLUG, "letters and digits, with single - between", 3, 100)


def _check_days(argument: str, value: int) -> None:
    if not _is_whole(value, 1):
        raise ConfigurationError(f"{argument} must be a whole number of days from 1, not {value!r}")


def _check_choice(argument: str, value: str | None, choices: type[StrEnum]) -> None:
    if value is not None and value not in list(choices):
        known = " or ".join(f'"{choice}"' for choice in choices)
        raise ConfigurationError(f"{argument} must be {known}, not {value!r}")


def _require(argument: str, value: Any) -> None:
    if value is None:
        raise ConfigurationError(f"{argument} is needed")


def _items(argument: str, values: Iterable[Any]) -> Sequence[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigurationError(f"{argument} must be a list, not {values!r}")
    return list(values)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _timestamp(time: datetime | None) -> str | None:
    """As the API writes its times."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
