"""The simulator's computed inventory."""

import hashlib
import itertools
import json
import re
import tracemalloc
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from northflank_async.simulator.inventory import OPEN, Addon, Backup, Inventory, Project

FACTS = Path(__file__).parents[1] / "facts"
SLUG = re.compile(r"[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LISTED = json.loads((FACTS / "list-addon-backups.json").read_text())["response_body"]["properties"]["data"]
BACKUP = LISTED["properties"]["backups"]["items"]["properties"]

DEFAULT = Inventory()


def projects(inventory: Inventory = DEFAULT) -> list[Project]:
    return [Project(inventory, index) for index in range(inventory.project_count)]


def addons(inventory: Inventory = DEFAULT) -> list[Addon]:
    return [Addon(project, index) for project in projects(inventory) for index in range(inventory.addon_count)]


def backups(inventory: Inventory = DEFAULT) -> Iterator[Backup]:
    return (Backup(addon, age) for addon in addons(inventory) for age in range(addon.backup_count))


def everything(listing: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = listing.slice(0, listing.length)
    return items


def listed_backups() -> Iterator[dict[str, Any]]:
    return itertools.chain.from_iterable(everything(addon.backups) for addon in addons())


def validator(name: str) -> jsonschema.Draft202012Validator:
    """The documented schema of an endpoint, made strict: nothing undocumented, and every time in the right format."""
    schema = json.loads((FACTS / f"{name}.json").read_text())["response_body"]
    tighten(schema)
    return jsonschema.Draft202012Validator(schema)


def tighten(schema: dict[str, Any]) -> None:
    if "properties" in schema:
        schema["additionalProperties"] = False
        for name, part in schema["properties"].items():
            tighten(part)
            if name in ("createdAt", "completedAt", "restoreTimestamp"):
                part["pattern"] = f"^{TIME.pattern}$"
    if "items" in schema:
        tighten(schema["items"])


def listing(key: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": {key: items}, "pagination": {"hasNextPage": False, "count": len(items)}}


def test_projects_match_the_documented_schemas() -> None:
    validator("list-projects").validate(listing("projects", everything(DEFAULT.projects)))
    for project in projects():
        validator("get-project").validate({"data": project.details()})


def test_addons_match_the_documented_schemas() -> None:
    for project in projects():
        validator("list-addons").validate(listing("addons", everything(project.addons)))
    for addon in addons():
        validator("get-addon").validate({"data": addon.details()})


def test_listed_backups_match_the_documented_schema_but_running_ones_have_no_completed_at() -> None:
    schema = validator("list-addon-backups")
    for addon in addons():
        items = everything(addon.backups)
        for backup in items:
            if backup["status"] in OPEN:
                assert "completedAt" not in backup
                backup["completedAt"] = backup["createdAt"]
        schema.validate(listing("backups", items))


def test_single_backups_match_the_documented_schema() -> None:
    schema = validator("get-addon-backup")
    for backup in backups():
        schema.validate({"data": backup.details()})


def test_restores_match_the_documented_schemas() -> None:
    of_addons, of_backups = validator("list-addon-restores"), validator("list-addon-backup-restores")
    for addon in addons():
        of_addons.validate(listing("restores", everything(addon.restores)))
    for backup in backups():
        if backup.restore_count:
            of_backups.validate(listing("restores", everything(backup.restores)))


def test_single_and_listed_items_agree() -> None:
    for addon in addons():
        listed, details = addon.listed(), addon.details()
        assert listed["spec"]["type"] == details["spec"]["type"]
        assert {**details, "spec": None} | {**listed, "spec": None} == {**details, "spec": None}
    for backup in backups():
        listed, details = backup.listed(), backup.details()
        assert details.get("config", {}).items() <= listed.get("config", {}).items()
        assert all(details[key] == listed[key] for key in ("id", "name", "uid", "status", "createdAt"))
        assert details.get("completedAt") == listed.get("completedAt")


def test_the_default_inventory_is_the_same_on_every_machine() -> None:
    digest = hashlib.sha256()
    for project in projects():
        digest.update(json.dumps([project.listed(), project.details()]).encode())
    for addon in addons():
        digest.update(json.dumps([addon.details(), everything(addon.backups), everything(addon.restores)]).encode())
    for backup in backups():
        digest.update(json.dumps(backup.details()).encode())
    assert digest.hexdigest() == "9cbfece8bf3a0e2b505805c4758acee296ca278e251d9da12b20d30e4cc519d0"


def test_another_seed_gives_another_inventory_of_the_same_size() -> None:
    other = Inventory(seed=1)
    assert [addon.backup_count for addon in addons(other)] == [addon.backup_count for addon in addons()]
    assert {backup.listed()["uid"] for backup in backups(other)}.isdisjoint(b["uid"] for b in listed_backups())


def test_the_inventory_has_the_default_size() -> None:
    counts = [addon.backup_count for addon in addons()]
    assert (len(projects()), len(counts), sum(counts)) == (5, 20, 3000)
    assert counts[0] > 150
    assert max(counts) >= 240
    assert min(counts) == 0


@pytest.mark.parametrize("average", [0, 1, 3, 100])
def test_five_addons_have_five_times_the_average(average: int) -> None:
    counts = [addon.backup_count for addon in addons(Inventory(project_count=5, addon_count=1, backup_average=average))]
    assert sum(counts) == 5 * average


def test_the_documented_examples_exist() -> None:
    project = DEFAULT.project("default-project")
    assert project is not None
    addon = project.addon("example-addon")
    assert addon is not None
    backup = addon.backup("example-backup")
    assert backup is not None
    assert (project.index, addon.index, backup.age) == (0, 0, 0)
    assert backup.status == "completed"
    assert backup.source == "snapshot"
    assert backup.restores.length >= 1


def test_every_id_is_a_slug_and_finds_only_its_item() -> None:
    inventory = Inventory(project_count=40, addon_count=14, backup_average=3)
    ids = []
    for project in projects(inventory):
        found = inventory.project(project.id)
        assert found is not None
        assert found.index == project.index
        ids.append(project.id)
    for addon in addons(inventory):
        same = addon.project.addon(addon.id)
        assert same is not None
        assert same.number == addon.number
        ids.append(addon.id)
    for backup in backups(inventory):
        again = backup.addon.backup(backup.id)
        assert again is not None
        assert again.age == backup.age
        ids.append(backup.id)
    assert all(SLUG.fullmatch(name) for name in ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    "name", ["", "-", "nothing", "billing-1", "billing-02", "billing-2", "Billing", "billing-", "default-project-2"]
)
def test_a_project_is_found_only_by_its_exact_id(name: str) -> None:
    assert DEFAULT.project(name) is None


@pytest.mark.parametrize("name", ["", "database", "default-project-documents", "billing-database", "example-addon-2"])
def test_an_addon_is_found_only_by_its_exact_id(name: str) -> None:
    assert projects()[0].addon(name) is None


def test_a_backup_is_found_only_by_its_exact_id() -> None:
    first = addons()[0]
    real = Backup(first, 1).id
    day, number = real.split("-")[-2:]
    wrong = ["", "225", "-1", f"example-addon-{day}-225", f"example-addon-{day}-0", f"example-addon-{day}-0{number}"]
    wrong += [f"example-addon-19990101-{number}", f"other-{day}-{number}", real.upper(), f"{real}" + "9" * 5000]
    assert first.backup(real) is not None
    assert [first.backup(name) for name in wrong] == [None] * len(wrong)


def test_every_status_source_and_compression_occurs() -> None:
    statuses, sources, compressions = set(), set(), set()
    for backup in listed_backups():
        statuses.add(backup["status"])
        config = backup.get("config", {})
        sources.add(config.get("source", {}).get("type"))
        compressions.add(config.get("compressionType"))
    config = BACKUP["config"]["properties"]
    assert statuses == set(BACKUP["status"]["enum"])
    assert sources == {None, *config["source"]["properties"]["type"]["enum"]}
    assert compressions == {None, *config["compressionType"]["enum"]}


def test_only_dumps_are_compressed_and_only_snapshots_have_additional_destinations() -> None:
    kept_days, custom = set(), 0
    for backup in listed_backups():
        config = backup.get("config")
        if config is None:
            assert backup["status"] == "failed"
            continue
        is_snapshot = config["source"]["type"] == "snapshot"
        assert is_snapshot != ("compressionType" in config)
        assert is_snapshot or "additionalDestinations" not in config
        assert not (is_snapshot and "customDestinationId" in backup)
        custom += "customDestinationId" in backup
        kept_days |= {place.get("retentionTime") for place in config.get("additionalDestinations", ())}
    assert custom
    assert {None, 7, 30} <= kept_days


def test_some_failed_backups_have_a_config_and_some_do_not() -> None:
    assert {"config" in backup for backup in listed_backups() if backup["status"] == "failed"} == {True, False}


def test_only_the_newest_backup_can_be_running() -> None:
    assert all(backup.age == 0 for backup in backups() if backup.status in OPEN)


def test_backups_are_listed_newest_first_at_scheduled_times() -> None:
    for addon in addons():
        times = [datetime.fromisoformat(backup["createdAt"]) for backup in everything(addon.backups)]
        assert all(time < datetime.fromisoformat("2026-11-01T12:00:00Z") for time in times)
        for newer, older in itertools.pairwise(times):
            assert abs((newer - older).total_seconds() - addon.period / 1000) < 10


def test_times_are_in_order_and_none_is_in_the_future() -> None:
    for project in projects():
        for addon in (Addon(project, index) for index in range(4)):
            assert project.details()["createdAt"] < addon.details()["createdAt"]
            for backup in (Backup(addon, age) for age in range(addon.backup_count)):
                item = backup.listed()
                times = [addon.details()["createdAt"], item["createdAt"], item.get("completedAt", item["createdAt"])]
                for restore in reversed(everything(backup.restores)):
                    times += [restore["restoreTimestamp"], restore.get("completedAt", restore["restoreTimestamp"])]
                assert times == sorted(times)
                assert times[-1] < "2026-11-01T12:00:00.000Z"


def test_sizes_grow_and_reach_terabytes() -> None:
    largest = 0
    for addon in addons():
        sizes = (Backup(addon, age).size for age in range(addon.backup_count))
        done = [size for size in sizes if size]
        largest = max([largest, *done])
        if done:
            quarter = len(done) // 4
            assert min(done[:quarter]) > max(done[-quarter:])
    assert largest > 10**12


def test_an_addon_lists_the_restores_of_its_backups() -> None:
    statuses = set()
    for addon in addons():
        of_backups = []
        for backup in (Backup(addon, age) for age in range(addon.backup_count)):
            restores = everything(backup.restores)
            of_backups += [{**restore, "backupId": backup.id} for restore in restores]
            latest = backup.details().get("lastRestore")
            assert latest == ({k: v for k, v in restores[0].items() if k != "id"} if restores else None)
            assert not restores or backup.status == "completed"
        assert everything(addon.restores) == of_backups
        assert addon.backup_count < 40 or addon.restores.length >= 10
        assert all(re.fullmatch("[0-9a-f]{24}", restore["id"]) for restore in of_backups)
        assert all(("completedAt" in restore) == (restore["status"] not in OPEN) for restore in of_backups)
        statuses |= {restore["status"] for restore in of_backups}
    assert statuses == set(BACKUP["status"]["enum"])
    assert max(backup.restore_count for backup in backups()) >= 3


@pytest.mark.parametrize("average", range(0, 60, 7))
def test_the_number_of_restores_fits_any_number_of_backups(average: int) -> None:
    for addon in addons(Inventory(project_count=2, addon_count=5, backup_average=average)):
        counts = [Backup(addon, age).restore_count for age in range(addon.backup_count)]
        assert addon.restores.length == sum(counts)
        assert [restore["backupId"] for restore in everything(addon.restores)] == [
            Backup(addon, age).id for age, count in enumerate(counts) for _ in range(count)
        ]


def test_a_million_backups_take_no_memory() -> None:
    tracemalloc.start()
    try:
        inventory = Inventory(project_count=100, addon_count=100, backup_average=100)
        assert inventory.project_count * inventory.addon_count * inventory.backup_average == 1_000_000
        last = addons(inventory)[-1]
        found = inventory.project(last.project.id)
        assert found is not None
        assert found.addon(last.id) is not None
        listing = last.backups
        assert len(listing.slice(0, 50)) == len(listing.slice(listing.length - 50, 50)) == 50
        assert Backup(last, last.backup_count - 1).number == 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_a_very_long_history_has_valid_dates() -> None:
    addon = addons(Inventory(project_count=1, addon_count=3, backup_average=1_000_000))[2]
    assert addon.backup_count == 2_000_000
    oldest = addon.backups.slice(1_999_999, 1)[0]
    assert TIME.fullmatch(oldest["createdAt"])
