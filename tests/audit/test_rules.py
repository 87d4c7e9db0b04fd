from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve

from northflank_async.audit.policy import RULES
from northflank_async.inventory.facts import AddonFacts, CopyFact
from northflank_async.records import BackupDestination, Scheduling
from tests.audit.facts import DAY, HOUR, NOW, addon, ago, backup, copy, dump, outcome, restore, schedule, verdicts

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
DAILY = (schedule(),)  # at 02:00, and it is 12:00


def healthy(**fields: Any) -> AddonFacts:
    backups = [backup(10 * HOUR - 5 * SECOND + number * DAY) for number in range(9)]
    given: dict[str, Any] = {"schedules": DAILY, "restores": [restore(DAY)], **fields}
    return addon(given.pop("backups", backups), **given)


def test_a_healthy_addon_passes_every_rule() -> None:
    assert verdicts(healthy()) == {}


@pytest.mark.parametrize("facts", [healthy(status="paused"), healthy(status="deleted"), healthy(is_deleted=True)])
def test_a_paused_or_deleted_addon_is_skipped(facts: AddonFacts) -> None:
    assert verdicts(facts) == {}
    assert verdicts(addon(status=facts.status, is_deleted=facts.is_deleted, schedules=None)) == {}


def test_an_addon_that_could_not_be_read_has_no_other_finding() -> None:
    found = verdicts(addon(schedules=None, restores=None, unreadable="403"))
    assert list(found) == ["unreadable"]
    assert found["unreadable"].severity == "high"
    assert "403" in found["unreadable"].message


@pytest.mark.parametrize(("age", "expected"), [(26 * HOUR, None), (26 * HOUR + SECOND, "high")])
def test_data_older_than_26_hours_are_stale(age: timedelta, expected: str | None) -> None:
    facts = healthy(read_at=ago(age), backups=[backup(age + HOUR), backup(age + 25 * HOUR)])
    assert outcome("stale-data", facts) == expected


def test_stale_data_are_stale_since_they_became_too_old() -> None:
    facts = healthy(read_at=ago(3 * DAY))
    assert verdicts(facts)["stale-data"].since == ago(3 * DAY) + 26 * HOUR
    assert outcome("stale-data", facts, "[rules.stale-data]\nmax_age = '3d'") is None


def test_backups_are_judged_as_of_the_time_when_they_were_read() -> None:
    facts = healthy(read_at=ago(20 * HOUR), backups=[backup(34 * HOUR - SECOND), backup(58 * HOUR)])
    assert verdicts(facts) == {}  # that of 02:00 today may have been made since


@pytest.mark.parametrize("kind", ["restores", "schedules"])
def test_restores_and_schedules_that_are_too_old_are_unknown(kind: str) -> None:
    facts = healthy()
    known = getattr(facts, kind)
    old = {kind: type(known)(items=(), read_at=ago(27 * HOUR))}
    found = verdicts(healthy(backups=facts.backups.items, **{"schedules": DAILY, "restores": [restore(DAY)]}))
    assert found == {}
    given = {"account_id": "acme", "project_id": "billing", "addon_id": "billing-db", "status": "running"}
    all_known = {"backups": facts.backups, "restores": facts.restores, "schedules": facts.schedules, **old}
    found = verdicts(AddonFacts(**{**given, **all_known}))
    assert found
    assert all(verdict.is_unknown for verdict in found.values())
    assert "last read" in next(iter(found.values())).message


# no-schedule, retention


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (addon(schedules=()), "high"),
        (addon(schedules=DAILY), None),
        (addon(schedules=None), "unknown"),
        (addon(schedules=(), addon_type=None), "high"),
        (addon(schedules=(), addon_type="memcached"), None),
        (addon(schedules=None, addon_type="memcached"), None),
    ],
)
def test_a_stateful_addon_needs_a_schedule(facts: AddonFacts, expected: str | None) -> None:
    assert outcome("no-schedule", facts) == expected


