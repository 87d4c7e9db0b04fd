"""The computed inventory: projects, their addons, and their backups and restores.

Every item is computed from the seed and its own number. Nothing is stored, so a million backups take no memory. Every
id contains the number of its item, so that finding an item needs no search.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Protocol, TypeVar
from uuid import UUID

import attrs

Json = dict[str, Any]
Key = tuple[str | int, ...]  # what identifies an item
Parent = TypeVar("Parent")
Item = TypeVar("Item", "Project", "Addon", "Backup")

EPOCH = datetime(1970, 1, 1)  # naive: every time here is UTC
SECOND = 1000  # all times are whole milliseconds since EPOCH
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86400 * SECOND
THURSDAY = 3  # the day of EPOCH, as Monday is 0
NOW = (datetime(2026, 11, 1, 12) - EPOCH) // timedelta(milliseconds=1)

PROJECTS = (
    *("billing", "checkout", "search", "identity", "notifications", "analytics", "warehouse", "media", "support"),
    *("shipping", "pricing", "reporting", "mobile-api", "storefront", "data-platform", "internal-tools"),
)
# The purpose of an addon, its type, and the type's versions, newest first.
KINDS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("documents", "mongodb", ("7.0.14", "6.0.18", "4.4.8")),
    ("database", "postgresql", ("16.4.0", "15.8.0", "14.13.0")),
    ("cache", "redis", ("7.2.5", "6.2.14")),
    ("orders", "mysql", ("8.4.2", "8.0.39")),
    ("files", "minio", ("2024.8.29", "2023.12.20")),
    ("queue", "rabbitmq", ("3.13.7", "3.12.14")),
)
REGIONS = ("europe-west", "us-central", "us-east", "asia-northeast", "europe-west-netherlands")
TAG_SETS: tuple[tuple[str, ...], ...] = ((), ("production",), (), ("production", "customer-data"), ("staging",))
# The status of an addon with that of its newest backup.
STATES = (
    ("running", "completed"),
    ("backup", "in-progress"),
    ("running", "completed"),
    ("running", "completed"),
    ("paused", "completed"),
    ("running", "scheduled"),
    ("running", "completed"),
    ("failed", "failed"),
    ("running", "aborting"),
)
PERIODS = (("Hourly", HOUR), ("Daily", DAY), ("Six-hourly", 6 * HOUR), ("Weekly", 7 * DAY))
LONGEST_HISTORY = 10 * 365 * DAY

# The numbers of backups of five addons are 3, 1, 4, 0 and 2 halves of the average; these are the running sums.
HALVES = (0, 3, 4, 8, 8, 10)
SOURCES = (*["snapshot"] * 11, *["liveInstance"] * 6, "sameAddon", "externalDump", "fileUpload")
OUTCOMES = (*["completed"] * 36, "failed", "failed", "aborted", "not-supported")
OPEN = frozenset({"scheduled", "in-progress", "aborting"})

# Every tenth backup was restored, one to four times in turn, which makes ten restores of four backups.
RESTORED_EVERY = 10
RESTORE_OF = ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (3, 3))
NEWEST_RESTORE = ("completed", "in-progress", "completed", "scheduled", "completed", "aborting")
RESTORE_OUTCOMES = (*["completed"] * 12, "failed", "failed", "aborted", "not-supported")


@attrs.frozen
class Listing:
    """Items that are computed on demand."""

    length: int
    item: Callable[[int], Json]

    def slice(self, offset: int, size: int) -> list[Json]:
        """Up to `size` items, starting at `offset`; none past the end."""
        return [self.item(index) for index in range(offset, min(offset + size, self.length))]

    def anchor(self, offset: int) -> int:
        """The offset itself, because computed items do not move."""
        return offset

    def offset(self, anchor: int) -> int:
        """The anchor itself."""
        return anchor


@attrs.frozen(kw_only=True)
class Inventory:
    """The root: `addon_count` is for each project, `backup_average` for each addon.

    It is as of the time `now`. `addon_size` are the bytes of data in every addon, and `region` is that of every
    project; without them, they vary. `make_addon` returns the addon with an index in a project.
    """

    seed: int = 0
    project_count: int = 5
    addon_count: int = 4
    backup_average: int = 150
    now: int = NOW
    addon_size: int | None = None
    region: str | None = None
    make_addon: "Callable[[Project, int], Addon]" = attrs.field(factory=lambda: Addon)

    @property
    def projects(self) -> Listing:
        """All projects."""
        return Listing(self.project_count, lambda index: Project(self, index).listed())

    def project(self, project_id: str) -> "Project | None":
        """The project with this id."""
        # An unknown name has the index 0, and `_if_named` compares it with the default project's id.
        return _if_named(project_id, Project, self, _index_of(PROJECTS, project_id) + 1, self.project_count)


class Project:
    """The project with this index."""

    def __init__(self, inventory: Inventory, index: int) -> None:
        self.inventory = inventory
        self.index = index
        self.id = _name_of(PROJECTS, index - 1) if index else "default-project"
        self.region = inventory.region or REGIONS[index % len(REGIONS)]
        # Each project starts with another role, so that projects have different addons.
        start = index % len(KINDS)
        self.roles = [role for role, _, _ in KINDS[start:] + KINDS[:start]]

    @property
    def addons(self) -> Listing:
        """All addons of the project."""
        return Listing(self.inventory.addon_count, lambda index: self.addon_at(index).listed())

    def addon_at(self, index: int) -> "Addon":
        """The addon with this index."""
        return self.inventory.make_addon(self, index)

    def addon(self, addon_id: str) -> "Addon | None":
        """The addon with this id."""
        role = addon_id.removeprefix(f"{self.id}-")
        index = 0 if addon_id == "example-addon" else _index_of(self.roles, role)
        return _if_named(addon_id, Project.addon_at, self, index, self.inventory.addon_count)

    def listed(self) -> Json:
        """The JSON in a listing."""
        project: Json = {"id": self.id, "name": _title(self.id), "uid": self._uid("project")}
        project["lifecycleStatus"] = "created"
        if self.index % 3 != 2:
            project["description"] = f"All that runs for {project['name']}"
        return project

    def details(self) -> Json:
        """The JSON of the item alone."""
        addons = [self.addon_at(index) for index in range(self.inventory.addon_count)]
        began = min((addon.created for addon in addons), default=self.inventory.now - 365 * DAY) - 2 * DAY
        return {
            **self.listed(),
            "deployment": {"region": self.region},
            "createdAt": iso(began),
            "services": [self._app("api", "serviceType", "combined"), self._app("worker", "serviceType", "deployment")],
            "customRegistry": {"enabled": False},
            "jobs": [self._app("cleanup", "jobType", "cron")] if self.index % 2 == 0 else [],
            "addons": [without(addon.listed(), "status", "tags") for addon in addons],
            "cluster": self.cluster(),
        }

    def cluster(self) -> Json:
        """The cluster that the project runs in."""
        name = f"nf-{self.region}"
        random = random_bytes(self.inventory.seed, "cluster", self.index).hex()
        balancer = f"lb.{random[:24]}.northflank.com"
        return {"id": name, "name": name, "namespace": f"ns-{random[24:36]}", "loadBalancers": [balancer]}

    def app_id(self, name: str) -> str:
        """The path-like id of an addon, service or job in a project."""
        return f"/example-user/{self.id}/{name}"

    def _app(self, name: str, kind: str, value: str) -> Json:
        return {"id": name, "uid": self._uid(name), "appId": self.app_id(name), "name": _title(name), kind: value}

    def _uid(self, kind: str) -> str:
        return uid(random_bytes(self.inventory.seed, "uid", kind, self.index))


class Addon:
    """The addon with this index in its project; `number` counts across all projects."""

    def __init__(self, project: Project, index: int) -> None:
        inventory = project.inventory
        self.project = project
        self.index = index
        self.is_unreadable = False
        self.seed = inventory.seed
        self.number = project.index * inventory.addon_count + index
        self.id = f"{project.id}-{_name_of(project.roles, index)}" if self.number else "example-addon"
        _, self.type, self.versions = KINDS[(project.index + index) % len(KINDS)]
        self.usual_status, self.newest_status = STATES[self.number % len(STATES)]
        self.backup_count = _backup_count(inventory.backup_average, self.number)
        self.first_restored = 5 if self.number else 0
        random = random_bytes(self.seed, "addon", self.number)
        # From megabytes to hundreds of gigabytes, but terabytes for file stores.
        magnitude = 10**12 if self.type == "minio" else 10 ** (6 + random[0] % 6)
        self.size = magnitude * (10 + random[1] % 40) // 10
        if inventory.addon_size is not None:
            self.size = inventory.addon_size
        self.rhythm, self.period = PERIODS[self.number % len(PERIODS)]
        if self.period * self.backup_count > LONGEST_HISTORY:
            self.rhythm, self.period = PERIODS[0]
        # The schedule's offset within its period, in steps of five minutes, and its last time before now.
        offset = int.from_bytes(random[2:4], "big") * 5 * MINUTE % self.period
        self.now = inventory.now
        self.newest = self.now - 1 - (self.now - 1 - offset) % self.period

    @property
    def key(self) -> Key:
        """What identifies it among all addons and volumes."""
        return (self.number,)

    @property
    def status(self) -> str:
        """The status."""
        return self.usual_status

    @property
    def created(self) -> int:
        """The creation time: a day before the first backup."""
        return self.newest - self.backup_count * self.period - DAY

    @property
    def backups(self) -> Listing:
        """All backups, newest first."""
        return Listing(self.backup_count, lambda age: self.backup_at(age).listed())

    def backup_at(self, age: int) -> "Backup":
        """The backup of this age: 0 is the newest."""
        return Backup(self, age)

    @property
    def schedules(self) -> list[Json]:
        """The schedules that made the backups."""
        return [schedule(self)] if self.backup_count else []

    @property
    def restores(self) -> Listing:
        """All restores, those of the newest backup first."""
        restored = max(0, (self.backup_count - self.first_restored + RESTORED_EVERY - 1) // RESTORED_EVERY)
        return Listing(restored // 4 * 10 + (0, 1, 3, 6)[restored % 4], self._restore)

    def backup(self, backup_id: str) -> "Backup | None":
        """The backup with this id."""
        number = _trailing_number(backup_id)[1]
        age = 0 if backup_id == "example-backup" else self.backup_count - number
        return _if_named(backup_id, lambda addon, age: addon.backup_at(age), self, age, self.backup_count)

    def listed(self) -> Json:
        """The JSON in a listing."""
        addon: Json = {
            "id": self.id,
            "name": _title(self.id),
            "uid": uid(random_bytes(self.seed, "uid", "addon", self.number)),
            "appId": self.project.app_id(self.id),
        }
        if self.number % 3 == 1:
            addon["stageId"] = "production"
        if tags := TAG_SETS[self.number % len(TAG_SETS)]:
            addon["tags"] = list(tags)
        if self.number % 4 == 0:
            addon["description"] = f"The {self.type} of {_title(self.project.id)}"
        return {**addon, "spec": {"type": self.type}, "status": self.status}

    def details(self) -> Json:
        """The JSON of the item alone."""
        pending = [{"type": "backup", "createdAt": iso(self.newest)}] if self.status == "backup" else []
        return {
            **self.listed(),
            "createdAt": iso(self.created),
            "spec": {"type": self.type, "config": self._config(), "pendingActions": pending},
            "cluster": self.project.cluster(),
        }

    def _config(self) -> Json:
        replicas = 1 + self.number % 3
        settings = {"typeSpecificSettings": {"postgresqlSupabaseMode": False}} if self.type == "postgresql" else {}
        return {
            "versionTag": self.versions[0],
            "lifecycleStatus": "deprecated" if self.number % 8 == 3 else "active",
            "deployment": {
                "replicas": replicas,
                "storageClass": "nvme" if self.number % 2 == 0 else "ssd",
                # Megabytes: at least 4 GiB, and at least 1.5 times the size of the data.
                "storageSize": max(4096, 1024 * (self.size * 3 // 2**31 + 1)),
                "planId": f"nf-compute-{(10, 20, 50, 100)[self.number % 4]}",
                "region": self.project.region,
            },
            "networking": {
                "tlsEnabled": True,
                "externalAccessEnabled": self.number % 5 == 0,
                "ipPolicies": [{"address": "127.0.0.1", "action": "ALLOW"}] if self.number % 5 == 0 else [],
            },
            **settings,
            "templateValues": f"replicaCount: {replicas}\n",
            "templateValuesRedacted": False,
            "region": self.project.region,
        }

    def restored(self, index: int) -> "tuple[Backup, int]":
        """The backup of the restore with this index, and the number of the restore among the backup's."""
        four_backups, rest = divmod(index, len(RESTORE_OF))
        nth, restore = RESTORE_OF[rest]
        return self.backup_at(self.first_restored + RESTORED_EVERY * (4 * four_backups + nth)), restore

    def _restore(self, index: int) -> Json:
        backup, restore = self.restored(index)
        return {**backup.restore(restore), "backupId": backup.id}


