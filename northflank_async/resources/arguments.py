"""Check callers' arguments by the documented rules, and build request bodies and queries from them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import attrs

from northflank_async.errors import ConfigurationError
from northflank_async.http.redaction import as_secret
from northflank_async.records import (
    AddonSource,
    AuthMode,
    BackupDestination,
    BackupType,
    BackupTypeName,
    CompressionTypeName,
    DestinationCredentials,
    DestinationType,
    DestinationUsageName,
    ScheduleIntervalName,
    SourceBackupType,
    StorageType,
    TypeSpecificSettings,
    unstructure,
)
from northflank_async.validation import check_boolean, check_choice, check_integer


@attrs.frozen
class _TextRule:
    """A documented pattern, a description of it for error messages, and the limits of the length."""

    pattern: str
    description: str
    min_length: int = 0
    max_length: int | None = None


_BACKUP_NAME = _TextRule(
    r"[a-zA-Z0-9]+([-\s/:][a-zA-Z0-9]+)*", "letters and digits, separated by single spaces or - / :", 3, 39
)
_NAME = _TextRule(
    r"[a-zA-Z]([-\s]?[a-zA-Z0-9]+([-\s][a-zA-Z0-9]+)*)?",
    "letters and digits, separated by single spaces or -, with a letter first",
    3,
    39,
)
_DESTINATION_NAME = _TextRule(
    r"[a-zA-Z0-9]+([-\s][a-zA-Z0-9]+)*", "letters and digits, separated by single spaces or -", 3, 100
)
_SLUG = _TextRule(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*", "letters and digits, separated by single -", 3, 100)
_STORAGE_CLASS = _TextRule(
    r"[a-zA-Z](-?[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*)?",
    "letters and digits, separated by single -, with a letter first",
    3,
    39,
)
_ID = _TextRule(r"[A-Za-z0-9-]+", "letters, digits and -")
_UID = _TextRule(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "a UUID")
_DESCRIPTION = _TextRule(
    r"[a-zA-Z0-9.,?\s\\/'\"()\[\];`%^&*\-_:!]+",
    "letters, digits, spaces and . , ? \\ / ' \" ( ) [ ] ; ` % ^ & * - _ : !",
    max_length=200,
)
_PREFIX = _TextRule(r"[a-zA-Z0-9_-]+/", "letters, digits, - and _ with one / at the end")

_URL = _TextRule(r"https?://[^/\s][\s\S]*", "a URL that begins with https:// or http://")
_CONNECTION_STRING = _TextRule(r"\s*\S[\s\S]*", "text that is not blank")

_SCHEDULE_TIMES = {"minute": ("each minute", 59), "hour": ("each hour", 23), "day": ("each day (0 is Monday)", 6)}
"""For each time of a schedule: its name in error messages, and its greatest value."""
_REQUIRED_TIMES = {"hourly": ["minute"], "daily": ["minute", "hour"], "weekly": ["minute", "hour", "day"]}


def addon_body(
    *,
    name: str,
    addon_type: str,
    version: str,
    deployment_plan: str,
    storage: int,
    replicas: int,
    storage_class: str | None,
    source: AddonSource | None,
    description: str | None,
    tags: Iterable[str],
    tls_enabled: bool | None,
    external_access_enabled: bool | None,
    type_specific_settings: TypeSpecificSettings | None,
) -> dict[str, Any]:
    """Build the create-addon request body."""
    _check_given("name", name)
    _check_text("name", name, _NAME)
    check_not_empty("addon_type", addon_type)
    check_not_empty("version", version)
    _check_given("deployment_plan", deployment_plan)
    _check_text("deployment_plan", deployment_plan, _SLUG)
    check_integer("storage", storage, 1)
    check_integer("replicas", replicas, 1)
    _check_text("storage_class", storage_class, _STORAGE_CLASS)
    _check_text("description", description, _DESCRIPTION)
    names = _items("tags", tags)
    for tag in names:
        _check_given("each tag", tag)
        _check_text("each tag", tag, _SLUG)
    for argument, value in (("tls_enabled", tls_enabled), ("external_access_enabled", external_access_enabled)):
        if value is not None:
            check_boolean(argument, value)
    return _without_none(
        name=name,
        description=description,
        tags=names or None,
        type=addon_type,
        version=version,
        billing=_without_none(
            deploymentPlan=deployment_plan, storageClass=storage_class, storage=storage, replicas=replicas
        ),
        source=None if source is None else _addon_source(source),
        tlsEnabled=tls_enabled,
        externalAccessEnabled=external_access_enabled,
        typeSpecificSettings=_settings(type_specific_settings),
    )


def backup_body(
    *,
    name: str | None,
    backup_type: str | None,
    compression_type: str | None,
    custom_destination_id: str | None,
    additional_destinations: Iterable[BackupDestination],
) -> dict[str, Any]:
    """Build the create-backup request body."""
    _check_text("name", name, _BACKUP_NAME)
    return _without_none(
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
    """Build the create-schedule request body."""
    check_choice("backup_type", backup_type, get_args(BackupTypeName))
    check_integer("retention_time", retention_time, 1)
    return _without_none(
        scheduling=_scheduling(interval, {"minute": minute, "hour": hour, "day": day}),
        **_storage(backup_type, compression_type, custom_destination_id, additional_destinations),
        retentionTime=retention_time,
    )


def volume_schedule_body(
    *, interval: str, minute: Iterable[int], hour: Iterable[int], day: Iterable[int], retention_time: int
) -> dict[str, Any]:
    """Build the create-volume-schedule request body."""
    check_integer("retention_time", retention_time, 1)
    scheduling = _scheduling(interval, {"minute": minute, "hour": hour, "day": day})
    return {"scheduling": scheduling, "retentionTime": retention_time}


def import_body(
    *,
    url: str | None,
    connection_string: str | None,
    name: str | None,
    import_all_databases: bool | None,
    compression_type: str | None,
    custom_destination_id: str | None,
) -> dict[str, Any]:
    """Build the import-backup request body."""
    if (url is None) == (connection_string is None):
        raise ConfigurationError("an import needs either a url or a connection_string: pass one of them")
    _check_text("url", url, _URL)
    _check_text("connection_string", connection_string, _CONNECTION_STRING)
    if url is not None:
        for argument, value in (
            ("import_all_databases", import_all_databases),
            ("compression_type", compression_type),
        ):
            if value is not None:
                raise ConfigurationError(f"{argument} is only valid with a connection_string, not with a url")
    if import_all_databases is not None:
        check_boolean("import_all_databases", import_all_databases)
    if compression_type is not None:
        check_choice("compression_type", compression_type, get_args(CompressionTypeName))
    _check_text("name", name, _BACKUP_NAME)
    _check_text("custom_destination_id", custom_destination_id, _SLUG)
    return _without_none(
        name=name,
        importUrl=url,
        connectionString=connection_string,
        importAllDatabases=import_all_databases,
        compressionType=compression_type,
        customDestinationId=custom_destination_id,
    )


def volume_backup_body(*, name: str, description: str | None) -> dict[str, Any]:
    """Build the create-volume-backup request body."""
    _check_given("name", name)
    _check_text("name", name, _NAME)
    _check_text("description", description, _DESCRIPTION)
    return _without_none(name=name, description=description)


def destination_body(
    *, name: str, prefix: str, credentials: DestinationCredentials, usage: str, description: str | None
) -> dict[str, Any]:
    """Build the create-destination request body."""
    _check_given("name", name)
    _check_given("prefix", prefix)
    _check_given("credentials", credentials)
    _check_text("prefix", prefix, _PREFIX)
    check_choice("usage", usage, get_args(DestinationUsageName))
    return {
        "type": StorageType.S3.value,
        "usage": usage,
        "prefix": prefix,
        **_destination(name, description, credentials),
    }


def destination_changes(
    *, name: str | None, description: str | None, credentials: DestinationCredentials | None
) -> dict[str, Any]:
    """Build the update-destination request body."""
    changes = _destination(name, description, credentials)
    if not changes:
        raise ConfigurationError("nothing to change: pass a name, a description or credentials")
    return changes


def source_query(source_project_id: str | None, source_addon_id: str | None) -> dict[str, Any]:
    """Build the query that names the source of a global backup."""
    for argument, value in (("source_project_id", source_project_id), ("source_addon_id", source_addon_id)):
        if value is not None:
            check_not_empty(argument, value)
    return {"sourceProjectId": source_project_id, "sourceAddonId": source_addon_id}


def check_not_empty(argument: str, value: Any) -> None:
    """Check a text argument. The message does not show the value, which may be a secret.

    Raises:
        ConfigurationError: it is not text, or it is empty.
    """
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{argument} must be text that is not empty")


def _addon_source(source: AddonSource) -> dict[str, Any]:
    if not isinstance(source, AddonSource):
        raise ConfigurationError(f"source must be an AddonSource, not {type(source).__name__}")
    if source.backup_uid is not None:
        _check_text("the source's backup_uid", source.backup_uid, _UID)
        if attrs.evolve(source, backup_uid=None) != AddonSource():
            raise ConfigurationError("the source's backup_uid names the backup alone: pass no other field")
    else:
        for name in ("addon_id", "backup_id"):
            _check_given(f"the source's {name}", getattr(source, name))
        for name in ("project_id", "addon_id", "backup_id"):
            _check_text(f"the source's {name}", getattr(source, name), _ID)
        if source.backup_type is not None:
            check_choice("the source's backup_type", source.backup_type, list(SourceBackupType))
    body: dict[str, Any] = unstructure(source)
    return body


def _settings(settings: TypeSpecificSettings | None) -> dict[str, Any] | None:
    if settings is None:
        return None
    if not isinstance(settings, TypeSpecificSettings):
        raise ConfigurationError(f"type_specific_settings must be TypeSpecificSettings, not {type(settings).__name__}")
    for name, value in attrs.asdict(settings).items():
        if value is not None:
            check_boolean(name, value)
    body: dict[str, Any] = unstructure(settings)
    return body or None


def _storage(
    backup_type: str | None,
    compression_type: str | None,
    custom_destination_id: str | None,
    additional_destinations: Iterable[BackupDestination],
) -> dict[str, Any]:
    """Build the part of a body that dumps and snapshots differ in."""
    if backup_type is not None:
        check_choice("backup_type", backup_type, get_args(BackupTypeName))
    if compression_type is not None:
        check_choice("compression_type", compression_type, get_args(CompressionTypeName))
    _check_text("custom_destination_id", custom_destination_id, _SLUG)
    destinations = [
        _additional_destination(item) for item in _items("additional_destinations", additional_destinations)
    ]
    if backup_type == BackupType.DUMP:
        if destinations:
            raise ConfigurationError('additional_destinations are only valid with backup_type="snapshot"')
    else:
        for argument, value in (
            ("compression_type", compression_type),
            ("custom_destination_id", custom_destination_id),
        ):
            if value is not None:
                raise ConfigurationError(f'{argument} is only valid with backup_type="dump"')
    return _without_none(
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
    _check_text("destination_id", destination.destination_id, _SLUG)
    if destination.type is not None:
        check_choice("type", destination.type, list(DestinationType))
    if destination.retention_time is not None:
        check_integer("retention_time", destination.retention_time, 1)
    body: dict[str, Any] = unstructure(destination)
    return {**body, "type": destination.type or DestinationType.CUSTOM.value}


def _scheduling(interval: str, times: Mapping[str, Iterable[int]]) -> dict[str, Any]:
    check_choice("interval", interval, get_args(ScheduleIntervalName))
    scheduling: dict[str, Any] = {"interval": interval}
    for argument, values in times.items():
        numbers = _items(argument, values)
        required = argument in _REQUIRED_TIMES[interval]
        if bool(numbers) != required:
            raise ConfigurationError(f"{argument} is {'required' if required else 'not valid'} for {interval!r}")
        name, greatest = _SCHEDULE_TIMES[argument]
        for number in numbers:
            check_integer(name, number, 0, greatest)
        if numbers:
            scheduling[argument] = numbers
    return scheduling


def _destination(
    name: str | None, description: str | None, credentials: DestinationCredentials | None
) -> dict[str, Any]:
    _check_text("name", name, _DESTINATION_NAME)
    _check_text("description", description, _DESCRIPTION)
    return _without_none(
        name=name,
        description=description,
        credentials=None if credentials is None else _credentials(credentials),
    )


def _credentials(credentials: DestinationCredentials) -> dict[str, Any]:
    if not isinstance(credentials, DestinationCredentials):
        raise ConfigurationError(f"credentials must be DestinationCredentials, not {type(credentials).__name__}")
    required = _required_credentials(credentials)
    for name in ("access_key", "secret_key", "workload_identity_id", "bucket_name", "region", "endpoint"):
        value = getattr(credentials, name)
        if name in required or value is not None:
            check_not_empty(f"the credentials' {name}", value)
    if credentials.auth_mode is not None:
        check_choice("the credentials' auth_mode", credentials.auth_mode, list(AuthMode))
    if credentials.enable_object_lock is not None:
        check_boolean("the credentials' enable_object_lock", credentials.enable_object_lock)
    if credentials.object_lock_retention_days is not None:
        check_integer("the credentials' object_lock_retention_days", credentials.object_lock_retention_days, 1)
    body: dict[str, Any] = unstructure(credentials)
    return {**body, **{name: as_secret(body[name]) for name in ("accessKey", "secretKey") if name in body}}


def _required_credentials(credentials: DestinationCredentials) -> set[str]:
    """The fields that every bucket needs, and those that its way to authenticate needs."""
    is_identity = credentials.workload_identity_id is not None
    if credentials.auth_mode is not None:
        is_identity = credentials.auth_mode == AuthMode.WORKLOAD_IDENTITY
    keys = {"workload_identity_id"} if is_identity else {"access_key", "secret_key"}
    return {"bucket_name", "region", "endpoint", *keys}


def _check_text(argument: str, value: Any, rule: _TextRule) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise ConfigurationError(f"{argument} must be text, not {type(value).__name__}")
    if len(value) < rule.min_length or (rule.max_length is not None and len(value) > rule.max_length):
        lengths = f"{rule.min_length} to {rule.max_length}" if rule.min_length else f"at most {rule.max_length}"
        raise ConfigurationError(f"{argument} must have {lengths} characters, not {len(value)}")
    if not re.fullmatch(rule.pattern, value):
        raise ConfigurationError(f"{argument} must be {rule.description}, not {value!r}")


def _check_given(argument: str, value: Any) -> None:
    if value is None:
        raise ConfigurationError(f"{argument} is required")


def _items(argument: str, values: Any) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigurationError(f"{argument} must be a list, not {values!r}")
    return list(values)


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
