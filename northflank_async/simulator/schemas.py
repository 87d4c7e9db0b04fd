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
    mapping,
    reject,
    text,
)

MAX_RETENTION = {"hourly": 7, "daily": 60, "weekly": 120}  # days
MOST_SCHEDULES = 3  # for each addon or volume
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
SOURCE_ID = text(r"[A-Za-z0-9-]+")
FORK = depending_on(
    "backupUid",
    json_object({"backupUid": text(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")}, {}),
    json_object(
        {"addonId": SOURCE_ID, "backupId": SOURCE_ID},
        {"projectId": SOURCE_ID, "backupType": choice("snapshot", "global")},
    ),
)
REDIS_POLICIES = (
    *("noeviction", "allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-lfu", "allkeys-random"),
    *("volatile-random", "volatile-ttl", "volatile-lrm", "allkeys-lrm"),
)
TYPE_SPECIFIC = json_object(
    {},
    {
        **dict.fromkeys(
            (
                *("redisSentinelEnabled", "postgresqlSupabaseMode", "postgresqlConnectionPoolerEnabled"),
                *("postgresqlReadConnectionPoolerEnabled", "postgresqlImportMode", "postgresqlEdbMode"),
                *("mysqlHaModeEnabled", "mysqlHaRouterEnabled"),
            ),
            boolean,
        ),
        **{
            name: integer(0, 100)
            for name in (
                *("postgresqlConnectionPoolerReplicas", "postgresqlReadConnectionPoolerReplicas"),
                "mysqlRouterReplicas",
            )
        },
        "redisMaxMemoryPolicy": choice(*REDIS_POLICIES),
        "postgresqlWalLevel": choice("replica", "logical"),
    },
)
BILLING = json_object(
    {
        "deploymentPlan": DESTINATION,
        "storage": integer(1024, 16_777_216),
        "replicas": integer(1, 100),
    },
    {
        "storageClass": text(r"[a-zA-Z](-?[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*)?", 3, 39),
        "zonalRedundancy": json_object({}, {"type": choice("required", "disabled"), "minZones": integer(1, 100)}),
        "diskAutoscaling": json_object(
            {"enabled": boolean}, {"thresholdPercent": integer(1, 100), "maxSizeMib": integer(1, 16_777_216)}
        ),
    },
)
NEW_ADDON = json_object(
    {
        "name": text(r"[a-zA-Z]((-|\s)?[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*)?", 3, 39),
        "type": text(min_length=1),
        "version": text(min_length=1),
        "billing": BILLING,
    },
    {
        "description": DESCRIPTION,
        "projectId": SOURCE_ID,
        "stageId": DESTINATION,
        "tags": array(DESTINATION),
        "infrastructure": json_object({}, {"architecture": choice("x86", "arm")}),
        "source": FORK,
        **dict.fromkeys(("tlsEnabled", "externalAccessEnabled", "vpcAccessible"), boolean),
        "ipPolicies": array(json_object({"action": choice("ALLOW", "DENY")}, {"addresses": array(text())})),
        "typeSpecificSettings": TYPE_SPECIFIC,
        "customCredentials": json_object({}, {"dbName": text()}),
        "metadata": json_object({}, dict.fromkeys(("labels", "annotations"), mapping)),
        "backupSchedules": array(SCHEDULE),
    },
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


def check_schedules(schedules: list[Json], exists: Callable[[str], bool]) -> None:
    """Check the schedules of a new addon."""
    kinds = {(schedule["scheduling"]["interval"], schedule["backupType"]) for schedule in schedules}
    if len(kinds) < len(schedules):
        reject({"backupSchedules": "must differ in their interval or type"})
    if len(schedules) > MOST_SCHEDULES:
        reject({"backupSchedules": f"must be at most {MOST_SCHEDULES}"})
    for schedule in schedules:
        check_schedule(schedule)
        check_destinations(schedule, exists)


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
