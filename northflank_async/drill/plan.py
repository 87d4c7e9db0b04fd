"""What a drill is going to do, from what the API says of the addon, its backup and the scratch project."""

import math
from typing import Any

from attrs import evolve, field, frozen

from northflank_async.errors import ConfigurationError, DeadlineExceeded, NorthflankError, RateLimited
from northflank_async.inventory.drills import DrillOutcome
from northflank_async.records import (
    Addon,
    AddonSource,
    AddonType,
    AddonTypeFeatures,
    Backup,
    CompressionType,
    Project,
    RunStatus,
    SourceBackupType,
    SourceType,
)
from northflank_async.resources import AccountResource, AddonResource
from northflank_async.resources.wait import outcome_of

FORK, IMPORT = "fork", "import"


@frozen(kw_only=True)
class Plan:
    """What is restored, and how.

    Args:
        addon_type: the type of the addon.
        backup: the backup; `None` if there is no completed one.
        method: `FORK` or `IMPORT`.
        settings: the arguments that create the scratch addon, except its name and description.
        notes: what is not known, and what is assumed instead.
        obstacle: why the drill cannot be made, and its outcome; `None` if it can.
    """

    addon_type: str
    backup: Backup | None = None
    method: str | None = None
    settings: dict[str, Any] = field(factory=dict)
    notes: tuple[str, ...] = ()
    obstacle: tuple[DrillOutcome, str] | None = None


async def make_plan(
    account: AccountResource, source: tuple[str, str], scratch_project_id: str, backup_id: str | None
) -> Plan:
    """Read what a drill needs to know. Nothing is changed.

    Args:
        account: the account or team.
        source: the ids of the project and the addon.
        scratch_project_id: where the scratch addon is to be created.
        backup_id: the backup; `None` for the newest completed one.

    Raises:
        ConfigurationError: the API does not say the type of the addon.
        NorthflankError: the addon, the backup or the scratch project cannot be read.
    """
    resource = account.project(source[0]).addon(source[1])
    addon = await resource.get()
    addon_type = addon.spec.type if addon.spec else None
    if not addon_type:
        raise ConfigurationError(f"the API does not say the type of the addon {source[1]}, so it cannot be drilled")
    scratch = await account.project(scratch_project_id).get()
    backup, notes = await _choose_backup(resource, backup_id)
    plan = Plan(addon_type=addon_type, backup=backup, notes=notes)
    if backup is None:
        return evolve(plan, obstacle=(DrillOutcome.FAILED, "the addon has no completed backup"))
    if not _is_completed(backup):
        state = outcome_of(backup)
        is_over = backup.status != RunStatus.COMPLETED and state is not None
        outcome = DrillOutcome.FAILED if is_over else DrillOutcome.UNKNOWN
        return evolve(plan, obstacle=(outcome, f"the backup {backup.id} is not completed: it is {backup.status}"))
    plan = await _plan_restore(account, plan, backup, addon)
    return plan if plan.obstacle else _with_source(plan, addon, scratch, source, is_listed=backup_id is None)


def _is_completed(backup: Backup) -> bool:
    return backup.status == RunStatus.COMPLETED


async def _choose_backup(addon: AddonResource, backup_id: str | None) -> tuple[Backup | None, tuple[str, ...]]:
    """Choose the newest completed backup, whatever the order in which they are listed."""
    if backup_id is not None:
        return await addon.backup(backup_id).get(), ()
    newest: Backup | None = None
    malformed = 0
    async for page in addon.backups().pages():
        for backup in page.read():
            if not isinstance(backup, Backup):
                malformed += 1
            elif _is_completed(backup) and (newest is None or backup.created_at > newest.created_at):
                newest = backup
    note = f"{malformed} of the listed backups cannot be read: one of them may be newer"
    if newest is not None and (newest.config is None or newest.config.source is None):  # listings may omit it
        newest = await addon.backup(newest.id).get()
    return newest, (note,) if malformed else ()


