from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from attrs import fields

from northflank_async.audit.policy import RULES, Level, Place, Policy, Severity, level_fields, worst_level
from northflank_async.errors import ConfigurationError


def test_an_empty_policy_has_the_defaults() -> None:
    rules = Policy.parse("").rules
    assert rules == Policy().rules
    assert (rules.stale.warn, rules.stale.critical) == (Severity.MEDIUM, Severity.CRITICAL)
    assert rules.stale.max_age == timedelta(hours=24)
    assert rules.no_offsite.severity is None


def test_a_severity_is_the_shorthand_of_a_rule() -> None:
    rules = Policy.parse('[rules]\nno-offsite = "medium"\nuntested = "off"\nstale = "high"').rules
    assert rules.no_offsite.severity is Severity.MEDIUM
    assert rules.untested.severity is None
    assert (rules.stale.warn, rules.stale.critical) == (Severity.HIGH, Severity.HIGH)


def test_a_level_of_a_rule_can_be_off() -> None:
    rules = Policy.parse('[rules.stale]\nwarn = "off"\nmax_age = "26h"').rules
    assert (rules.stale.warn, rules.stale.critical) == (None, Severity.CRITICAL)
    assert rules.stale.max_age == timedelta(hours=26)
    assert worst_level(rules.stale) is Severity.CRITICAL


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_severity_or_two_levels(rule: str) -> None:
    names = [each.name for each in level_fields(RULES[rule])]
    assert names in (["severity"], ["warn", "critical"])
    assert all(each.metadata["meaning"] for each in fields(RULES[rule]))


OVERRIDES = """
[rules]
few = "high"

[[overrides]]
project = "staging-*"
rules.stale.max_age = "7d"
rules.untested = "off"

[[overrides]]
project = "staging-*"
type = "redis"
rules.stale.max_age = "14d"

[[overrides]]
tag = "customer-*"
account = "acme"
addon = "main-??"
rules.few.at_least = 5
"""


def test_later_overrides_win_and_the_others_stay() -> None:
    policy = Policy.parse(OVERRIDES)
    redis = policy.rules_for(Place(project_id="staging-1", addon_type="redis"))
    assert redis.stale.max_age == timedelta(days=14)
    assert redis.untested.severity is None
    other = policy.rules_for(Place(project_id="staging-1", addon_type="mysql"))
    assert other.stale.max_age == timedelta(days=7)
    assert other.few.severity is Severity.HIGH
    assert policy.rules_for(Place(project_id="production")) == policy.rules


@pytest.mark.parametrize(
    ("place", "at_least"),
    [
        (Place(account_id="acme", addon_id="main-db", tags=("production", "customer-data")), 5),
        (Place(account_id="acme", addon_id="main-db", tags=("production",)), 2),
        (Place(account_id="acme", addon_id="main-db"), 2),
        (Place(account_id="globex", addon_id="main-db", tags=("customer-data",)), 2),
        (Place(account_id="acme", addon_id="main-database", tags=("customer-data",)), 2),
        (Place(account_id=None, addon_id="main-db", tags=("customer-data",)), 2),
        (Place(account_id="acme", addon_id="MAIN-db", tags=("customer-data",)), 2),
    ],
)
def test_an_override_needs_all_of_its_globs_to_match(place: Place, at_least: int) -> None:
    assert Policy.parse(OVERRIDES).rules_for(place).few.at_least == at_least


WAIVER = """
[[waivers]]
rule = "stale"
project = "billing"
addon = "billing-*"
reason = "being migrated"
expires = 2027-01-31
"""


def test_a_waiver_works_until_the_end_of_its_last_day_in_utc() -> None:
    waiver = Policy.parse(WAIVER).find_waiver("stale", Place(project_id="billing", addon_id="billing-db"))
    assert waiver is not None
    assert (waiver.reason, waiver.expires) == ("being migrated", date(2027, 1, 31))
    assert not waiver.is_expired(datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC))
    assert waiver.is_expired(datetime(2027, 2, 1, tzinfo=UTC))
    west = datetime.fromisoformat("2027-01-31T20:00:00-05:00")  # 1 February in UTC
    assert waiver.is_expired(west)


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ("few", Place(project_id="billing", addon_id="billing-db")),
        ("stale", Place(project_id="billing", addon_id="db")),
        ("stale", Place(project_id="billing")),
        ("stale", Place(project_id="shop", addon_id="billing-db")),
    ],
)
def test_a_waiver_is_for_one_rule_and_the_addons_that_match(rule: str, place: Place) -> None:
    assert Policy.parse(WAIVER).find_waiver(rule, place) is None