@pytest.mark.parametrize(
    ("days", "expected"), [(8, None), (7, None), (6, "medium"), (0, "medium"), (None, "unknown"), (10**30, None)]
)
def test_a_schedule_keeps_its_backups_for_seven_days(days: int | None, expected: str | None) -> None:
    assert outcome("retention", healthy(schedules=[schedule(retention_time=days)])) == expected
    assert outcome("retention", healthy(schedules=[schedule(retention_time=30), schedule(retention_time=days)])) == (
        expected
    )


def test_retention_without_schedules_passes_and_unread_ones_are_unknown() -> None:
    assert outcome("retention", addon(schedules=())) is None
    assert outcome("retention", addon(schedules=None)) == "unknown"


def test_a_short_retention_is_found_since_the_schedule_was_created_unless_it_was_changed() -> None:
    created = ago(9 * DAY)
    found = verdicts(healthy(schedules=[schedule(retention_time=1, created_at=created)]))["retention"]
    assert found.since == created
    assert found.evidence["retention_days"] == 1
    changed = schedule(retention_time=1, created_at=created, updated_at=ago(DAY))
    assert verdicts(healthy(schedules=[changed]))["retention"].since is None


# no-backup, few


@pytest.mark.parametrize(
    ("backups", "no_backup", "few"),
    [
        ([], "critical", "medium"),
        ([backup(DAY, "failed"), backup(HOUR, "in-progress")], "critical", "medium"),
        ([backup(DAY)], None, "medium"),
        ([backup(DAY), backup(2 * DAY)], None, None),
        ([backup(DAY, None)], "unknown", "unknown"),
        ([backup(DAY, "archived"), backup(2 * DAY)], None, "unknown"),
        ([backup(None), backup(None, id="other")], None, None),
    ],
)
def test_an_addon_needs_two_completed_backups(backups: list[Any], no_backup: str | None, few: str | None) -> None:
    facts = addon(backups)
    assert (outcome("no-backup", facts), outcome("few", facts)) == (no_backup, few)


def test_backups_that_were_not_all_read_may_be_enough_but_never_too_few() -> None:
    gap = "some could not be read"
    assert outcome("no-backup", addon([], gap=gap)) == "unknown"
    assert outcome("few", addon([backup(DAY)], gap=gap)) == "unknown"
    assert outcome("few", addon([backup(DAY), backup(2 * DAY)], gap=gap)) is None


# stale


@pytest.mark.parametrize(
    ("age", "expected"),
    [(24 * HOUR, None), (24 * HOUR + SECOND, "medium"), (48 * HOUR, "medium"), (48 * HOUR + SECOND, "critical")],
)
def test_without_a_schedule_a_backup_is_stale_after_24_hours(age: timedelta, expected: str | None) -> None:
    facts = addon([backup(age)])
    assert outcome("stale", facts) == expected
    if expected:
        assert verdicts(facts)["stale"].since == ago(age) + 24 * HOUR


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (10 * HOUR, None),  # 02:00 today
        (10 * HOUR + MINUTE, None),  # clocks differ
        (10 * HOUR + 2 * MINUTE, "medium"),
        (34 * HOUR, "medium"),  # 02:00 yesterday
        (34 * HOUR + 2 * MINUTE, "critical"),
        (30 * DAY, "critical"),
    ],
)
def test_one_missed_due_time_warns_and_two_are_critical(age: timedelta, expected: str | None) -> None:
    assert outcome("stale", addon([backup(age)], schedules=DAILY)) == expected


@pytest.mark.parametrize(("hour", "minute", "expected"), [(11, 0, "medium"), (11, 1, None)])
def test_a_backup_may_take_an_hour_after_its_due_time(hour: int, minute: int, expected: str | None) -> None:
    daily = schedule(hour=(hour,), minute=(minute,))
    assert outcome("stale", addon([backup(25 * HOUR - 2 * MINUTE)], schedules=[daily])) == expected


def test_a_backup_may_take_twice_as_long_as_it_usually_does() -> None:
    daily = schedule(hour=(7,))
    facts = addon(
        [backup(29 * HOUR, completed_at=ago(DAY)), backup(5 * HOUR - MINUTE, "in-progress")], schedules=[daily]
    )
    assert outcome("stale", facts) is None
    late = addon([backup(29 * HOUR, completed_at=ago(27 * HOUR))], schedules=[daily])
    assert outcome("stale", late) == "medium"  # twice two hours ended at 11:00


