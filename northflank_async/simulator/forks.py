"""Which backup a new addon can be forked from."""

from collections.abc import Callable

from northflank_async.simulator.account import Account
from northflank_async.simulator.addons import VERSIONS
from northflank_async.simulator.backups import StoredBackup
from northflank_async.simulator.inventory import Addon, Json, Project, uid
from northflank_async.simulator.responses import Rejection, found
from northflank_async.simulator.validation import reject

FORKABLE = ("mongodb", "postgresql", "mysql")


def resolve_version(settings: Json) -> str:
    """The version that the settings of a new addon name: a complete one, a major version or `latest`."""
    kind, version = settings["type"], settings["version"]
    if kind not in VERSIONS:
        reject({"type": f"must be one of {', '.join(VERSIONS)}"})
    versions = VERSIONS[kind]
    for known in versions:
        if version in (known, "latest", _major(known)):
            return known
    reject({"version": f"must be latest or one of {', '.join(versions)}"})
    raise AssertionError


def find_by_uid(account: Account, backup_uid: str) -> StoredBackup | None:
    """The backup with this uid, in any addon."""
    for added in account.backups.created():
        if added.item.payload["uid"] == backup_uid and not added.is_removed:
            return added.item
    for addon in account.addons.all():
        for age in range(addon.backup_count):
            backup = addon.backup_at(age)
            if uid(backup.random) == backup_uid:
                return account.backups.find(addon, backup.id)
    return None


def check_fork(account: Account, backup: StoredBackup, project: Project, settings: Json) -> None:
    """Check that a new addon with these settings can be forked from the backup.

    Raises:
        Rejection: The backup is a dump, not completed, of another type or a later version, in another region without
            being global, or larger than the storage.
    """
    source, kind = backup.addon, settings["type"]
    status = account.backups.status(backup)
    if backup.is_dump:
        raise Rejection(400, f"The backup {backup.id} is a dump: only snapshots can be forked.")
    if status != "completed":
        raise Rejection(409, f"The backup {backup.id} cannot be forked: it is {status}.")
    if kind not in FORKABLE:
        raise Rejection(400, f"Addons of the type {kind} cannot be forked.")
    if kind != source.type:
        raise Rejection(400, f"The backup {backup.id} is of the type {source.type}, not {kind}.")
    version = backup.payload["config"]["addonVersion"]
    if _major(version) != _major(settings["version"]) or _parts(settings["version"]) < _parts(version):
        raise Rejection(400, f"The backup {backup.id} is of version {version}, not {settings['version']}.")
    is_global = settings["source"].get("backupType") == "global"
    if is_global and not backup.payload["config"].get("additionalDestinations"):
        raise Rejection(400, f"The backup {backup.id} is not in a backup destination.")
    if not is_global and source.project.region != project.region:
        raise Rejection(400, f"The backup {backup.id} is in the region {source.project.region}, not {project.region}.")
    needed = source.details()["spec"]["config"]["deployment"]["storageSize"]
    if settings["billing"]["storage"] < needed:
        raise Rejection(400, f"The storage must be at least {needed} MB, like that of {source.id}.")


def find_source(
    account: Account, project: Project, source: Json, find_addon: Callable[[str, str], Addon]
) -> StoredBackup:
    """The backup that `source` in a request's body names; `find_addon` takes the ids of a project and an addon."""
    if "backupUid" in source:
        return found(find_by_uid(account, source["backupUid"]), "backup", source["backupUid"])
    addon = find_addon(source.get("projectId", project.id), source["addonId"])
    return found(account.backups.find(addon, source["backupId"]), "backup", source["backupId"])


def _major(version: str) -> str:
    return version.partition(".")[0]


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