async def _plan_restore(account: AccountResource, plan: Plan, backup: Backup, addon: Addon) -> Plan:
    kind = backup.config.source.type if backup.config and backup.config.source else None
    if kind is None:
        return evolve(
            plan, obstacle=(DrillOutcome.UNKNOWN, "the API does not say whether the backup is a snapshot or a dump")
        )
    is_dump = kind not in (SourceType.SNAPSHOT, SourceType.GLOBAL)
    features, notes = await _features(account, plan.addon_type)
    plan = evolve(plan, method=IMPORT if is_dump else FORK, notes=plan.notes + notes)
    possible = features.import_dump if is_dump else features.fork_addon
    if possible is False:
        what = "dumps cannot be imported" if is_dump else "snapshots cannot be forked"
        reason = f"{what} into another addon of the type {plan.addon_type}, so that no drill can prove this backup"
        return evolve(plan, obstacle=(DrillOutcome.UNKNOWN, reason))
    if possible is None:
        feature = "importDump" if is_dump else "forkAddon"
        plan = _noting(plan, f"the API does not say whether the type {plan.addon_type} can do this ({feature})")
    if is_dump and backup.config and backup.config.compression_type == CompressionType.ZSTD:
        plan = _noting(plan, "the API documents the import of .gz files only, and this dump is compressed with zstd")
    return _with_settings(plan, backup, addon)


async def _features(account: AccountResource, addon_type: str) -> tuple[AddonTypeFeatures, tuple[str, ...]]:
    """What the type can do, as far as that is known."""
    try:
        types: list[AddonType] = await account.addon_types()
    except (DeadlineExceeded, RateLimited):
        raise
    except NorthflankError as error:
        return AddonTypeFeatures(), (f"the addon types cannot be read: {error}",)
    found = next((each for each in types if each.type == addon_type), None)
    return (found and found.features) or AddonTypeFeatures(), ()


def _with_settings(plan: Plan, backup: Backup, addon: Addon) -> Plan:
    """Add the settings of the scratch addon: like the source, but with one replica and without external access."""
    config = addon.spec.config if addon.spec else None
    deployment = config.deployment if config else None
    plan_id = deployment.plan_id if deployment else None
    storage = deployment.storage_size if deployment else None
    version = backup.config.addon_version if backup.config else None
    if version is None and config is not None and config.version_tag is not None:
        version = config.version_tag
        plan = _noting(plan, f"the API does not say the backup's version: that of the addon is used, {version}")
    facts = {"version": version, "deployment plan": plan_id, "storage size": storage}
    if unknown := [name for name, value in facts.items() if value is None]:
        reason = f"the API does not say the addon's {' and '.join(unknown)}"
        return evolve(plan, obstacle=(DrillOutcome.UNKNOWN, reason))
    assert storage is not None
    networking = config.networking if config else None
    settings: dict[str, Any] = {
        "addon_type": plan.addon_type,
        "version": version,
        "deployment_plan": plan_id,
        "storage": math.ceil(storage),
        "storage_class": deployment.storage_class if deployment else None,
        "replicas": 1,
        "tls_enabled": networking.tls_enabled if networking else None,
        "external_access_enabled": False,
        "type_specific_settings": config.type_specific_settings if config else None,
    }
    return evolve(plan, settings=settings)


def _with_source(plan: Plan, addon: Addon, scratch: Project, source: tuple[str, str], *, is_listed: bool) -> Plan:
    """Add the source of a fork; in another region, only a copy in a backup destination can be forked."""
    backup = plan.backup
    if plan.method != FORK or backup is None:
        return plan
    config = addon.spec.config if addon.spec else None
    here = (config.deployment.region if config and config.deployment else None) or (config.region if config else None)
    there = scratch.deployment.region if scratch.deployment else None
    is_global = bool(backup.config and backup.config.source and backup.config.source.type == SourceType.GLOBAL)
    if here is None or there is None:
        plan = _noting(plan, "the API does not say whether the scratch project is in the region of the addon")
    elif here != there and not is_global:
        is_global = bool(backup.config and backup.config.additional_destinations)
        if not is_global and is_listed:
            reason = (
                f"the snapshot is in the region {here}, and the scratch project in {there}: use a scratch project in"
                f" {here}, or a backup with an additional destination"
            )
            return evolve(plan, obstacle=(DrillOutcome.UNKNOWN, reason))
        if not is_global:  # only listings name the destinations
            is_global = True
            plan = _noting(plan, "the backup is assumed to be in an additional destination: its region is another one")
    fork = AddonSource(
        project_id=source[0],
        addon_id=source[1],
        backup_id=backup.id,
        backup_type=SourceBackupType.GLOBAL if is_global else None,
    )
    return evolve(plan, settings={**plan.settings, "source": fork})


def _noting(plan: Plan, note: str) -> Plan:
    return evolve(plan, notes=(*plan.notes, note))
