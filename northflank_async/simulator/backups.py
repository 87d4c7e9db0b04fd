"""The backups and restores of every addon as they are now: the computed ones, and what was done since."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import count
from operator import is_
from uuid import UUID

import attrs

from northflank_async.simulator.answers import Refusal
from northflank_async.simulator.identifiers import free_id
from northflank_async.simulator.inventory import (
    EPOCH,
    Addon,
    Backup,
    Json,
    Listing,
    dice_of,
    iso,
    milliseconds,
    without,
)
from northflank_async.simulator.overlay import Added, Overlaid, Overlay
from northflank_async.simulator.runs import NEVER, Run, RunDraw, SimulatedTime, computed_run

STORAGE = ("compressionType", "additionalDestinations")  # what the listing says of the config, and the single GET not
ELSEWHERE = ("customDestinationId",)  # the same beside the config


@attrs.frozen(kw_only=True, eq=False)
class StoredBackup:
    """A backup; `age` is that of a computed one, and `serial` counts those that were created, of all addons."""

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
        """What the inventory computes."""
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
        """The restores that the inventory computes."""
        return Listing(0, lambda _: {}) if self.age is None else Backup(self.addon, self.age).restores


@attrs.frozen(kw_only=True, eq=False)
class StoredRestore:
    """A restore of a backup into `addon`, which may be another than the one that made the backup."""

    addon: Addon
    backup: StoredBackup
    id: str
    created: int
    payload: Json
    run: Run


@attrs.define
class AddonChanges:
    """What was done to one addon since the start."""

    backups: Overlay[StoredBackup] = attrs.field(factory=Overlay)
    restores: Overlay[StoredRestore] = attrs.field(factory=Overlay)  # into this addon
    restores_of: dict[str, Overlay[StoredRestore]] = attrs.field(factory=dict)  # of this addon's backups, by their ids
    aborted: dict[str, Run] = attrs.field(factory=dict)  # runs that were cut short, by the id of backup or restore


@attrs.frozen(kw_only=True)
class Backups:
    """All backups and restores; what nobody has touched is computed and takes no memory."""

    seed: int
    time: SimulatedTime
    draw: RunDraw
    _changes: dict[int, AddonChanges] = attrs.field(factory=dict)
    _serials: Iterator[int] = attrs.field(factory=count)

    def listing(self, addon: Addon) -> Listing | Overlaid[StoredBackup]:
        """All backups of the addon, newest first."""
        if addon.number not in self._changes:
            return addon.backups
        changes = self._of(addon)
        base = Listing(addon.backup_count, lambda age: self._computed(Backup(addon, age), changes))
        return changes.backups.over(base, self.listed)

    def created(self) -> Iterator[Added[StoredBackup]]:
        """What was created since the start, with what was deleted again, addon by addon."""
        for changes in self._changes.values():
            yield from changes.backups.entries

    def find(self, addon: Addon, backup_id: str) -> StoredBackup | None:
        """The backup of that id."""
        changes = self._of(addon)
        added = changes.backups.find(lambda backup: backup.id == backup_id)
        if added is not None:
            return added.item
        backup = addon.backup(backup_id)
        return StoredBackup.computed(backup) if backup is not None and changes.backups.has(backup.age) else None

    def run(self, backup: StoredBackup) -> Run:
        """How it goes."""
        return self._of(backup.addon).aborted.get(backup.id, backup.run)

    def status(self, backup: StoredBackup) -> str:
        """Its status now."""
        return self.run(backup).status(self.time.now())

    def listed(self, backup: StoredBackup) -> Json:
        """What the listing says of it now."""
        run = self.run(backup).describe(self.time.now())
        listed = {**backup.payload, **run}
        if run["status"] == "completed" and "config" in listed:
            listed["config"] = {**listed["config"], "size": str(backup.size)}
        return listed

    def details(self, backup: StoredBackup) -> Json:
        """What the single GET says of it now."""
        details = without(self.listed(backup), *ELSEWHERE)
        if "config" in details:
            details["config"] = without(details["config"], *STORAGE)
        if newest := self.restores_of(backup).slice(0, 1):
            details["lastRestore"] = without(newest[0], "id")
        return details

    def create(self, addon: Addon, source: str, settings: Json) -> StoredBackup:
        """Start a backup, with the name, the compression and the destinations of the request's body."""
        now = self.time.now()
        changes = self._change(addon)
        serial = len(changes.backups.entries)
        dice = dice_of(self.seed, "created backup", addon.number, serial)
        name = settings.get("name", f"Backup {EPOCH + timedelta(milliseconds=now):%Y-%m-%d %H:%M:%S}")
        config = {name: settings[name] for name in STORAGE if name in settings}
        if source != "snapshot":
            config.setdefault("compressionType", "gz")
        elsewhere = (
            {"customDestinationId": settings["customDestinationId"]} if "customDestinationId" in settings else {}
        )
        taken = {entry.item.id for entry in changes.backups.entries}
        backup_id = free_id(name, lambda free: free in taken or addon.backup(free) is not None)
        backup = StoredBackup(
            addon=addon,
            id=backup_id,
            created=now,
            source=source,
            size=addon.size + addon.size * (dice[16] - 128) // 12800,
            payload={
                "id": backup_id,
                "name": name,
                "uid": str(UUID(bytes=dice[:16], version=4)),
                "createdAt": iso(now),
                "config": {"source": {"type": source}, "size": "0", "addonVersion": addon.versions[0], **config},
                **elsewhere,
            },
            run=self.draw.run(now, "backup", addon.number, serial),
            serial=next(self._serials),
        )
        changes.backups.add(backup)
        return backup

    def delete(self, backup: StoredBackup) -> None:
        """Delete it and its restores."""
        changes = self._change(backup.addon)
        for entry in changes.restores_of.pop(backup.id, Overlay()).entries:
            self._change(entry.item.addon).restores.discard(partial(is_, entry.item))
        if backup.age is None:
            changes.backups.discard(partial(is_, backup))
            return
        addon = backup.addon
        first = bisect_left(range(addon.restores.length), backup.age, key=lambda index: addon.restored(index)[0].age)
        changes.restores.remove(range(first, first + backup.computed_restores.length))
        changes.backups.remove([backup.age])

    def abort(self, backup: StoredBackup) -> None:
        """Abort it, provided that it runs."""
        self._abort(backup.addon, "backup", backup.id, self.run(backup))

    def restores(self, addon: Addon) -> Listing | Overlaid[StoredRestore]:
        """All restores into the addon, those of the newest backup first."""
        if addon.number not in self._changes:
            return addon.restores
        changes = self._of(addon)
        base = Listing(addon.restores.length, lambda index: self._computed_restore(addon.restores.item(index), changes))
        return changes.restores.over(base, lambda restore: {**self._restore(restore), "backupId": restore.backup.id})

    def restores_of(self, backup: StoredBackup) -> Listing | Overlaid[StoredRestore]:
        """All restores of the backup into whatever addon, newest first."""
        computed = backup.computed_restores
        if backup.addon.number not in self._changes:
            return computed
        changes = self._of(backup.addon)
        base = Listing(computed.length, lambda index: self._computed_restore(computed.item(index), changes))
        return changes.restores_of.get(backup.id, Overlay[StoredRestore]()).over(base, self._restore)

    def restore(self, addon: Addon, backup: StoredBackup) -> StoredRestore:
        """Start to restore the backup into the addon."""
        now = self.time.now()
        of_backup = self._change(backup.addon).restores_of.setdefault(backup.id, Overlay())
        serial = len(of_backup.entries)
        key = (backup.addon.number, backup.id, serial)
        restore_id = dice_of(self.seed, "created restore", *key)[:12].hex()
        restore = StoredRestore(
            addon=addon,
            backup=backup,
            id=restore_id,
            created=now,
            payload={"id": restore_id, "restoreTimestamp": iso(now)},
            run=self.draw.run(now, "restore", *key),
        )
        of_backup.add(restore)
        position = bisect_left(
            range(addon.restores.length), -backup.created, key=lambda index: -addon.restored(index)[0].created
        )
        self._change(addon).restores.add(restore, position, (-backup.created,))
        return restore

    def find_restore(self, backup: StoredBackup, restore_id: str) -> Run | None:
        """The run of the backup's restore of that id."""
        changes = self._of(backup.addon)
        added = changes.restores_of.get(backup.id, Overlay()).find(lambda restore: restore.id == restore_id)
        computed = backup.computed_restores
        runs = (_run_of(item) for item in computed.slice(0, computed.length) if item["id"] == restore_id)
        run = added.item.run if added else next(runs, None)
        return run and changes.aborted.get(restore_id, run)

    def abort_restore(self, backup: StoredBackup, restore_id: str, run: Run) -> None:
        """Abort a restore of the backup, provided that it runs."""
        self._abort(backup.addon, "restore", restore_id, run)

    def _abort(self, addon: Addon, kind: str, run_id: str, run: Run) -> None:
        now = self.time.now()
        aborted = run.abort(now)
        if aborted is None:
            raise Refusal(409, f"The {kind} {run_id} does not run: it is {run.status(now)}.")
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