def test_a_missing_duration_does_not_lengthen_the_tolerance() -> None:
    quick = [backup(29 * HOUR + number * DAY) for number in range(2)]
    slow = backup(5 * DAY, completed_at=ago(5 * DAY - 3 * HOUR))
    daily = [schedule(hour=(7,))]
    assert outcome("stale", addon([*quick, slow], schedules=daily)) == "medium"
    unknown = [each._replace(completed_at=None) for each in quick]
    assert outcome("stale", addon([*unknown, slow], schedules=daily)) == "medium"


def test_staleness_began_with_the_first_missed_due_time_and_its_tolerance() -> None:
    found = verdicts(addon([backup(4 * DAY)], schedules=DAILY))["stale"]
    assert found.since == datetime(2026, 11, 1, 3, 0, tzinfo=UTC)
    assert found.evidence["missed"] == 4
    assert found.evidence["tolerance_seconds"] == 3600
    assert found.evidence["matched_by"] == "type and time"


def test_an_hourly_schedule_is_judged_by_its_minutes() -> None:
    hourly = [schedule("hourly", minute=(30,))]
    assert outcome("stale", addon([backup(90 * MINUTE)], schedules=hourly)) is None  # 10:30; 11:30 may still run
    assert outcome("stale", addon([backup(150 * MINUTE)], schedules=hourly)) == "medium"
    assert outcome("stale", addon([backup(210 * MINUTE)], schedules=hourly)) == "critical"


def test_a_weekly_schedule_is_judged_by_its_day() -> None:
    monday = [schedule("weekly")]  # at 02:00, the day before yesterday
    assert outcome("stale", addon([backup(58 * HOUR)], schedules=monday)) is None
    assert outcome("stale", addon([backup(59 * HOUR)], schedules=monday)) == "medium"
    assert outcome("stale", addon([backup(59 * HOUR + 7 * DAY)], schedules=monday)) == "critical"


def test_every_schedule_needs_a_backup_of_its_own_type() -> None:
    both = [schedule(), schedule("weekly", id="d", backup_type="dump")]
    fresh = backup(10 * HOUR)
    assert outcome("stale", addon([fresh, dump(58 * HOUR)], schedules=both)) is None
    assert outcome("stale", addon([fresh, dump(8 * DAY)], schedules=both)) == "medium"
    found = verdicts(addon([fresh, dump(30 * DAY)], schedules=both))["stale"]
    assert found.severity == "critical"
    assert found.evidence["schedule"] == "d"
    assert verdicts(addon([fresh], schedules=both))["stale"].severity == "critical"


def test_an_imported_backup_is_not_a_backup_of_the_addons_data() -> None:
    dumps = [schedule(backup_type="dump")]
    assert outcome("stale", addon([dump(HOUR, source_type="fileUpload")], schedules=dumps)) == "critical"
    assert outcome("stale", addon([dump(HOUR, source_type="externalDump")])) == "critical"
    assert outcome("stale", addon([dump(HOUR)], schedules=dumps)) is None


def test_an_addon_without_a_completed_backup_is_not_stale_too() -> None:
    facts = addon([backup(DAY, "failed")], schedules=DAILY)
    assert outcome("stale", facts) is None
    assert outcome("no-backup", facts) == "critical"


def test_a_stale_addon_whose_last_runs_failed_has_both_findings() -> None:
    facts = addon([backup(10 * HOUR, "failed"), backup(34 * HOUR, "failed"), backup(58 * HOUR)], schedules=DAILY)
    assert (outcome("stale", facts), outcome("failing", facts)) == ("critical", "critical")