class Backup:
    """The backup of this age in its addon: 0 is the newest."""

    def __init__(self, addon: Addon, age: int) -> None:
        self.addon = addon
        self.age = age
        self.number = addon.backup_count - age
        self.random = random = random_bytes(addon.seed, "backup", addon.number, age)
        self.is_example = addon.number == 0 and age == 0
        self.created = addon.newest - age * addon.period + SECOND + int.from_bytes(random[16:18], "big") % (8 * SECOND)
        date = EPOCH + timedelta(milliseconds=self.created)
        self.id = "example-backup" if self.is_example else f"{addon.id}-{date:%Y%m%d}-{self.number}"
        self.rhythm = addon.rhythm
        self.source = "snapshot" if self.is_example else SOURCES[random[18] % len(SOURCES)]
        nth, rest = divmod(age - addon.first_restored, RESTORED_EVERY)
        self.restore_count = nth % 4 + 1 if nth >= 0 and rest == 0 else 0
        # A restored backup is completed, and only the newest can be scheduled, in progress or aborting.
        outcome = OUTCOMES[random[19] % len(OUTCOMES)] if age else addon.newest_status
        self.status = "completed" if self.restore_count else outcome

    @property
    def size(self) -> int:
        """The size in bytes: the oldest is about a fifth of the newest, with one percent of noise."""
        if self.status != "completed":
            return 0
        count = self.addon.backup_count
        trend = self.addon.size * (5 * count - 4 * self.age) // (5 * count)
        return trend + trend * (int.from_bytes(self.random[20:22], "big") - 2**15) // 2**15 // 100

    @property
    def completed(self) -> int:
        """The end: 20 seconds and another one for each 200 MB after the start, but before the next backup and now."""
        took = 20 * SECOND + self.size // 200_000 + self.random[22] * 17
        return min(self.created + min(took, self.addon.period // 2), self.addon.now - SECOND)

    @property
    def has_config(self) -> bool:
        """Whether its JSON has a `config` object."""
        # A few failed backups have none, but all of the example addon do, so that examples need no check.
        return bool(self.addon.number == 0 or self.status != "failed" or self.random[23] % 4)

    @property
    def restores(self) -> Listing:
        """All restores of the backup, newest first."""
        return Listing(self.restore_count, self.restore)

    def listed(self) -> Json:
        """The JSON in a listing."""
        backup = self._common()
        if "config" in backup:
            backup["config"] |= self._storage()
        if self.source != "snapshot" and self.random[24] % 4 == 0:
            backup["customDestinationId"] = "offsite-bucket"
        return backup

    def details(self) -> Json:
        """The JSON of the item alone."""
        backup = self._common()
        if self.restore_count:
            backup["lastRestore"] = without(self.restore(0), "id")
        return backup

    def restore(self, index: int) -> Json:
        """A restore of the backup; 0 is the newest."""
        addon = self.addon
        random = random_bytes(addon.seed, "restore", addon.number, self.age, index)
        # The restores are spread over three days after the backup, or the time since then.
        gap = min(addon.now - self.completed, 3 * DAY) // (self.restore_count + 1)
        began = self.completed + gap * (self.restore_count - index)
        if index == 0 and self.age == addon.first_restored:
            status = NEWEST_RESTORE[addon.number % len(NEWEST_RESTORE)]
        else:
            status = RESTORE_OUTCOMES[random[12] % len(RESTORE_OUTCOMES)]
        restore = {"id": random[:12].hex(), "status": status, "restoreTimestamp": iso(began)}
        if status not in OPEN:
            restore["completedAt"] = iso(began + min(30 * SECOND + random[13] * SECOND, gap - 1))
        return restore

    def _common(self) -> Json:
        name = "Example Backup" if self.is_example else f"{self.rhythm} backup {self.number}"
        backup: Json = {
            "id": self.id,
            "name": name,
            "uid": uid(self.random),
            "status": self.status,
            "createdAt": iso(self.created),
        }
        if self.status not in OPEN:
            backup["completedAt"] = iso(self.completed)
        if self.has_config:
            versions = self.addon.versions
            version = versions[self.age * len(versions) // self.addon.backup_count]
            backup["config"] = {"source": {"type": self.source}, "size": str(self.size), "addonVersion": version}
        return backup

    def _storage(self) -> Json:
        # Only dumps are compressed, and only snapshots have additional destinations.
        if self.source != "snapshot":
            return {"compressionType": ("gz", "zstd")[self.random[25] % 2]}
        if self.is_example:
            return {"additionalDestinations": [_destination("example-backup-destination", 7)]}
        if self.random[25] % 8 == 0:
            return {"additionalDestinations": [_destination("offsite-bucket", 30), _destination("archive-bucket")]}
        if self.random[25] % 8 == 1:
            return {"additionalDestinations": [_destination("offsite-bucket", 30)]}
        return {}


class Owner(Protocol):
    """An addon or a volume, with the times of its computed backups."""

    @property
    def seed(self) -> int: ...

    @property
    def key(self) -> Key: ...

    @property
    def created(self) -> int: ...

    @property
    def newest(self) -> int: ...

    @property
    def period(self) -> int: ...


def schedule(owner: Owner) -> Json:
    """The schedule of snapshots that made the owner's computed backups."""
    scheduling = scheduling_of(owner.newest, owner.period)
    return {
        "id": random_bytes(owner.seed, "schedule", *owner.key)[:12].hex(),
        "backupType": "snapshot",
        "scheduling": scheduling,
        "retentionTime": {"hourly": 7, "daily": 30, "weekly": 90}[scheduling["interval"]],
        "createdAt": iso(owner.created),
        "updatedAt": iso(owner.created),
    }


def scheduling_of(newest: int, period: int) -> Json:
    """The `scheduling` object of a schedule with this period and a backup at this time."""
    days, rest = divmod(newest, DAY)
    hour, minute = rest // HOUR, rest % HOUR // MINUTE
    if period <= HOUR:
        return {"interval": "hourly", "minute": [minute]}
    if period > DAY:
        return {"interval": "weekly", "minute": [minute], "hour": [hour], "day": [(days + THURSDAY) % 7]}
    step = period // HOUR
    return {"interval": "daily", "minute": [minute], "hour": list(range(hour % step, 24, step))}


def _backup_count(average: int, number: int) -> int:
    # The difference of rounded sums, so that five addons always have exactly five times the average.
    place = number % (len(HALVES) - 1)
    return average * HALVES[place + 1] // 2 - average * HALVES[place] // 2


def _destination(destination_id: str, days: int | None = None) -> Json:
    retention = {} if days is None else {"retentionTime": days}
    return {"destinationId": destination_id, **retention, "type": "custom"}


def random_bytes(*key: object) -> bytes:
    """32 pseudorandom bytes, always the same for the same key."""
    return blake2b("/".join(map(str, key)).encode(), digest_size=32).digest()


def uid(random: bytes) -> str:
    """Make a UUID of random bytes."""
    return str(UUID(bytes=random[:16], version=4))


def iso(time: int) -> str:
    """Format a time as the API does."""
    return (EPOCH + timedelta(milliseconds=time)).isoformat(timespec="milliseconds") + "Z"


def milliseconds(text: str) -> int:
    """Parse a time in the API's format."""
    return (datetime.fromisoformat(text).replace(tzinfo=None) - EPOCH) // timedelta(milliseconds=1)


def _title(slug: str) -> str:
    return slug.replace("-", " ").title()


def without(item: Json, *keys: str) -> Json:
    """A copy of the item without these fields."""
    return {key: value for key, value in item.items() if key not in keys}


def _name_of(words: Sequence[str], index: int) -> str:
    """One of the words, in turn; from the second turn on with -2, -3 and so on appended."""
    turn, place = divmod(index, len(words))
    return f"{words[place]}-{turn + 1}" if turn else words[place]


def _index_of(words: Sequence[str], name: str) -> int:
    """The index of `name`, or -1. The caller must check that `_name_of` returns this spelling."""
    word, number = (name, 1) if name in words else _trailing_number(name)
    return (number - 1) * len(words) + words.index(word) if word in words else -1


def _trailing_number(slug: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*)-([1-9][0-9]{0,11})", slug)
    return (found[1], int(found[2])) if found else (slug, 0)


def _if_named(name: str, kind: Callable[[Parent, int], Item], parent: Parent, index: int, count: int) -> Item | None:
    """The item with this index, if there is one and `name` is exactly its id."""
    if not 0 <= index < count:
        return None
    item = kind(parent, index)
    return item if item.id == name else None
