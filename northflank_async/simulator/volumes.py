"""The volumes of every project, and their backups."""

from datetime import timedelta

import attrs

from northflank_async.simulator.changes import ChangedListing, ListingChanges
from northflank_async.simulator.identifiers import unused_id
from northflank_async.simulator.inventory import (
    DAY,
    EPOCH,
    MINUTE,
    SECOND,
    Json,
    Key,
    Listing,
    Project,
    iso,
    random_bytes,
    schedule,
    uid,
)
from northflank_async.simulator.runs import Run, RunGenerator, SimulatedTime
from northflank_async.simulator.schedules import Schedules

# The purpose of a volume, its access mode, and the service of its project that mounts it.
KINDS: tuple[tuple[str, str, tuple[str, str] | None], ...] = (
    ("uploads", "ReadWriteMany", ("api", "service")),
    ("cache", "ReadWriteOnce", ("worker", "service")),
    ("reports", "ReadWriteOnce", None),
)
MOST_BACKUPS = 12
PERIOD = 7 * DAY


class Volume:
    """The volume with this index in its project."""

    def __init__(self, project: Project, index: int) -> None:
        self.project = project
        self.index = index
        role, self.access_mode, self.mount = KINDS[index]
        self.seed = project.inventory.seed
        self.is_example = project.index == 0 and index == 0
        self.id = "example-volume" if self.is_example else f"{project.id}-{role}"
        random = random_bytes(self.seed, *self.key)
        self.size = 1024 * (4, 6, 10, 20, 50)[random[0] % 5]
        self.storage_class = ("ssd", "nvme")[random[1] % 2]
        self.backup_count = MOST_BACKUPS if self.is_example else random[2] % (MOST_BACKUPS + 1)
        self.now = project.inventory.now
        self.created = self.now - (MOST_BACKUPS + 1) * PERIOD - int.from_bytes(random[3:5], "big") * MINUTE

    @property
    def key(self) -> Key:
        """What identifies it among all addons and volumes."""
        return "volume", self.project.index, self.index

    @property
    def newest(self) -> int:
        """The time of the newest computed backup."""
        return self.now - DAY + self.index * MINUTE

    @property
    def period(self) -> int:
        """The time between computed backups."""
        return PERIOD

    @property
    def schedules(self) -> list[Json]:
        """The schedule that made the backups."""
        return [schedule(self)] if self.backup_count else []

    @property
    def spec(self) -> Json:
        """The `spec` object."""
        return {
            "accessMode": self.access_mode,
            "storageClassName": self.storage_class,
            "storageSize": self.size,
        }

    def details(self, schedules: list[Json]) -> Json:
        """The JSON of the volume, in a listing and alone."""
        attached = [{"id": self.mount[0], "type": self.mount[1]}] if self.mount else []
        return {
            "id": self.id,
            "name": self.id.replace("-", " ").title(),
            "uid": uid(random_bytes(self.seed, "uid", *self.key)),
            "tags": ["production"] if self.index == 0 else [],
            "spec": self.spec,
            "attachedObjects": attached,
            "backupSchedules": [
                {"scheduling": schedule["scheduling"], "retentionTime": schedule["retentionTime"]}
                for schedule in schedules
            ],
            "status": "BOUND" if attached else "UNBOUND",
            "createdAt": iso(self.created),
            "updatedAt": iso(self.created),
        }

    def backup(self, age: int) -> "VolumeBackup":
        """The computed backup of this age: 0 is the newest."""
        number = self.backup_count - age
        created = self.newest - age * PERIOD
        date = EPOCH + timedelta(milliseconds=created)
        is_example = self.is_example and age == 0
        return VolumeBackup(
            volume=self,
            id="example-backup" if is_example else f"{self.id}-{date:%Y%m%d}-{number}",
            name="Example Backup" if is_example else f"Weekly backup {number}",
            created=created,
            run=Run(begins=created, ends=created + 40 * SECOND, outcome="completed"),
        )


@attrs.frozen(kw_only=True, eq=False)
class VolumeBackup:
    """A backup of a volume."""

    volume: Volume
    id: str
    name: str
    created: int
    run: Run
    description: str | None = None

    def details(self, now: int) -> Json:
        """The JSON of the backup, in a listing and alone."""
        changed = [time for time in (self.created, self.run.begins, self.run.ends) if time <= now]
        return {
            "id": self.id,
            "name": self.name,
            "uid": uid(random_bytes(self.volume.seed, "uid", *self.volume.key, self.id)),
            **({} if self.description is None else {"description": self.description}),
            "status": self.run.status(now),
            "spec": {"storageSize": self.volume.size},
            "source": {"type": "volume", "sourceObject": {"id": self.volume.id, "spec": self.volume.spec}},
            "createdAt": iso(self.created),
            "updatedAt": iso(max(changed)),
        }


@attrs.frozen(kw_only=True)
class Volumes:
    """All volumes, and the changes to their backups since the start."""

    time: SimulatedTime
    run_generator: RunGenerator
    schedules: Schedules
    _changes: dict[Key, ListingChanges[VolumeBackup]] = attrs.field(factory=dict)

    def listing(self, project: Project) -> Listing:
        """All volumes of the project."""
        return Listing(len(KINDS), lambda index: self.details(Volume(project, index)))

    def details(self, volume: Volume) -> Json:
        """The JSON of the volume, with its backup schedules."""
        schedules = self.schedules.listing(volume)
        return volume.details(schedules.slice(0, schedules.length))

    def find(self, project: Project, volume_id: str) -> Volume | None:
        """The volume with this id."""
        volumes = (Volume(project, index) for index in range(len(KINDS)))
        return next((volume for volume in volumes if volume.id == volume_id), None)

    def backups(self, volume: Volume) -> ChangedListing[VolumeBackup]:
        """All backups of the volume, newest first."""
        now = self.time.now()
        base = Listing(volume.backup_count, lambda age: volume.backup(age).details(now))
        return self._of(volume).apply(base, lambda backup: backup.details(now))

    def find_backup(self, volume: Volume, backup_id: str) -> Json | None:
        """The backup with this id."""
        listing = self.backups(volume)
        return next((item for item in listing.slice(0, listing.length) if item["id"] == backup_id), None)

    def create(self, volume: Volume, name: str, description: str | None) -> Json:
        """Start a backup."""
        changes = self._changes.setdefault(volume.key, ListingChanges())
        now = self.time.now()
        taken = {volume.backup(age).id for age in range(volume.backup_count)}
        taken |= {entry.item.id for entry in changes.entries}
        backup = VolumeBackup(
            volume=volume,
            id=unused_id(name, taken.__contains__),
            name=name,
            description=description,
            created=now,
            run=self.run_generator.start(now, *volume.key, len(changes.entries)),
        )
        changes.add(backup)
        return backup.details(now)

    def delete(self, volume: Volume, backup_id: str) -> bool:
        """Delete the backup with this id; False if there is none."""
        changes = self._of(volume)
        if changes.remove_added(lambda backup: backup.id == backup_id):
            return True
        ages = range(volume.backup_count)
        age = next((age for age in ages if volume.backup(age).id == backup_id and changes.has_computed(age)), None)
        if age is None:
            return False
        self._changes.setdefault(volume.key, changes).remove_computed([age])
        return True

    def _of(self, volume: Volume) -> ListingChanges[VolumeBackup]:
        return self._changes.get(volume.key) or ListingChanges()