@pytest.mark.parametrize(
    ("created", "age", "expected"),
    [
        (HOUR, 5 * DAY, None),  # weekly before that, for all that is known
        (HOUR, 7 * DAY + 2 * HOUR + SECOND, "medium"),
        (HOUR, 30 * DAY, "critical"),
        (34 * HOUR + SECOND, 5 * DAY, "critical"),
        (34 * HOUR - SECOND, 5 * DAY, "medium"),
    ],
)
def test_due_times_before_a_schedule_was_changed_count_as_weekly(
    created: timedelta, age: timedelta, expected: str | None
) -> None:
    for changed in (schedule(created_at=ago(created)), schedule(updated_at=ago(created))):
        assert outcome("stale", addon([backup(age)], schedules=[changed])) == expected


def test_a_schedule_that_is_updated_again_and_again_does_not_hide_staleness() -> None:
    recent = [schedule(updated_at=ago(MINUTE))]
    assert outcome("stale", addon([backup(8 * DAY)], schedules=recent)) == "medium"


def test_a_schedule_without_times_of_its_own_has_always_been_there() -> None:
    facts = addon([backup(5 * DAY)], schedules=[schedule(created_at=None, updated_at=None)])
    assert outcome("stale", facts) == "critical"


@pytest.mark.parametrize(
    "facts",
    [
        addon([backup(HOUR)], schedules=None),
        addon([backup(HOUR)], schedules=[schedule(scheduling=None)]),
        addon([backup(HOUR)], schedules=[schedule("monthly")]),
        addon([backup(HOUR)], schedules=[schedule(backup_type=None)]),
        addon([backup(5 * DAY), backup(HOUR, None)], schedules=DAILY),
        addon([backup(5 * DAY), backup(HOUR, "archived")], schedules=DAILY),
        addon([backup(5 * DAY), backup(None)], schedules=DAILY),
        addon([backup(5 * DAY), backup(HOUR, source_type=None)], schedules=DAILY),
        addon([backup(5 * DAY)], schedules=DAILY, gap="page 2 is missing"),
        addon([], schedules=DAILY, gap="page 2 is missing"),
    ],
)
def test_staleness_is_unknown_without_its_data(facts: AddonFacts) -> None:
    assert outcome("stale", facts) == "unknown"
    assert verdicts(facts)["stale"].severity == "critical"


def test_missing_data_that_cannot_change_the_result_do_not_matter() -> None:
    fresh, old = backup(10 * HOUR), backup(5 * DAY)
    assert outcome("stale", addon([fresh, backup(None), backup(HOUR, None)], schedules=DAILY, gap="gap")) is None
    assert outcome("stale", addon([old, backup(30 * DAY, None)], schedules=DAILY)) == "critical"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Pacific/Apia"])
def test_the_zone_of_a_clock_and_its_changes_do_not_matter(zone: str) -> None:
    daily = [schedule(hour=(1,), minute=(30,))]
    for month, day in ((3, 29), (10, 25), (3, 8), (11, 1)):  # clocks change in Berlin or New York
        now = datetime(2026, month, day, 12, tzinfo=UTC)
        for hours, expected in ((10, None), (11, "medium"), (34, "medium"), (35, "critical")):
            newest = backup(timedelta()).__class__(
                id="b",
                status="completed",
                source_type="snapshot",
                created_at=(now - hours * HOUR).astimezone(ZoneInfo(zone)),
                completed_at=(now - hours * HOUR + MINUTE).astimezone(ZoneInfo(zone)),
            )
            facts = addon([newest], schedules=daily, read_at=now.astimezone(ZoneInfo(zone)))
            assert outcome("stale", facts, now=now.astimezone(ZoneInfo(zone))) == expected


# failing


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ("completed failed", None),
        ("failed completed failed", "medium"),
        ("failed failed completed", "critical"),
        ("not-supported completed", "medium"),
        ("in-progress failed completed", "medium"),
        ("failed scheduled failed completed", "critical"),
        ("aborted completed failed", None),
        ("aborted failed aborted failed", "critical"),
        ("aborted", None),
        ("", None),
        ("archived completed", "unknown"),
        ("failed archived completed", "unknown"),
        ("failed failed archived completed", "critical"),
        ("completed archived", None),
    ],
)
def test_the_last_runs_are_judged_in_order_of_creation(statuses: str, expected: str | None) -> None:
    backups = [backup(number * DAY, status) for number, status in enumerate(statuses.split())]
    assert outcome("failing", addon(backups)) == expected
    assert outcome("failing", addon(list(reversed(backups)))) == expected


