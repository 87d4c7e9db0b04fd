from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from northflank_async.audit.policy import Place, Policy, Severity
from northflank_async.audit.report import AddonState, Finding, FindingStatus, Report, ReportBuilder
from northflank_async.errors import ConfigurationError
from northflank_async.inventory.facts import AccountFacts, AddonFacts, UnreadPlace
from tests.audit.facts import DAY, HOUR, NOW, SYNC, addon, ago, backup, restore, schedule

ACCOUNT = AccountFacts(account_id="acme", synced_at=NOW, is_finished=True)


def healthy(addon_id: str, **fields: Any) -> AddonFacts:
    backups = [backup(10 * HOUR + number * DAY) for number in range(3)]
    return addon(backups, schedules=[schedule()], restores=[restore(DAY)], addon_id=addon_id, **fields)


def report(*addons: AddonFacts, policy: str = "", account: AccountFacts = ACCOUNT, now: datetime = NOW) -> Report:
    builder = ReportBuilder(Policy.parse(policy), now, SYNC)
    for facts in addons:
        builder.add_addon(facts)
    builder.add_account(account)
    return builder.build()


STALE = addon([backup(30 * DAY), backup(31 * DAY)], schedules=[schedule()], restores=[restore(DAY)], addon_id="stale")
WARN = healthy("warn", status="running")
WARN = evolve(WARN, restores=evolve(WARN.restores, items=()))
UNREADABLE = addon(addon_id="unreadable", unreadable="403")
UNKNOWN = evolve(healthy("unknown"), restores=addon(restores=None).restores)
PAUSED = addon(addon_id="paused", status="paused")
ALL = (healthy("healthy"), STALE, WARN, UNREADABLE, UNKNOWN, PAUSED)
WAIVER = """
[[waivers]]
rule = "stale"
addon = "stale"
reason = "being migrated"
expires = 2026-11-05
"""


def test_the_summary_counts_addons_by_state_and_findings_by_severity() -> None:
    found = report(*ALL)
    assert {each.addon_id: each.state for each in found.addons} == {
        "healthy": AddonState.HEALTHY,
        "stale": AddonState.CRITICAL,
        "warn": AddonState.WARN,
        "unreadable": AddonState.UNKNOWN,
        "unknown": AddonState.UNKNOWN,
        "paused": AddonState.SKIPPED,
    }
    summary = found.summary
    assert (summary.addons, summary.healthy, summary.warn, summary.critical) == (6, 1, 1, 1)
    assert (summary.unknown, summary.skipped, summary.waived) == (2, 1, 0)
    assert summary.findings == {"low": 2, "medium": 1, "high": 1, "critical": 1}
    assert not found.complete
    assert [finding.rule for finding in found.findings] == [
        "stale", "unreadable", "restore-failed", "untested", "untested"
    ]  # fmt: skip


def test_a_report_is_complete_if_everything_was_read_and_checked() -> None:
    assert report(healthy("a"), STALE, PAUSED).complete
    assert not report(healthy("a"), UNKNOWN).complete
    assert not report(healthy("a"), UNREADABLE).complete
    assert not report(healthy("a"), account=evolve(ACCOUNT, is_finished=False)).complete
    assert not report(healthy("a"), account=evolve(ACCOUNT, failures=1)).complete


@pytest.mark.parametrize(
    ("now", "status"),
    [(NOW, FindingStatus.WAIVED), (NOW + 3 * DAY, FindingStatus.OPEN)],
)
def test_a_waived_finding_does_not_count_until_its_waiver_expires(now: datetime, status: FindingStatus) -> None:
    facts = evolve(STALE, backups=evolve(STALE.backups, read_at=now))
    found = report(facts, policy=WAIVER, now=now)
    finding = next(each for each in found.findings if each.rule == "stale")
    assert finding.status is status
    assert finding.waiver is not None
    known = {"reason": "being migrated", "expires": date(2026, 11, 5)}
    if status is FindingStatus.WAIVED:
        assert finding.evidence["waiver"] == known
        assert (found.summary.waived, found.summary.healthy) == (1, 1)
        assert not found.failing(Severity.LOW)
    else:
        assert finding.evidence["expired_waiver"] == known
        assert finding.message.endswith("its waiver expired on 2026-11-05")
        assert finding in found.failing()


