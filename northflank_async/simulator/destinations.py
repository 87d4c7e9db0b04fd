"""The backup destinations, and the backups stored in them."""

import attrs

from northflank_async.simulator.backups import Backups, StoredBackup
from northflank_async.simulator.changes import Added, ChangedListing, ListingChanges
from northflank_async.simulator.identifiers import unused_id
from northflank_async.simulator.inventory import (
    DAY,
    Inventory,
    Json,
    Listing,
    Project,
    iso,
    without,
)
from northflank_async.simulator.runs import SimulatedTime

# The destinations of computed backups: id, name, description.
COMPUTED = (
    ("example-backup-destination", "Example Backup Destination", "A week of the most important ones"),
    ("offsite-bucket", "Offsite Bucket", "A month in another region"),
    ("archive-bucket", "Archive Bucket", "A year for the auditors"),
)
YEAR = 365  # default retention in days
NEWEST = 8  # the number of computed backups of each addon that a destination can contain


@attrs.frozen(kw_only=True)
class Destinations:
    """All destinations. Access keys are validated and not stored, so that no response can contain them."""

    time: SimulatedTime
    inventory: Inventory
    backups: Backups
    _changes: ListingChanges[Json] = attrs.field(factory=ListingChanges)
    _patches: dict[str, Json] = attrs.field(factory=dict)

    @property
    def listing(self) -> ChangedListing[Json]:
        """All destinations, newest first."""
        return self._changes.apply(
            Listing(len(COMPUTED), lambda index: self._shown(_computed(index, self.inventory.now))), self._shown
        )

    def find(self, destination_id: str) -> Json | None:
        """The destination with this id."""
        listing = self.listing
        return next((item for item in listing.slice(0, listing.length) if item["id"] == destination_id), None)

    def exists(self, destination_id: str) -> bool:
        """Whether there is a destination with this id."""
        return self.find(destination_id) is not None

    def create(self, settings: Json) -> Json:
        """Create a destination from the request's body."""
        taken = {entry.item["id"] for entry in self._changes.entries} | {name for name, _, _ in COMPUTED}
        now = iso(self.time.now())
        destination = {
            "id": unused_id(settings["name"], taken.__contains__),
            **_without_keys(settings),
            "createdAt": now,
            "updatedAt": now,
        }
        self._changes.add(destination)
        return destination

    def patch(self, destination: Json, settings: Json) -> None:
        """Change the fields in the request's body."""
        patch = {**_without_keys(settings), "updatedAt": iso(self.time.now())}
        self._patches[destination["id"]] = {**self._patches.get(destination["id"], {}), **patch}

    def delete(self, destination: Json) -> None:
        """Delete the destination; its backups stay in the listings of their addons."""
        if not self._changes.remove_added(lambda item: item["id"] == destination["id"]):
            self._changes.remove_computed([[name for name, _, _ in COMPUTED].index(destination["id"])])

    def backups_in(self, destination_id: str) -> ChangedListing[StoredBackup]:
        """All completed backups in the destination, newest first.

        These include the newest computed backups of each addon whose retention ends after the start.
        """
        computed = sorted(self._computed_in(destination_id), key=lambda backup: -backup.created)
        removed = [index for index, backup in enumerate(computed) if not self._is_stored(backup)]
        added = [
            Added(entry.item, 0, (), entry.item.serial, entry.is_removed or not self._is_stored(entry.item))
            for entry in self.backups.created()
            if _retention(entry.item, destination_id) is not None
        ]
        added.sort(key=lambda entry: entry.order)
        base = Listing(len(computed), lambda index: self._stored(computed[index], destination_id))
        return ChangedListing(base, lambda backup: self._stored(backup, destination_id), added, removed)

    def _computed_in(self, destination_id: str) -> list[StoredBackup]:
        found = []
        for project in (Project(self.inventory, index) for index in range(self.inventory.project_count)):
            for addon in (project.addon_at(index) for index in range(self.inventory.addon_count)):
                for age in range(min(NEWEST, addon.backup_count)):
                    backup = StoredBackup.computed(addon.backup_at(age))
                    days = _retention(backup, destination_id)
                    if days is not None and backup.created + days * DAY > self.inventory.now:
                        found.append(backup)
        return found

    def _is_stored(self, backup: StoredBackup) -> bool:
        known = self.backups.find(backup.addon, backup.id)
        return known is not None and self.backups.status(known) == "completed"

    def _stored(self, backup: StoredBackup, destination_id: str) -> Json:
        addon, project = backup.addon.listed(), backup.addon.project.listed()
        listed = self.backups.listed(backup)
        days = _retention(backup, destination_id) or YEAR
        return {
            **{key: listed[key] for key in ("id", "name", "status")},
            "project": {"id": project["id"], "name": project["name"]},
            "addon": {"id": addon["id"], "name": addon["name"]},
            "config": {
                "addonVersion": listed["config"]["addonVersion"],
                "addonType": backup.addon.type,
                "source": {"type": "global"},
                "size": listed["config"]["size"],
            },
            "schedules": [],
            "expiredBy": float(backup.created + days * DAY),
            "createdAt": listed["createdAt"],
            "completedAt": listed["completedAt"],
        }

    def _shown(self, destination: Json) -> Json:
        return {**destination, **self._patches.get(destination["id"], {})}


def _without_keys(settings: Json) -> Json:
    if "credentials" not in settings:
        return settings
    return {**settings, "credentials": without(settings["credentials"], "accessKey", "secretKey")}


def _computed(index: int, now: int) -> Json:
    destination_id, name, description = COMPUTED[index]
    created = iso(now - (YEAR + index) * DAY)
    return {
        "id": destination_id,
        "name": name,
        "description": description,
        "type": "s3",
        "usage": "globalBackups",
        "prefix": "backups/",
        "credentials": {
            "authMode": "staticCreds",
            "bucketName": destination_id,
            "region": "eu-central-1",
            "endpoint": "s3.eu-central-1.amazonaws.com",
        },
        "createdAt": created,
        "updatedAt": created,
    }


def _retention(backup: StoredBackup, destination_id: str) -> int | None:
    """How many days the destination keeps the backup; None if it does not store it."""
    if backup.payload.get("customDestinationId") == destination_id:
        return YEAR
    for copy in backup.payload.get("config", {}).get("additionalDestinations", ()):
        if copy["destinationId"] == destination_id:
            days: int = copy.get("retentionTime", YEAR)
            return days
    return None
