from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from northflank_async.audit.history import DAYS, Day, History, read_history
from northflank_async.audit.policy import Policy
from northflank_async.audit.rules import Case
from northflank_async.inventory.facts import AddonFacts, BackupFact
from tests.audit.facts import DAY, HOUR, NOW, addon, backup, dump, restore, schedule

DAILY = schedule(retention_time=60)
"""A snapshot at 02:00: the one of today is 10 hours old."""


def history(facts: AddonFacts, now: datetime = NOW) -> History:
    return read_history(Case(facts=facts, rules=Policy().rules, now=now))


def last_days(facts: AddonFacts, number: int = 5) -> str:
    return history(facts).days[-number:]


def runs(*ages: int, **fields: Any) -> list[BackupFact]:
    """Snapshots of the daily schedule, by their age in days."""
    return [backup(10 * HOUR + age * DAY, **fields) for age in ages]


def test_a_history_has_a_letter_for_each_of_the_last_90_days() -> None:
    found = history(addon(runs(*range(120))))
    assert found.days == "c" * 90
    assert found.start == date(2026, 8, 7)
    assert found.dates(Day.COMPLETED)[-1] == NOW.date()


def test_a_due_day_without_a_backup_is_missed() -> None:
    facts = addon(runs(0, 1, 3, 4), schedules=[DAILY])
    assert last_days(facts) == "ccmcc"
    assert history(facts).dates(Day.MISSED)[-1] == date(2026, 11, 2)


def test_a_day_of_failures_is_not_a_missed_one() -> None:
    facts = addon([*runs(0, 3, 4), *runs(1, status="failed"), *runs(2, status="aborted")], schedules=[DAILY])
    assert last_days(facts) == "ccffc"


def test_a_day_can_be_partial() -> None:
    failed = [*runs(1), backup(12 * HOUR + DAY, "failed")]
    both = [DAILY, schedule(id="d", backup_type="dump", hour=(5,))]
    assert last_days(addon([*failed, *runs(0, 2)], schedules=[DAILY]), 3) == "cpc"
    assert last_days(addon([*runs(0, 1), dump(7 * HOUR)], schedules=both), 2) == "pc"


def test_a_backup_of_the_other_type_does_not_replace_a_missed_one() -> None:
    assert last_days(addon([dump(10 * HOUR)], schedules=[DAILY]), 1) == "p"


def test_a_backup_of_unknown_type_may_be_the_one_that_was_due() -> None:
    assert last_days(addon(runs(0, source_type=None), schedules=[DAILY]), 1) == "c"


@pytest.mark.parametrize(("minutes", "letters"), [(50, "-c"), (70, "mc")])
def test_a_backup_may_come_late_and_on_the_next_day(minutes: int, letters: str) -> None:
    evening = schedule(hour=(23,), minute=(30,), retention_time=60)
    late = backup(12 * HOUR + 30 * timedelta(minutes=1) - timedelta(minutes=minutes))
    assert last_days(addon([late, backup(90 * DAY)], schedules=[evening]), 2) == letters


def test_a_backup_before_the_due_time_does_not_count() -> None:
    assert last_days(addon([backup(11 * HOUR)], schedules=[DAILY]), 1) == "p"
    assert last_days(addon([backup(10 * HOUR + timedelta(seconds=30))], schedules=[DAILY]), 1) == "c"


def test_a_due_time_of_today_is_not_missed_before_it_and_the_tolerance_are_over() -> None:
    for hour, letter in ((10, "m"), (11, "-"), (12, "-"), (13, "-")):
        facts = addon(schedules=[schedule(hour=(hour,), minute=(30,), retention_time=60)])
        assert last_days(facts, 1) == letter, hour


def test_nothing_was_due_before_a_schedule_was_created_or_changed() -> None:
    young = schedule(created_at=NOW - 2 * DAY, updated_at=NOW - DAY, retention_time=60)
    assert last_days(addon(schedules=[young]), 4) == "---m"


def test_a_weekly_schedule_is_due_on_its_day_only() -> None:
    weekly = schedule("weekly", day=(0,), retention_time=60)  # Mondays
    assert last_days(addon(schedules=[weekly]), 10) == "m------m--"


def test_nothing_is_due_of_a_paused_addon() -> None:
    assert last_days(addon(runs(3), schedules=[DAILY], status="paused")) == "-c---"


def test_what_the_retention_has_deleted_is_not_missed() -> None:
    facts = addon(runs(0), schedules=[schedule(retention_time=3)])
    assert last_days(facts, 6) == "xxxmmc"
    hourly = schedule("hourly", retention_time=None)
    assert last_days(addon(runs(0, 2), schedules=[hourly])) == "xxcmc"


def test_days_that_were_not_read_are_unknown() -> None:
    assert last_days(addon(runs(2, 3), schedules=[DAILY], read_at=NOW - 2 * DAY)) == "mccuu"
    assert set(history(addon(read_at=None)).days) == {Day.UNKNOWN}
    gap = addon(runs(0), schedules=[DAILY], gap="some of its backups could not be read")
    assert last_days(gap, 3) == "uuc"
    assert last_days(addon(runs(0, status="new-status")), 1) == "u"


def test_a_run_that_has_not_ended_is_running() -> None:
    assert last_days(addon(runs(0, status="in-progress"), schedules=[DAILY]), 1) == "r"


def test_sizes_are_those_of_the_last_dump_of_each_day() -> None:
    dumps = [dump(HOUR, 30), dump(2 * HOUR, 20), dump(DAY, 10), dump(2 * DAY, None), dump(3 * DAY, 5, status="failed")]
    found = history(addon([*dumps, backup(4 * DAY, size=7)]))
    assert list(zip(found.dump_days, found.dump_sizes, strict=True)) == [(88, 10), (89, 30)]


def test_restores_are_the_last_ones() -> None:
    found = history(addon(restores=[restore(age * DAY) for age in range(30)]))
    assert [each.started_at for each in found.restores] == [NOW - age * DAY for age in range(10)]
    assert found.restore_count == 30
    assert history(addon(restores=None)).restores_gap == "its restores were never read"


@given(
    ages=st.lists(st.integers(0, 100 * 24 * 60), max_size=30),
    statuses=st.lists(st.sampled_from(["completed", "failed", "in-progress", "odd", None]), min_size=30, max_size=30),
    shift=st.integers(0, 24 * 60),
)
def test_more_backups_never_add_a_missed_day(ages: list[int], statuses: list[str | None], shift: int) -> None:
    backups = [backup(timedelta(minutes=age), status, id=f"{age}") for age, status in zip(ages, statuses, strict=False)]
    now = NOW + timedelta(minutes=shift)
    missed = [
        set(history(addon(some, schedules=[DAILY]), now).dates(Day.MISSED))
        for some in (backups, backups[: len(ages) // 2])
    ]
    assert missed[0] <= missed[1]
    assert len(history(addon(backups), now).days) == DAYS


def test_days_are_those_of_utc() -> None:
    late = datetime(2026, 11, 3, 23, 30, tzinfo=UTC).astimezone(datetime.fromisoformat("2026-01-01T00:00+05:00").tzinfo)
    assert last_days(addon([backup(HOUR)._replace(created_at=late)]), 2) == "c-"