def test_failing_is_unknown_if_the_order_is() -> None:
    assert outcome("failing", addon([backup(None, "failed"), backup(DAY)])) == "unknown"
    assert outcome("failing", addon([backup(None, "completed"), backup(DAY)])) == "unknown"
    assert outcome("failing", addon([backup(None, "scheduled"), backup(DAY)])) is None
    assert outcome("failing", addon([backup(DAY)], gap="gap")) == "unknown"


def test_failing_began_when_the_first_of_the_failed_runs_ended() -> None:
    found = verdicts(addon([backup(DAY, "failed"), backup(2 * DAY, "failed"), backup(3 * DAY)]))["failing"]
    assert found.since == ago(2 * DAY) + MINUTE
    assert found.evidence["failed_in_a_row"] == 2
    assert outcome("failing", addon([backup(DAY, "failed")] * 2), "[rules.failing]\nruns = 3") == "medium"


# stuck


@pytest.mark.parametrize("status", ["scheduled", "in-progress", "aborting"])
@pytest.mark.parametrize(("age", "expected"), [(HOUR, None), (HOUR + SECOND, "high")])
def test_a_run_is_stuck_after_an_hour(status: str, age: timedelta, expected: str | None) -> None:
    facts = addon([backup(age, status), backup(DAY)])
    assert outcome("stuck", facts) == expected
    if expected:
        assert verdicts(facts)["stuck"].since == ago(age) + HOUR


@pytest.mark.parametrize(("age", "expected"), [(5 * HOUR, None), (5 * HOUR + SECOND, "high")])
def test_a_run_is_stuck_after_five_times_the_median_duration(age: timedelta, expected: str | None) -> None:
    took = [backup(n * DAY, completed_at=ago(n * DAY) + n * 30 * MINUTE) for n in (1, 2, 3)]
    assert outcome("stuck", addon([backup(age, "in-progress"), *took])) == expected


@pytest.mark.parametrize(
    "backups",
    [
        [backup(2 * HOUR, "in-progress"), backup(DAY, completed_at=ago(DAY - HOUR)), backup(DAY, completed_at=None)],
        [backup(None, "in-progress")],
        [backup(2 * HOUR, None)],
        [backup(2 * HOUR, "archiving")],
    ],
)
def test_whether_a_run_is_stuck_is_unknown_without_its_data(backups: list[Any]) -> None:
    assert outcome("stuck", addon(backups)) == "unknown"
    assert outcome("stuck", addon([backup(DAY)], gap="gap")) == "unknown"


def test_a_run_that_just_started_cannot_be_stuck_whatever_is_missing() -> None:
    assert outcome("stuck", addon([backup(HOUR, "in-progress"), backup(DAY, completed_at=None)])) is None
    assert outcome("stuck", addon([backup(HOUR, None)])) is None


# size


def dumps(newest: Any, *sizes: Any, **fields: Any) -> AddonFacts:
    return addon([dump(n * DAY, size, **fields) for n, size in enumerate((newest, *sizes), 1)])


@pytest.mark.parametrize(
    ("newest", "expected"),
    [(0, "critical"), (49, "medium"), (50, None), (100, None), (500, None), (501, "medium"), (None, "unknown")],
)
def test_the_newest_dump_is_compared_with_the_median_of_those_before(newest: int | None, expected: str | None) -> None:
    assert outcome("size", dumps(newest, 100, 90, 110, 100, 1, 10_000, 100)) == expected


def test_the_median_is_of_seven_dumps() -> None:
    assert outcome("size", dumps(100, *[100] * 4, *[1000] * 10)) is None
    assert outcome("size", dumps(100, *[100] * 3, *[1000] * 10)) == "medium"
    assert outcome("size", dumps(100, *[100] * 7, None)) is None
    assert outcome("size", dumps(100, *[100] * 6, None)) == "unknown"


