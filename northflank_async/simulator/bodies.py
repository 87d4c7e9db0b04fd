"""What the bodies of requests must hold, as it is documented."""

from collections.abc import Callable

from northflank_async.simulator.fields import Problems, array, boolean, choice, either, fields, refuse, text, whole
from northflank_async.simulator.inventory import Json

LONGEST_RETENTION = {"hourly": 7, "daily": 60, "weekly": 120}  # days
NEEDED = {"hourly": (), "daily": ("hour",), "weekly": ("hour", "day")}  # besides the minute

NAME = text(r"[a-zA-Z0-9]+((-|\s|\/|:)[a-zA-Z0-9]+)*", 3, 39)
DESTINATION = text(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*", 3, 100)
COMPRESSION = choice("gz", "zstd")
TYPE = choice("dump", "snapshot")
RETENTION = whole(1, 120)
PLACES = array(fields({"destinationId": DESTINATION, "type": choice("custom")}, {"retentionTime": RETENTION}))

BACKUP = fields(
    {},
    {
        "name": NAME,
        "backupType": TYPE,
        "compressionType": COMPRESSION,
        "customDestinationId": DESTINATION,
        "additionalDestinations": PLACES,
    },
)
IMPORT_OF_DATABASE = fields(
    {"connectionString": text(r"[a-z][a-z0-9+.-]*://\S+")},
    {
        "name": NAME,
        "importAllDatabases": boolean,
        "compressionType": COMPRESSION,
        "customDestinationId": DESTINATION,
    },
)
IMPORT_OF_URL = fields({"importUrl": text(r"https?://\S+")}, {"name": NAME, "customDestinationId": DESTINATION})
ABORT_RESTORE = fields({"restoreId": text()}, {})
IMPORT = either("importUrl", IMPORT_OF_URL, IMPORT_OF_DATABASE)
SCHEDULE = fields(
    {
        "scheduling": fields(
            {"interval": choice(*NEEDED), "minute": array(whole(0, 59), 1)},
            {"hour": array(whole(0, 23), 1), "day": array(whole(0, 6), 1)},
        ),
        "backupType": TYPE,
        "retentionTime": RETENTION,
    },
    {"customDestinationId": DESTINATION, "additionalDestinations": PLACES, "compressionType": COMPRESSION},
)

DESCRIPTION = text(r"[a-zA-Z0-9.,?\s\\/'\"()[\];`%^&*\-_:!]+", 0, 200)
VOLUME_BACKUP = fields(
    {"name": text(r"[a-zA-Z]((-|\s)?[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*)?", 3, 39)}, {"description": DESCRIPTION}
)
DESTINATION_NAME = text(r"[a-zA-Z0-9]+((-|\s)[a-zA-Z0-9]+)*", 3, 100)
CREDENTIALS = fields(
    {name: text(least=1) for name in ("accessKey", "secretKey", "bucketName", "region", "endpoint")}, {}
)
NEW_DESTINATION = fields(
    {
        "name": DESTINATION_NAME,
        "type": choice("s3"),
        "prefix": text(r"([a-zA-Z0-9-_]+)\/"),
        "credentials": CREDENTIALS,
    },
    {"description": DESCRIPTION},
)
CHANGED_DESTINATION = fields({}, {"name": DESTINATION_NAME, "description": DESCRIPTION, "credentials": CREDENTIALS})


def check_kind(settings: Json, exists: Callable[[str], bool]) -> None:
    """Check that a backup's or a schedule's settings go with its type, and that the destinations exist."""
    problems: Problems = {}
    if settings.get("backupType", "snapshot") == "snapshot":
        for name in settings.keys() & {"compressionType", "customDestinationId"}:
            problems[name] = "goes with the backup type dump only"
    elif "additionalDestinations" in settings:
        problems["additionalDestinations"] = "goes with the backup type snapshot only"
    refuse(problems)
    check_destinations(settings, exists)


def check_destinations(settings: Json, exists: Callable[[str], bool]) -> None:
    """Check that the destinations exist."""
    problems: Problems = {}
    if "customDestinationId" in settings and not exists(settings["customDestinationId"]):
        problems["customDestinationId"] = "is no destination of the account"
    for index, place in enumerate(settings.get("additionalDestinations", ())):
        if not exists(place["destinationId"]):
            problems[f"additionalDestinations[{index}].destinationId"] = "is no destination of the account"
    refuse(problems)


def check_schedule(settings: Json) -> None:
    """Check that a schedule's times and its retention go with its interval."""
    problems: Problems = {}
    interval = settings["scheduling"]["interval"]
    for name in ("hour", "day"):
        given, needed = name in settings["scheduling"], name in NEEDED[interval]
        if given != needed:
            problems[f"scheduling.{name}"] = f"{'goes' if needed else 'does not go'} with the interval {interval}"
    if settings["retentionTime"] > LONGEST_RETENTION[interval]:
        problems["retentionTime"] = f"must be at most {LONGEST_RETENTION[interval]} for the interval {interval}"
    refuse(problems)
