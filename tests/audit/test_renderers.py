import json
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families

from northflank_async.audit.policy import RULES, Severity
from northflank_async.audit.renderers import FORMATS, render, summary_line
from northflank_async.audit.renderers.json import load_schema
from northflank_async.audit.renderers.nagios import State, find_state
from northflank_async.errors import ConfigurationError
from northflank_async.inventory.facts import UnreadPlace
from tests.audit.facts import HOUR, NOW, addon, backup, restore, schedule
from tests.audit.test_report import ACCOUNT, ALL, STALE, UNREADABLE, WAIVER, WARN, healthy, report

EVERYTHING = report(
    *ALL,
    addon([backup(NOW - NOW, "failed", id="b<&|\n\x1b[31m\u202e")], addon_id="o'hara", tags=("x",)),
    policy=WAIVER,
    account=evolve(ACCOUNT, unread=(UnreadPlace(account_id="acme", project_id="shop", error="<403> |\n\x00"),)),
)


def test_the_summary_is_one_line() -> None:
    assert summary_line(report(*ALL)) == "6 addons: 1 healthy, 1 warn, 1 critical, 2 unknown, 1 skipped"
    assert summary_line(report(healthy("a"))) == "1 addon: 1 healthy, 0 warn, 0 critical, 0 unknown"
    assert summary_line(report(STALE, policy=WAIVER)).endswith("; 1 finding waived")


@pytest.mark.parametrize("found", [EVERYTHING, report(), report(*ALL)])
def test_json_agrees_with_its_schema(found: Any) -> None:
    schema = load_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads(render(found, "json"))
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(data)
    assert list(data) == ["generated_at", "complete", "summary", "findings"]
    assert data["generated_at"] == "2026-11-04T12:00:00.000Z"
    assert len(data["findings"]) == len(found.findings)


def test_the_schema_knows_every_rule() -> None:
    assert load_schema()["properties"]["findings"]["items"]["properties"]["rule"]["enum"] == list(RULES)


def test_json_has_the_waiver_in_the_evidence() -> None:
    data = json.loads(render(report(STALE, policy=WAIVER), "json"))
    (finding,) = data["findings"]
    assert finding["status"] == "waived"
    assert finding["evidence"]["waiver"] == {"reason": "being migrated", "expires": "2026-11-05"}
    assert data["summary"]["findings"] == {"low": 0, "medium": 0, "high": 0, "critical": 0}


def test_the_table_begins_with_the_summary_and_has_a_line_for_each_command() -> None:
    lines = render(report(*ALL, policy=WAIVER), "table").splitlines()
    assert lines[0].startswith("6 addons: ")
    assert "northflank-async get addon backups --project billing --addon unreadable" in [line.strip() for line in lines]
    waived = lines[lines.index("Waived:") :]
    assert any("waived until 2026-11-05: being migrated" in line for line in waived)


def test_the_table_lists_findings_that_are_unknown_for_one_reason_together() -> None:
    unread = [addon([backup(NOW - NOW)], schedules=None, addon_id=f"a{number}") for number in range(8)]
    text = render(report(*unread), "table")
    assert "no-schedule    unknown acme/billing/a0, acme/billing/a1" in text
    assert "and 3 more" in text


HOSTILE = '[red]\x1b[31m\x00\x85\u202e\ufffe|"\\\n:smile:</failure>'


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_text_is_harmless(format: str) -> None:
    runs = [backup(2 * HOUR, "in-progress", id=HOSTILE), backup(HOUR, HOSTILE), backup(3 * HOUR, "failed", id=HOSTILE)]
    bad = addon(runs, addon_id=HOSTILE, project_id=HOSTILE, account_id=HOSTILE, schedules=None)
    unread = UnreadPlace(account_id=HOSTILE, error=HOSTILE)
    waiver = f'[[waivers]]\nrule = "stuck"\nreason = {json.dumps(HOSTILE)}\nexpires = 2099-01-01'
    account = evolve(ACCOUNT, account_id=HOSTILE, unread=(unread,))
    text = render(report(bad, policy=waiver, account=account), format)
    text.encode()
    if format in ("table", "junit", "nagios"):
        assert {char for char in text if not char.isprintable()} == {"\n"}
    if format == "table":
        assert "[red]" in text
        assert ":smile:" in text