def test_snapshots_and_imported_dumps_are_not_compared() -> None:
    assert outcome("size", dumps(0, 100, source_type="snapshot")) is None
    assert outcome("size", dumps(1, 100, source_type="fileUpload")) is None
    assert outcome("size", addon([backup(HOUR, size=0), dump(DAY), dump(2 * DAY)])) is None


def test_a_first_dump_has_nothing_to_be_compared_with() -> None:
    assert outcome("size", dumps(100)) is None
    assert outcome("size", dumps(0)) == "critical"
    assert outcome("size", dumps(100, 0, 0)) is None


@pytest.mark.parametrize("odd", [dump(HOUR, status=None), dump(None), dump(HOUR, source_type=None)])
def test_a_dump_that_may_be_the_newest_makes_the_size_unknown(odd: Any) -> None:
    assert outcome("size", addon([odd, dump(DAY), dump(2 * DAY)])) == "unknown"
    assert outcome("size", addon([odd])) == "unknown"
    assert outcome("size", addon([dump(DAY)], gap="gap")) == "unknown"


# untested, restore-failed


@pytest.mark.parametrize(
    ("restores", "expected"),
    [
        ([restore(180 * DAY)], None),
        ([restore(180 * DAY + SECOND)], "low"),
        ([restore(DAY, "failed")], "low"),
        ([restore(DAY, "in-progress")], "low"),
        ([], "low"),
        (None, "unknown"),
        ([restore(DAY, None)], "unknown"),
        ([restore(None)], "unknown"),
        ([restore(DAY, None), restore(2 * DAY)], None),
        ([restore(200 * DAY, None)], "low"),
    ],
)
def test_a_restore_within_180_days_is_a_test(restores: Any, expected: str | None) -> None:
    assert outcome("untested", healthy(restores=restores)) == expected


@pytest.mark.parametrize(
    ("drilled", "restores", "expected"),
    [
        (DAY, [], None),
        (DAY, None, None),
        (180 * DAY, [restore(200 * DAY)], None),
        (181 * DAY, [], "low"),
        (181 * DAY, None, "unknown"),
        (181 * DAY, [restore(DAY)], None),
    ],
)
def test_a_drill_that_passed_within_180_days_is_a_test(drilled: timedelta, restores: Any, expected: str | None) -> None:
    facts = evolve(healthy(restores=restores), drilled_at=ago(drilled))
    assert outcome("untested", facts) == expected


def test_an_addon_is_untested_since_its_last_restore_became_too_old() -> None:
    assert verdicts(healthy(restores=[restore(200 * DAY)]))["untested"].since == ago(20 * DAY)
    assert verdicts(healthy(restores=[]))["untested"].since is None


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ("completed failed", None),
        ("failed completed", "medium"),
        ("aborted completed", "medium"),
        ("not-supported", "medium"),
        ("in-progress failed", "medium"),
        ("in-progress completed", None),
        ("archived completed", "unknown"),
        ("", None),
    ],
)
def test_the_last_restore_has_to_complete(statuses: str, expected: str | None) -> None:
    restores = [restore(number * HOUR, status) for number, status in enumerate(statuses.split())]
    assert outcome("restore-failed", healthy(restores=restores)) == expected


@pytest.mark.parametrize(("age", "expected"), [(DAY, None), (DAY + SECOND, "medium")])
def test_a_restore_that_does_not_end_within_a_day_did_not_complete(age: timedelta, expected: str | None) -> None:
    assert outcome("restore-failed", healthy(restores=[restore(age, "in-progress"), restore(9 * DAY)])) == expected


def test_whether_the_last_restore_failed_is_unknown_without_its_data() -> None:
    assert outcome("restore-failed", healthy(restores=None)) == "unknown"
    assert outcome("restore-failed", healthy(restores=[restore(None), restore(DAY)])) == "unknown"


