"""The documented schemas of request bodies."""

from collections.abc import Callable

from northflank_async.simulator.inventory import Json
from northflank_async.simulator.validation import (
    Problems,
    array,
    boolean,
    choice,
    depending_on,
    integer,
    json_object,
    reject,
    text,
)

MAX_RETENTION = {"hourly": 7, "daily": 60, "weekly": 120}  # days
REQUIRED_TIMES = {"hourly": (), "daily": ("hour",), "weekly": ("hour", "day")}  # besides the minute

NAME = text(r"[a-zA-Z0-9]+((-|\s|\/|:)[a-zA-Z0-9]+)*", 3, 39)
DESTINATION = text(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*", 3, 100)
COMPRESSION = choice("gz", "zstd")
TYPE = choice("dump", "snapshot")
RETENTION = integer(1, 120)
COPIES = array(json_object({"destinationId": DESTINATION, "type": choice("custom")}, {"retentionTime": RETENTION}))

BACKUP = json_object(
    {},
    {
        "name": NAME,
        "backupType": TYPE,
        "compressionType": COMPRESSION,
        "customDestinationId": DESTINATION,
        "additionalDestinations": COPIES,
    },
)
DATABASE_IMPORT = json_object(
    {"connectionString": text(r"[a-z][a-z0-9+.-]*://\S+")},
    {
        "name": NAME,
        "importAllDatabases": boolean,
        "compressionType": COMPRESSION,
        "customDestinationId": DESTINATION,
    },
)
URL_IMPORT = json_object({"importUrl": text(r"https?://\S+")}, {"name": NAME, "customDestinationId": DESTINATION})
ABORT_RESTORE = json_object({"restoreId": text()}, {})
IMPORT = depending_on("importUrl", URL_IMPORT, DATABASE_IMPORT)
SCHEDULING = json_object(
    {"interval": choice(*REQUIRED_TIMES), "minute": array(integer(0, 59), 1)},
    {"hour": array(integer(0, 23), 1), "day": array(integer(0, 6), 1)},
)
VOLUME_SCHEDULE = json_object({"scheduling": SCHEDULING, "retentionTime": RETENTION}, {})
SCHEDULE = json_object(
    {
        "scheduling": SCHEDULING,
        "backupType": TYPE,
        "retentionTime": RETENTION,
    },
    {"customDestinationId": DESTINATION, "additionalDestinations": COPIES, "compressionType": COMPRESSION},
)

DESCRIPTION = text(r"[a-zA-Z0-9.,?\s\\/'\"()[\];`%^&*\-_:!]+", 0, 200)
VOLUME_BACKUP = json_object(
    {"name": text(r"[a-zA-Z]((-|\s)?[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*)?", 3, 39)}, {"description": DESCRIPTION}
)
DESTINATION_NAME = text(r"[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*", 3, 100)
CREDENTIALS = json_object(
    {name: text(min_length=1) for name in ("bucketName", "region", "endpoint")},
    {
        "authMode": choice("staticCreds", "workloadIdentity"),
        **{name: text(min_length=1) for name in ("accessKey", "secretKey", "workloadIdentityId")},
        "enableObjectLock": boolean,
        "objectLockRetentionDays": integer(1, 36500),
    },
)
NEW_DESTINATION = json_object(
    {
        "name": DESTINATION_NAME,
        "type": choice("s3"),
        "usage": choice("globalBackups", "containerSnapshots"),
        "prefix": text(r"([a-zA-Z0-9-_]+)\/"),
        "credentials": CREDENTIALS,
    },
    {"description": DESCRIPTION},
)
CHANGED_DESTINATION = json_object(
    {}, {"name": DESTINATION_NAME, "description": DESCRIPTION, "credentials": CREDENTIALS}
)


def check_backup_type(settings: Json, exists: Callable[[str], bool]) -> None:
    """Check that the settings of a backup or schedule fit its type and that the destinations exist."""
    problems: Problems = {}
    if settings.get("backupType", "snapshot") == "snapshot":
        for name in settings.keys() & {"compressionType", "customDestinationId"}:
            problems[name] = "is valid only for the backup type dump"
    elif "additionalDestinations" in settings:
        problems["additionalDestinations"] = "is valid only for the backup type snapshot"
    reject(problems)
    check_destinations(settings, exists)


def check_destinations(settings: Json, exists: Callable[[str], bool]) -> None:
    """Check that the destinations exist."""
    problems: Problems = {}
    if "customDestinationId" in settings and not exists(settings["customDestinationId"]):
        problems["customDestinationId"] = "is not a backup destination of this account"
    for index, copy in enumerate(settings.get("additionalDestinations", ())):
        if not exists(copy["destinationId"]):
            problems[f"additionalDestinations[{index}].destinationId"] = "is not a backup destination of this account"
    reject(problems)


def check_schedule(settings: Json) -> None:
    """Check that the times and the retention of a schedule fit its interval."""
    problems: Problems = {}
    interval = settings["scheduling"]["interval"]
    for name in ("hour", "day"):
        is_given, is_required = name in settings["scheduling"], name in REQUIRED_TIMES[interval]
        if is_given != is_required:
            problems[f"scheduling.{name}"] = (
                f"is {'required' if is_required else 'not allowed'} for the interval {interval}"
            )
    if settings["retentionTime"] > MAX_RETENTION[interval]:
        problems["retentionTime"] = f"must be at most {MAX_RETENTION[interval]} for the interval {interval}"
    reject(problems)