def test_of_several_waivers_the_last_to_expire_counts() -> None:
    policy = Policy.parse(
        WAIVER + WAIVER.replace("2027-01-31", "2027-03-31") + WAIVER.replace("2027-01-31", "2026-01-31")
    )
    waiver = policy.find_waiver("stale", Place(project_id="billing", addon_id="billing-db"))
    assert waiver is not None
    assert waiver.expires == date(2027, 3, 31)


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ('[rules]\nstael = "low"', "rules.stael", "'stale'"),
        ('[rules.stale]\nmax_agee = "2h"', "rules.stale.max_agee", "'max_age'"),
        ('[rules.stale]\nseverity = "low"', "rules.stale.severity", "warn, critical"),
        ('[rules]\nstale = "hihg"', "rules.stale", "'high'"),
        ("[rules]\nstale = 3", "rules.stale", "critical"),
        ("[rules]\nstale = true", "rules.stale", "critical"),
        ('[rules.stale]\nmax_age = "2 hours"', "rules.stale.max_age", "30m"),
        ("[rules.stale]\nmax_age = 26", "rules.stale.max_age", "7d"),
        ('[rules.stale]\nmax_age = "0h"', "rules.stale.max_age", "empty"),
        ('[rules.stale]\nmax_age = "99999999999d"', "rules.stale.max_age", "too long"),
        ('[rules.stale]\nmax_age = "36501d"', "rules.stale.max_age", "the longest is 36500d"),
        ("[rules.stuck]\nfactor = 1e300", "rules.stuck.factor", "up to 1,000"),
        ("[rules.stale]\nmax_age = 2027-01-31", "rules.stale.max_age", "not 2027-01-31"),
        ("[rules]\nstale = 'HIGH'", "rules.stale", "'high'"),
        ("[rules]\nstale = []", "rules.stale", "low, medium, high, critical or off, not an array."),
        ("[rules]\nno_offsite = 'low'", "rules.no_offsite", "'no-offsite'"),
        ("[rules.few]\nat_least = true", "rules.few.at_least", "whole number"),
        ("[rules.few]\nat_least = 0", "rules.few.at_least", "1 or more"),
        ("[rules.size]\nunder = -1", "rules.size.under", "greater than 0"),
        ("[rules.size]\nover = inf", "rules.size.over", "greater than 0"),
        ("[rules.size]\nover = nan", "rules.size.over", "greater than 0"),
        ('[rules.no-schedule]\nstateless = "redis"', "rules.no-schedule.stateless", "array"),
        ("[rules.no-schedule]\nstateless = [1]", "rules.no-schedule.stateless[0]", "text"),
        ("rules = 1", "rules", "table"),
        ("[rule]", "rule", "'rules'"),
        ("overrides = 1", "overrides", "[[overrides]]"),
        ("overrides = [1]", "overrides[0]", "table"),
        ('[[overrides]]\nproject = "x"', "overrides[0]", "rules is missing"),
        ("[[overrides]]\nproject = 1\nrules.few = 'off'", "overrides[0].project", "text"),
        ('[[overrides]]\nrules.few = "off"\n[[overrides]]\nprojekt = "x"', "overrides[1].projekt", "'project'"),
        ('[[overrides]]\nrules.stale.max_agee = "1d"', "overrides[0].rules.stale.max_agee", "'max_age'"),
        ("[[waivers]]\nrule = 'stael'\nreason = 'x'\nexpires = 2027-01-31", "waivers[0].rule", "'stale'"),
        ("[[waivers]]\nrule = 'stale'\nexpires = 2027-01-31", "waivers[0]", "reason"),
        ("[[waivers]]\nrule = 'stale'\nreason = 'x'", "waivers[0]", "expires"),
        ("[[waivers]]\nreason = 'x'\nexpires = 2027-01-31", "waivers[0]", "rule"),
        ("[[waivers]]\nrule = 'stale'\nreason = ' '\nexpires = 2027-01-31", "waivers[0].reason", "empty"),
        ("[[waivers]]\nrule = 'stale'\nreason = 'x'\nexpires = '2027-01-31'", "waivers[0].expires", "date"),
        ("[[waivers]]\nrule = 'stale'\nreason = 'x'\nexpires = 2027-01-31T00:00:00Z", "waivers[0].expires", "date"),
        ("[[waivers]]\nrule = 'stale'\nreason = 'x'\nexpires = 10:00:00", "waivers[0].expires", "not 10:00:00"),
        ("[waivers]\nrule = 'stale'", "waivers", "[[waivers]]"),
        ("[[waivers]]\nrule = 'stale'\nreason = 'x'\nexpires = 2027-01-31\ntag = 'x'", "waivers[0].tag", "project"),
    ],
)
def test_what_is_not_a_policy_is_an_error_that_names_the_place(text: str, place: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Policy.parse(text, name="policy.toml")
    assert f"{caught.value}".startswith(f"policy.toml: {place}: ")
    assert hint in f"{caught.value}"


def test_what_is_not_toml_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[rules]\nstale = \n")
    with pytest.raises(ConfigurationError, match="line 2"):
        Policy.load(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        Policy.load(path)
    with pytest.raises(FileNotFoundError):
        Policy.load(tmp_path / "absent.toml")


def test_a_policy_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xef\xbb\xbf[rules]\nfew = 'off'")
    assert Policy.load(path).rules.few.severity is None


def test_levels_are_found_by_their_type() -> None:
    assert {each.type for cls in RULES.values() for each in level_fields(cls)} == {Level}