# no-offsite


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (healthy(), "low"),
        (healthy(schedules=[schedule(custom_destination_id="bucket")]), None),
        (healthy(schedules=[schedule(additional_destinations=(BackupDestination(destination_id="b"),))]), None),
        (healthy(backups=[backup(HOUR), dump(DAY, custom_destination_id="bucket")]), None),
        (healthy(backups=[backup(HOUR, has_additional_destinations=True)]), None),
        (healthy(backups=[backup(HOUR), backup(DAY, has_additional_destinations=True)]), "low"),
        (healthy(schedules=None), "unknown"),
        (healthy(backups=[backup(HOUR, None)]), "unknown"),
        (healthy(backups=[backup(HOUR, source_type=None)]), "unknown"),
    ],
)
def test_a_destination_outside_the_platform_can_be_required(facts: AddonFacts, expected: str | None) -> None:
    assert outcome("no-offsite", facts) is None
    assert outcome("no-offsite", facts, '[rules]\nno-offsite = "low"') == expected


DUMPED = [backup(HOUR), dump(5 * HOUR, id="d")]
OFFSITE = '[rules]\nno-offsite = "low"\n'


@pytest.mark.parametrize(
    ("copies", "fields", "expected"),
    [
        ([copy(5 * HOUR)], {}, None),
        ([copy(2 * DAY + HOUR)], {}, None),
        ([copy(2 * DAY + HOUR + SECOND)], {}, "low"),
        ([copy(9 * DAY), copy(5 * HOUR, destination="gs://other")], {}, None),
        ([copy(5 * HOUR)], {"schedules": None}, None),
        ([copy(9 * DAY)], {"schedules": None}, "unknown"),
        ([copy(-DAY)], {}, None),  # made since the backups were read
        ([copy(HOUR, "fileUpload")], {}, "low"),
        ([copy(HOUR, "fileUpload"), copy(5 * HOUR)], {}, None),
        ([copy(HOUR, None)], {}, "unknown"),
        ([copy(HOUR, "odd")], {}, "unknown"),
        ([copy(9 * DAY, None)], {}, "low"),
        ([copy(HOUR, None), copy(5 * HOUR)], {}, None),
        ([copy(5 * HOUR)], {"gap": "a gap"}, "unknown"),  # there may be a much newer backup
        ([copy(5 * HOUR)], {"backups": [*DUMPED, backup(None)]}, "unknown"),
        ([copy(5 * HOUR)], {"backups": [*DUMPED, backup(DAY, None)]}, "unknown"),
        ([copy(DAY)], {"backups": []}, None),
        ([copy(3 * DAY)], {"backups": []}, "low"),
    ],
)
def test_a_recorded_copy_of_a_recent_dump_is_off_site(
    copies: list[CopyFact], fields: dict[str, Any], expected: str | None
) -> None:
    facts = evolve(healthy(**{"backups": DUMPED, **fields}), copies=tuple(copies))
    assert outcome("no-offsite", facts, OFFSITE) == expected


def test_the_lag_of_copies_is_that_of_the_policy() -> None:
    facts = evolve(healthy(backups=DUMPED), copies=(copy(6 * DAY),))
    found = verdicts(facts, OFFSITE)["no-offsite"]
    assert found.message.endswith("and its newest copied dump is 5 days older than its newest backup")
    assert found.since == ago(4 * DAY)
    assert outcome("no-offsite", facts, '[rules.no-offsite]\nseverity = "low"\nmax_lag = "7d"') is None
    none = verdicts(healthy(backups=DUMPED), OFFSITE)["no-offsite"]
    assert none.message.endswith("and no mirror has recorded a copy of its dumps")
    assert none.since is None


# All rules

BAD = addon(
    [backup(2 * HOUR, "in-progress"), backup(3 * HOUR, "failed"), dump(9 * DAY, 0)],
    schedules=[schedule(retention_time=1)],
    restores=[restore(200 * DAY), restore(DAY, "failed")],
)
EVERYTHING_BAD: tuple[tuple[str, AddonFacts], ...] = (
    ("unreadable", addon(unreadable="403")),
    ("stale-data", healthy(read_at=ago(30 * DAY))),
    ("no-schedule", addon()),
    ("no-backup", addon()),
    *((rule, BAD) for rule in ("stale", "failing", "stuck", "size", "retention", "few", "untested", "restore-failed")),
    ("no-offsite", BAD),
)


