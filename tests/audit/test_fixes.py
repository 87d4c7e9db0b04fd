"""Every fix is a command that the command line accepts."""

import shlex
from typing import Any

import click
import pytest

from northflank_async.audit import fixes
from northflank_async.audit.policy import RULES
from northflank_async.cli.app import NAME, program
from northflank_async.inventory import Inventory
from northflank_async.inventory.facts import AddonFacts
from northflank_async.records import BackupDestination, Scheduling
from tests.audit.facts import DAY, addon, backup, dump, restore, schedule, verdicts
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


def test_an_addon_without_a_dump_is_tested_by_making_one() -> None:
    fix = verdicts(addon([backup(DAY)]))["untested"].fix
    assert fix == "northflank-async backup addon --project billing --addon billing-db --backupType dump"


@pytest.mark.parametrize("schema", [None, "o'hara"])
def test_the_command_that_syncs_has_the_schema(schema: str | None) -> None:
    url = "postgresql://audit@db.example.com/backups"
    words = parse(fixes.sync(url, schema))
    assert words == ["export", url, "--restores", "--schedules", *([] if schema is None else ["--schema", schema])]
    inventory = Inventory(url, schema=schema) if schema else Inventory(url)
    assert (inventory.target, inventory.schema) == (url, schema)
