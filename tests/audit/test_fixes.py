"""Every fix is a command that the command line accepts."""

import shlex
from typing import Any

import click
import pytest
from attrs import evolve

from northflank_async.audit import fixes
from northflank_async.audit.policy import RULES, Policy
from northflank_async.audit.rules import Case, judge
from northflank_async.cli.app import NAME, program
from northflank_async.inventory import Inventory
from northflank_async.inventory.facts import AddonFacts
from northflank_async.records import BackupDestination, Scheduling
from tests.audit.facts import DAY, NOW, addon, backup, copy, dump, restore, schedule, verdicts
from tests.audit.test_rules import EVERYTHING_BAD

FAILED_DUMP = addon([dump(DAY, status="failed"), dump(2 * DAY), dump(3 * DAY, 1000)], schedules=None)
ODD = addon(
    [dump(DAY, 1), dump(2 * DAY, 1000)],
    team_id="red team",
    project_id="it's; rm -rf /",
    addon_id="-x",
    restores=[restore(DAY, "failed")],
    schedules=[
        schedule(
            "weekly",
            id="$(id)",
            backup_type="dump",
            retention_time=1,
            backup_compression_type="zstd",
            custom_destination_id="bucket",
            additional_destinations=(BackupDestination(destination_id="other", retention_time=30),),
        )
    ],
)


def parse(command: str) -> list[str]:
    """Parse a command as the command line would, without running it; return its words."""
    program_name, *words = shlex.split(command)
    assert program_name == NAME
    group: click.Command = program
    context = click.Context(program, info_name=NAME, **program.context_settings)
    rest = words
    while isinstance(group, click.Group):
        _, found, rest = group.resolve_command(context, rest)
        assert found is not None
        group = found
        if isinstance(group, click.Group):
            context = click.Context(group, info_name=group.name, parent=context)
    group.make_context(group.name, list(rest), parent=context)
    return words


@pytest.mark.parametrize("facts", [*(facts for _, facts in EVERYTHING_BAD), FAILED_DUMP, ODD])
def test_every_fix_is_a_valid_command_with_quoted_ids(facts: AddonFacts) -> None:
    policy = "\n".join(["[rules]", *(f'{rule} = "low"' for rule in RULES)])
    found = [verdict.fix for verdict in verdicts(facts, policy).values() if verdict.fix is not None]
    assert found
    for fix in found:
        for command in fix.split(" && "):
            words = parse(command)
            assert facts.project_id in words or "destinations" in command or words[:1] == ["export"]


def test_a_schedule_that_the_platform_cannot_keep_long_enough_has_no_fix() -> None:
    hourly = addon([backup(DAY)], schedules=[schedule("hourly", retention_time=7)])
    assert verdicts(hourly, '[rules.retention]\nat_least = "30d"')["retention"].fix is None
    daily = addon([backup(DAY)], schedules=[schedule(retention_time=7)])
    fix = verdicts(daily, '[rules.retention]\nat_least = "30d"')["retention"].fix
    assert fix is not None
    assert fix.endswith("--interval daily --backupType snapshot --hour 2 --minute 0 --retentionTime 30")
    unknown = schedule(retention_time=7, scheduling=Scheduling(interval="monthly"))
    assert verdicts(addon(schedules=[unknown]), '[rules.retention]\nat_least = "30d"')["retention"].fix is None


def test_every_short_schedule_is_replaced() -> None:
    short = [schedule(interval, id=interval, retention_time=1) for interval in ("hourly", "daily", "weekly")]
    fix = verdicts(addon([backup(DAY)], schedules=[*short, schedule(id="long", retention_time=60)]))["retention"].fix
    assert fix is not None
    commands = [parse(command) for command in fix.split(" && ")]
    assert [words[0] for words in commands] == ["delete", "create"] * 3
    times = [[word for word in words if word in ("--day", "--hour", "--minute")] for words in commands[1::2]]
    assert times == [["--minute"], ["--hour", "--minute"], ["--day", "--hour", "--minute"]]


@pytest.mark.parametrize("fields", [{"hour": (24,)}, {"minute": ()}, {"backup_type": "odd"}, {"backup_type": None}])
def test_a_schedule_that_could_not_be_created_again_is_not_deleted(fields: dict[str, Any]) -> None:
    facts = addon([backup(DAY)], schedules=[schedule(retention_time=1, **fields)])
    assert verdicts(facts)["retention"].fix is None


def fix_of(rule: str, facts: AddonFacts) -> str | None:
    return verdicts(facts, '[rules]\nno-offsite = "low"')[rule].fix


def test_an_addon_without_a_backup_that_can_be_drilled_is_tested_by_making_a_dump() -> None:
    make = "northflank-async backup addon --project billing --addon billing-db --backupType dump"
    assert fix_of("untested", addon()) == make
    assert fix_of("untested", addon([backup(DAY)], addon_type="redis")) == make  # its snapshots cannot be forked
    assert fix_of("untested", addon([dump(DAY, source_type="fileUpload")])) == make


def test_an_addon_is_tested_by_a_drill_of_its_newest_backup_that_can_be_restored_elsewhere() -> None:
    drill = "northflank-async drill --project billing --addon billing-db --backup {}"
    drill += " --scratch-project billing --allow-source-project --inventory inventory.db"
    backups = [dump(2 * DAY, id="d"), backup(DAY, id="s")]
    assert fix_of("untested", addon(backups)) == drill.format("s")
    assert fix_of("untested", addon(backups[:1])) == drill.format("d")


def test_a_dump_that_cannot_be_restored_elsewhere_on_the_platform_is_downloaded() -> None:
    backups = [dump(2 * DAY, id="d"), backup(DAY, id="s")]
    download = "northflank-async download addon backup --project billing --addon billing-db --backup d d.dump"
    assert fix_of("untested", addon(backups, addon_type="redis")) == download


def test_an_addon_is_mirrored_if_that_helps() -> None:
    mirror = "northflank-async mirror {} --project billing --newest 1 --inventory inventory.db"
    facts = addon([dump(2 * DAY, id="d"), backup(DAY)])
    assert fix_of("no-offsite", facts) == mirror.format("copies")
    with_copies = evolve(facts, copies=(copy(9 * DAY), copy(19 * DAY, destination="gs://older")))
    assert fix_of("no-offsite", with_copies) == mirror.format("s3://offsite")
    show = "northflank-async list backup-destinations"
    assert fix_of("no-offsite", addon([backup(DAY)])) == show
    assert fix_of("no-offsite", addon([dump(9 * DAY), backup(DAY)])) == show  # the copy would be too old
    assert fix_of("no-offsite", addon([dump(DAY, source_type="fileUpload")])) == show
    unstored = Case(facts=facts, rules=Policy.parse('[rules]\nno-offsite = "low"').rules, now=NOW)
    assert dict(judge(unstored))["no-offsite"].fix == show  # no inventory would know of the copy


@pytest.mark.parametrize("schema", [None, "o'hara"])
def test_the_command_that_syncs_has_the_schema(schema: str | None) -> None:
    url = "postgresql://audit@db.example.com/backups"
    words = parse(fixes.sync(url, schema))
    assert words == ["export", url, "--restores", "--schedules", *([] if schema is None else ["--schema", schema])]
    inventory = Inventory(url, schema=schema) if schema else Inventory(url)
    assert (inventory.target, inventory.schema) == (url, schema)