WEEKLY = schedule("weekly", day=(0, 4), hour=(2, 14), minute=(5,))


@pytest.mark.parametrize(
    ("rule", "facts", "message"),
    [
        ("failing", addon([backup(2 * HOUR, "failed"), backup(DAY)]), "its last run failed, 2 h ago"),
        (
            "failing",
            addon([backup(2 * HOUR, "failed"), backup(3 * HOUR, "failed"), backup(3 * DAY, "failed")]),
            "its last 3 runs failed, the newest 2 h ago",
        ),
        ("failing", addon([backup(-HOUR, "failed")]), "its last run failed"),  # clocks differ
        (
            "stuck",
            addon([backup(2 * DAY, "in-progress", id="b1")]),
            "backup b1 has been in progress for 2 days; the limit is 1 h",
        ),
        (
            "stale",
            addon([backup(9 * DAY)], schedules=[WEEKLY]),
            "its newest completed snapshot is 9 days old: it missed 5 due times of its weekly snapshot schedule"
            " (Mon/Fri 02/14:05 UTC)",
        ),
        (
            "stale",
            addon([backup(34 * HOUR)], schedules=DAILY),
            "its newest completed snapshot is 34 h old: it missed one due time of its daily snapshot schedule"
            " (02:00 UTC)",
        ),
        (
            "stale",
            addon([backup(DAY)], schedules=[schedule("hourly")]),
            "its newest completed snapshot is 1 day old: it missed 23 due times of its hourly snapshot schedule"
            " (:00 UTC)",
        ),
        (
            "stale",
            addon([backup(3 * DAY)]),
            "its newest completed backup is 3 days old: it missed 2 due times of the policy (every 1 day without a"
            " schedule)",
        ),
        (
            "retention",
            addon([backup(DAY)], schedules=[schedule("hourly", retention_time=3)]),
            "its hourly snapshot schedule (:00 UTC) keeps backups for 3 days, less than 7 days",
        ),
        (
            "retention",
            addon(schedules=[schedule(retention_time=-1, scheduling=None)]),
            "its snapshot schedule of unknown times keeps backups for -1 days, less than 7 days",
        ),
        ("restore-failed", healthy(restores=[restore(DAY, "failed")]), "its last restore failed; it began 1 day ago"),
        (
            "restore-failed",
            healthy(restores=[restore(2 * DAY, "in-progress")]),
            "its last restore has not ended; it began 2 days ago",
        ),
    ],
)
def test_messages_are_plain_english(rule: str, facts: AddonFacts, message: str) -> None:
    assert verdicts(facts)[rule].message == message


def test_every_rule_has_a_case_here() -> None:
    assert {rule for rule, _ in EVERYTHING_BAD} == set(RULES)


@pytest.mark.parametrize(("rule", "facts"), EVERYTHING_BAD)
def test_a_rule_can_be_turned_off(rule: str, facts: AddonFacts) -> None:
    assert rule in verdicts(facts, f'[rules]\n{rule} = "low"')
    assert rule not in verdicts(facts, f'[rules]\n{rule} = "off"')


@pytest.mark.parametrize(("rule", "facts"), EVERYTHING_BAD)
def test_a_severity_can_be_changed(rule: str, facts: AddonFacts) -> None:
    for severity in ("low", "critical"):
        assert outcome(rule, facts, f'[rules]\n{rule} = "{severity}"') == severity


def test_an_odd_addon_is_judged_by_what_is_known() -> None:
    def judged(change: Callable[[], AddonFacts]) -> None:
        verdicts(change())

    judged(lambda: addon([backup(-DAY), backup(HOUR, completed_at=ago(2 * HOUR))], schedules=DAILY))  # odd clocks
    judged(lambda: addon([dump(HOUR, -5), dump(DAY, 10**18)], restores=[restore(-DAY)]))
    judged(
        lambda: addon([backup(HOUR)] * 2, read_at=NOW + DAY, schedules=[schedule(scheduling=Scheduling(interval=""))])
    )