def test_an_unknown_finding_can_be_waived_and_does_not_count_then() -> None:
    found = report(UNKNOWN, policy=WAIVER.replace('"stale"', '"restore-failed"', 1).replace('"stale"', '"unknown"'))
    assert {finding.rule: finding.status for finding in found.findings} == {
        "restore-failed": FindingStatus.WAIVED,
        "untested": FindingStatus.UNKNOWN,
    }


@pytest.mark.parametrize(("fail_on", "number"), [("low", 5), ("medium", 3), ("high", 2), ("critical", 1)])
def test_findings_fail_from_a_severity_on_and_unknown_ones_are_among_them(fail_on: str, number: int) -> None:
    assert len(report(*ALL).failing(Severity(fail_on))) == number


def test_what_could_not_be_read_of_an_account_is_a_finding_of_its_place() -> None:
    unread = (
        UnreadPlace(account_id="acme", project_id="shop", error="403"),
        UnreadPlace(account_id="acme", error="500"),
    )
    found = report(healthy("a"), account=evolve(ACCOUNT, unread=unread, failures=2))
    places = [(each.rule, each.status, each.project_id, each.addon_id) for each in found.findings]
    assert places == [("unreadable", "open", None, None), ("unreadable", "open", "shop", None)]
    off = report(account=evolve(ACCOUNT, unread=unread), policy='[rules]\nunreadable = "off"')
    assert off.findings == ()
    waived = report(
        account=evolve(ACCOUNT, unread=unread),
        policy=WAIVER.replace('"stale"', '"unreadable"', 1).replace('addon = "stale"', 'project = "shop"'),
    )
    assert [each.status for each in waived.findings] == ["open", "waived"]


@pytest.mark.parametrize(
    ("synced_at", "status"),
    [(NOW, None), (ago(26 * HOUR), None), (ago(27 * HOUR), FindingStatus.OPEN), (None, FindingStatus.UNKNOWN)],
)
def test_an_account_without_addons_does_not_pass_if_its_data_are_old(
    synced_at: datetime | None, status: FindingStatus | None
) -> None:
    found = report(PAUSED, account=evolve(ACCOUNT, synced_at=synced_at)).findings
    assert [finding.status for finding in found] == ([] if status is None else [status])
    assert all(finding.rule == "stale-data" and finding.addon_id is None for finding in found)


def test_the_age_of_the_data_can_be_limited_over_all_overrides() -> None:
    policy = Policy.parse('[[overrides]]\nproject = "*"\nrules.stale-data.max_age = "90d"')
    assert policy.with_max_data_age(HOUR).rules_for(Place(project_id="p")).stale_data.max_age == HOUR
    with pytest.raises(ConfigurationError, match="the longest is 36500d"):
        policy.with_max_data_age(40_000 * DAY)


def test_an_addon_reports_its_newest_completed_backup_and_the_interval_that_is_expected() -> None:
    facts = addon([backup(HOUR, "failed"), backup(DAY, size=7)], schedules=[schedule(), schedule("weekly", id="w")])
    (found,) = report(facts).addons
    assert (found.last_success_at, found.last_size, found.last_status) == (ago(DAY) + timedelta(minutes=1), 7, "failed")
    assert found.expected_interval == DAY
    (unscheduled,) = report(addon([backup(DAY)]), policy='[rules.stale]\nmax_age = "3d"').addons
    assert unscheduled.expected_interval == 3 * DAY
    (unknown,) = report(addon(schedules=None)).addons
    assert (unknown.expected_interval, unknown.last_success_at, unknown.last_status) == (None, None, None)


def test_a_report_is_in_utc_whatever_the_zone() -> None:
    zoned = NOW.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
    found = report(*ALL, now=zoned)
    assert found.generated_at.tzinfo is UTC
    assert found.findings == report(*ALL).findings


def test_a_finding_names_its_place() -> None:
    finding: Finding = next(each for each in report(*ALL).findings if each.rule == "stale")
    assert finding.place == "acme/billing/stale"
    assert finding.counts
