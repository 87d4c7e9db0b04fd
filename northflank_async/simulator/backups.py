"""The backups and restores of every addon: the computed ones, and the changes since the start."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from operator import is_

import attrs

from northflank_async.simulator.changes import Added, ChangedListing, ListingChanges
from northflank_async.simulator.identifiers import unused_id
from northflank_async.simulator.inventory import (
    EPOCH,
    Addon,
    Backup,
    Json,
    Listing,
    iso,
    milliseconds,
    random_bytes,
    uid,
    without,
)
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.runs import NEVER, Run, RunGenerator, SimulatedTime, computed_run

STORAGE = ("compressionType", "additionalDestinations")  # fields of `config` in listings only
DESTINATION = "customDestinationId"  # a field in listings only


@attrs.frozen(kw_only=True, eq=False)
class StoredBackup:
    """A backup: a computed one with an `age`, or a created one with a `serial` number across all addons."""

    addon: Addon
    id: str
    created: int
    source: str
    size: int
    payload: Json
    run: Run
    age: int | None = None
    serial: int = 0

    @classmethod
    def computed(cls, backup: Backup) -> "StoredBackup":
        """A backup of the computed inventory."""
        return cls(
            addon=backup.addon,
            id=backup.id,
            created=backup.created,
            source=backup.source,
            size=backup.size,
            payload=backup.listed(),
            run=computed_run(backup.status, backup.created, backup.completed),
            age=backup.age,
        )

    @property
    def is_dump(self) -> bool:
        """Whether it is a native dump, the only kind with a download link and logs."""
        return self.source != "snapshot"

    @property
    def computed_restores(self) -> Listing:
        """The restores in the computed inventory."""
        return Listing(0, lambda _: {}) if self.age is None else self.addon.backup_at(self.age).restores


@attrs.frozen(kw_only=True, eq=False)
class StoredRestore:
    """A restore of a backup into `addon`, which may differ from the backup's own addon."""

    addon: Addon
    backup: StoredBackup
    id: str
    created: int
    payload: Json
    run: Run


@attrs.define
class AddonChanges:
    """The changes to one addon since the start."""

    backups: ListingChanges[StoredBackup] = attrs.field(factory=ListingChanges)
    restores: ListingChanges[StoredRestore] = attrs.field(factory=ListingChanges)  # into this addon
    restores_of: dict[str, ListingChanges[StoredRestore]] = attrs.field(factory=dict)  # by backup id, of this addon
    aborted: dict[str, Run] = attrs.field(factory=dict)  # runs, by the id of the backup or restore