def test_junit_has_a_case_for_each_finding_and_each_addon_without_one() -> None:
    root = ElementTree.fromstring(render(report(*ALL, policy=WAIVER), "junit"))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert set(cases) == {
        "healthy", "paused", "stale: stale", "warn: untested", "unreadable: unreadable", "unknown: untested",
        "unknown: restore-failed",
    }  # fmt: skip
    assert [child.tag for child in cases["healthy"]] == []
    assert [child.tag for child in cases["paused"]] == ["skipped"]
    assert cases["stale: stale"][0].get("message") == "waived until 2026-11-05: being migrated"
    assert [child.tag for child in cases["warn: untested"]] == ["system-out"]  # below --fail-on
    assert [child.tag for child in cases["unreadable: unreadable"]] == ["failure"]
    assert (root.get("tests"), root.get("failures"), root.get("skipped"), root.get("errors")) == ("7", "1", "2", "0")


def test_an_unknown_finding_is_an_error_in_junit() -> None:
    root = ElementTree.fromstring(render(report(*ALL), "junit", Severity.LOW))
    assert len(list(root.iter("error"))) == 2
    assert len(list(root.iter("failure"))) == 3


def test_junit_is_xml_whatever_the_text() -> None:
    root = ElementTree.fromstring(render(EVERYTHING, "junit", Severity.LOW))
    assert any("<403>" in f"{each.get('message')}" for each in root.iter("failure"))


@pytest.mark.parametrize(
    ("addons", "fail_on", "state"),
    [
        ((), "high", State.OK),
        ((WARN,), "high", State.OK),
        ((WARN,), "low", State.WARNING),
        ((WARN, UNREADABLE), "high", State.WARNING),
        ((WARN, UNREADABLE, STALE), "high", State.CRITICAL),
        ((addon([backup(NOW - NOW)] * 2, schedules=None, restores=[restore(NOW - NOW)]),), "high", State.UNKNOWN),
        ((healthy("a"),), "low", State.OK),
    ],
)
def test_nagios_has_a_state(addons: Any, fail_on: str, state: State) -> None:
    found = report(*addons)
    assert find_state(found, Severity(fail_on)) is state
    assert render(found, "nagios", Severity(fail_on)).startswith(f"BACKUPS {state.name} - ")


def test_nagios_has_one_line_with_one_bar_before_the_performance_data() -> None:
    line = render(EVERYTHING, "nagios", Severity.LOW)
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    assert line.count("|") == 1
    data = dict(pair.split("=") for pair in line.split("|")[1].split())
    assert data["addons"] == "7;;;0"
    assert data["findings_critical"] == "1;;;0"
    assert data["waived"] == "1;;;0"


def metrics(found: Any) -> dict[str, dict[tuple[str, ...], float]]:
    families = text_string_to_metric_families(render(found, "prometheus"))
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples} for family in families
    }


def test_prometheus_has_the_backups_of_each_addon() -> None:
    stale = evolve(STALE, team_id="red")
    found = metrics(report(stale, addon(schedules=[schedule()], addon_id="none"), *ALL[-1:]))
    labels = ("acme", "stale", "billing", "red")  # in order of the names
    (time,) = found["northflank_backup_last_success_timestamp_seconds"].values()
    assert datetime.fromtimestamp(time, tz=NOW.tzinfo) == datetime(2026, 10, 5, 12, 1, tzinfo=NOW.tzinfo)
    assert found["northflank_backup_last_size_bytes"] == {labels: 100}
    assert found["northflank_backup_expected_interval_seconds"] == {
        labels: 86400,
        ("acme", "none", "billing", ""): 86400,
    }
    statuses = found["northflank_backup_last_status"]
    assert [status[-2:] for status, value in statuses.items() if value] == [("completed", "red")]
    assert len(statuses) == 2 * 8


def test_prometheus_has_the_findings_by_rule_and_severity_and_the_sync() -> None:
    found = metrics(report(*ALL, policy=WAIVER))
    findings = found["northflank_audit_findings"]
    assert len(findings) == len(RULES) * 4
    assert findings["unreadable", "high"] == 1
    assert findings["untested", "low"] == 2
    assert findings["stale", "critical"] == 0
    assert found["northflank_audit_waived_findings"]["stale", "critical"] == 1
    assert found["northflank_sync_last_success_timestamp_seconds"] == {("acme",): NOW.timestamp()}
    assert found["northflank_sync_unreadable_addons"] == {("acme",): 1}


def test_a_status_that_is_not_documented_has_a_label_of_its_own() -> None:
    statuses = metrics(report(addon([backup(NOW - NOW, "archived")])))["northflank_backup_last_status"]
    assert [labels[-2] for labels, value in statuses.items() if value] == ["unknown"]


def test_every_format_renders_and_another_one_is_an_error() -> None:
    for format in FORMATS:
        assert render(EVERYTHING, format).endswith("\n")
    with pytest.raises(ConfigurationError, match="format"):
        render(EVERYTHING, "xml")