@attrs.frozen(kw_only=True)
class Backups:
    """All backups and restores. Those of an unchanged addon are computed and take no memory."""

    seed: int
    time: SimulatedTime
    run_generator: RunGenerator
    _changes: dict[int, AddonChanges] = attrs.field(factory=dict)
    _serials: Iterator[int] = attrs.field(factory=count)

    def listing(self, addon: Addon) -> Listing | ChangedListing[StoredBackup]:
        """All backups of the addon, newest first."""
        if addon.number not in self._changes:
            return addon.backups
        changes = self._of(addon)
        base = Listing(addon.backup_count, lambda age: self._computed(addon.backup_at(age), changes))
        return changes.backups.apply(base, self.listed)

    def created(self) -> Iterator[Added[StoredBackup]]:
        """The backups created since the start, including deleted ones, addon by addon."""
        for changes in self._changes.values():
            yield from changes.backups.entries

    def find(self, addon: Addon, backup_id: str) -> StoredBackup | None:
        """The backup with this id."""
        changes = self._of(addon)
        added = changes.backups.find_added(lambda backup: backup.id == backup_id)
        if added is not None:
            return added.item
        backup = addon.backup(backup_id)
        if backup is None or not changes.backups.has_computed(backup.age):
            return None
        return StoredBackup.computed(backup)

    def run(self, backup: StoredBackup) -> Run:
        """The backup's run."""
        return self._of(backup.addon).aborted.get(backup.id, backup.run)

    def status(self, backup: StoredBackup) -> str:
        """The backup's status."""
        return self.run(backup).status(self.time.now())

    def listed(self, backup: StoredBackup) -> Json:
        """The JSON of the backup in a listing."""
        run = self.run(backup).describe(self.time.now())
        listed = {**backup.payload, **run}
        if run["status"] == "completed" and "config" in listed:
            listed["config"] = {**listed["config"], "size": str(backup.size)}
        return listed

    def details(self, backup: StoredBackup) -> Json:
        """The JSON of the backup alone."""
        details = without(self.listed(backup), DESTINATION)
        if "config" in details:
            details["config"] = without(details["config"], *STORAGE)
        if newest := self.restores_of(backup).slice(0, 1):
            details["lastRestore"] = without(newest[0], "id")
        return details

    def create(
        self, addon: Addon, source: str, settings: Json, *, size: int | None = None, outcome: str | None = None
    ) -> StoredBackup:
        """Start a backup with the settings in the request's body.

        `size` and `outcome` are those of an import; by default, they are random.
        """
        now = self.time.now()
        changes = self._change(addon)
        serial = len(changes.backups.entries)
        random = random_bytes(self.seed, "created backup", addon.number, serial)
        name = settings.get("name", f"Backup {EPOCH + timedelta(milliseconds=now):%Y-%m-%d %H:%M:%S}")
        config = {name: settings[name] for name in STORAGE if name in settings}
        if source != "snapshot":
            config.setdefault("compressionType", "gz")
        destination = {DESTINATION: settings[DESTINATION]} if DESTINATION in settings else {}
        taken = {entry.item.id for entry in changes.backups.entries}
        backup_id = unused_id(name, lambda candidate: candidate in taken or addon.backup(candidate) is not None)
        backup = StoredBackup(
            addon=addon,
            id=backup_id,
            created=now,
            source=source,
            size=addon.size + addon.size * (random[16] - 128) // 12800 if size is None else size,
            payload={
                "id": backup_id,
                "name": name,
                "uid": uid(random),
                "createdAt": iso(now),
                "config": {"source": {"type": source}, "size": "0", "addonVersion": addon.versions[0], **config},
                **destination,
            },
            run=self.run_generator.start(now, "backup", addon.number, serial, outcome=outcome),
            serial=next(self._serials),
        )
        changes.backups.add(backup)
        return backup

    def delete(self, backup: StoredBackup) -> None:
        """Delete the backup and its restores."""
        changes = self._change(backup.addon)
        for entry in changes.restores_of.pop(backup.id, ListingChanges()).entries:
            self._change(entry.item.addon).restores.remove_added(partial(is_, entry.item))
        if backup.age is None:
            changes.backups.remove_added(partial(is_, backup))
            return
        addon = backup.addon
        first = bisect_left(range(addon.restores.length), backup.age, key=lambda index: addon.restored(index)[0].age)
        changes.restores.remove_computed(range(first, first + backup.computed_restores.length))
        changes.backups.remove_computed([backup.age])

    def forget(self, addon: Addon) -> None:
        """Forget the backups of a deleted addon, and the restores into it."""
        self._changes.pop(addon.number, None)

    def abort(self, backup: StoredBackup) -> None:
        """Abort the backup; raise a 409 unless it is running."""
        self._abort(backup.addon, "backup", backup.id, self.run(backup))

    def restores(self, addon: Addon) -> Listing | ChangedListing[StoredRestore]:
        """All restores into the addon, those of the newest backup first."""
        if addon.number not in self._changes:
            return addon.restores
        changes = self._of(addon)
        base = Listing(addon.restores.length, lambda index: self._computed_restore(addon.restores.item(index), changes))
        return changes.restores.apply(base, lambda restore: {**self._restore(restore), "backupId": restore.backup.id})

    def restores_of(self, backup: StoredBackup) -> Listing | ChangedListing[StoredRestore]:
        """All restores of the backup, into any addon, newest first."""
        computed = backup.computed_restores
        if backup.addon.number not in self._changes:
            return computed
        changes = self._of(backup.addon)
        base = Listing(computed.length, lambda index: self._computed_restore(computed.item(index), changes))
        return changes.restores_of.get(backup.id, ListingChanges[StoredRestore]()).apply(base, self._restore)

    def restore(self, addon: Addon, backup: StoredBackup, outcome: str | None = None) -> StoredRestore:
        """Start a restore of the backup into the addon; `outcome` is how it ends, if not at random."""
        now = self.time.now()
        of_backup = self._change(backup.addon).restores_of.setdefault(backup.id, ListingChanges())
        serial = len(of_backup.entries)
        key = (backup.addon.number, backup.id, serial)
        restore_id = random_bytes(self.seed, "created restore", *key)[:12].hex()
        restore = StoredRestore(
            addon=addon,
            backup=backup,
            id=restore_id,
            created=now,
            payload={"id": restore_id, "restoreTimestamp": iso(now)},
            run=self.run_generator.start(now, "restore", *key, outcome=outcome),
        )
        of_backup.add(restore)
        position = bisect_left(
            range(addon.restores.length), -backup.created, key=lambda index: -addon.restored(index)[0].created
        )
        self._change(addon).restores.add(restore, position, (-backup.created,))
        return restore

    def find_restore(self, backup: StoredBackup, restore_id: str) -> Run | None:
        """The run of the backup's restore with this id."""
        changes = self._of(backup.addon)
        added = changes.restores_of.get(backup.id, ListingChanges()).find_added(
            lambda restore: restore.id == restore_id
        )
        computed = backup.computed_restores
        runs = (_run_of(item) for item in computed.slice(0, computed.length) if item["id"] == restore_id)
        run = added.item.run if added else next(runs, None)
        return run and changes.aborted.get(restore_id, run)

    def abort_restore(self, backup: StoredBackup, restore_id: str, run: Run) -> None:
        """Abort a restore of the backup; raise a 409 unless it is running."""
        self._abort(backup.addon, "restore", restore_id, run)

    def _abort(self, addon: Addon, kind: str, run_id: str, run: Run) -> None:
        now = self.time.now()
        aborted = run.abort(now)
        if aborted is None:
            raise Rejection(409, f"The {kind} {run_id} is not running: it is {run.status(now)}.")
        self._change(addon).aborted[run_id] = aborted

    def _computed(self, backup: Backup, changes: AddonChanges) -> Json:
        return self.listed(StoredBackup.computed(backup)) if backup.id in changes.aborted else backup.listed()

    def _computed_restore(self, item: Json, changes: AddonChanges) -> Json:
        run = changes.aborted.get(item["id"])
        return item if run is None else {**item, **run.describe(self.time.now())}

    def _restore(self, restore: StoredRestore) -> Json:
        run = self._of(restore.backup.addon).aborted.get(restore.id, restore.run)
        return {**restore.payload, **run.describe(self.time.now())}

    def _of(self, addon: Addon) -> AddonChanges:
        return self._changes.get(addon.number) or AddonChanges()

    def _change(self, addon: Addon) -> AddonChanges:
        return self._changes.setdefault(addon.number, AddonChanges())


def _run_of(restore: Json) -> Run:
    began = milliseconds(restore["restoreTimestamp"])
    ended = milliseconds(restore["completedAt"]) if "completedAt" in restore else NEVER
    return computed_run(restore["status"], began, ended)
