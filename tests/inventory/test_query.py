"""Which part of an inventory a query matches."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from northflank_async import (
    Addon,
    AddonSpec,
    Backup,
    ConfigurationError,
    Northflank,
    RunStatus,
)
from northflank_async.inventory import Query, Scan

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def a_query(**fields: Any) -> Query:
    return Query(Northflank("token"), **fields)


def a_backup(status: str = "completed", created_at: datetime = NOON) -> Backup:
    return Backup(id="b", status=status, created_at=created_at)


def an_addon(addon_type: str) -> Addon:
    return Addon(id="a", spec=AddonSpec(type=addon_type))


async def test_a_query_without_accounts_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nothing to read"):
        Scan(Query([]))


def test_a_query_of_several_clients_becomes_one_for_each_client_and_what_is_wanted_of_it() -> None:
    one, other = Northflank("token"), Northflank("token")
    team = one.team("acme")
    split = Query.of_each_client([one, Query([other, team], projects=["p"]), team, other])
    assert [(query.accounts, query.projects) for query in split] == [
        ((one, team), None),
        ((other,), ("p",)),
        ((team,), ("p",)),
        ((other,), None),
    ]


def test_an_id_that_is_too_long_for_a_key_is_refused() -> None:
    nf = Northflank("token")
    assert Query(nf.team("x" * 500), projects=["x" * 500]).projects == ("x" * 500,)
    with pytest.raises(ConfigurationError, match="a project id has at most 500 bytes"):
        Query(nf, projects=["p", "é" * 251])
    with pytest.raises(ConfigurationError, match="a team id has at most 500 bytes"):
        Query([nf, nf.team("x" * 501)])
    with pytest.raises(ConfigurationError, match="the name of a client has at most 500 bytes"):
        Query(Northflank("token", name="x" * 501))


def test_no_query_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="nothing to read"):
        Query.of_each_client([])


def test_an_empty_query_matches_everything() -> None:
    assert a_query().matches(a_backup(status="not-documented"))
    assert a_query().matches_addon(an_addon("not-documented"))


@pytest.mark.parametrize("since", [datetime(2026, 5, 1, 12), date(2026, 5, 1), "2026-05-01"])
def test_since_must_have_a_time_zone(since: Any) -> None:
    with pytest.raises(ConfigurationError, match="since must be a datetime with a time zone, or a timedelta, not"):
        a_query(since=since)


@pytest.mark.parametrize("since", [timedelta(), timedelta(days=-1)])
def test_a_relative_since_must_be_longer_than_no_time(since: timedelta) -> None:
    with pytest.raises(ConfigurationError, match="since must be longer than no time, not"):
        a_query(since=since)


@pytest.mark.parametrize(("age", "wanted"), [(timedelta(days=7), True), (timedelta(days=7, milliseconds=1), False)])
def test_a_relative_since_counts_back_from_the_start(age: timedelta, wanted: bool) -> None:
    query = a_query(since=timedelta(days=7))
    assert query.starting(NOON).matches(a_backup(created_at=NOON - age)) is wanted
    assert query.fingerprint == a_query(since=timedelta(hours=168)).fingerprint
    assert query.fingerprint != a_query(since=timedelta(days=8)).fingerprint


def test_a_since_before_the_year_1_matches_everything() -> None:
    assert a_query(since=timedelta.max).starting(NOON).matches(a_backup(created_at=datetime.min.replace(tzinfo=UTC)))


@pytest.mark.parametrize("since", [None, NOON])
def test_an_absolute_since_does_not_depend_on_the_start(since: datetime | None) -> None:
    assert a_query(since=since).starting(NOON + timedelta(days=1)).since == since


@pytest.mark.parametrize(
    ("since", "wanted"),
    [(NOON, True), (NOON + timedelta(milliseconds=1), False), (NOON.astimezone(timezone(timedelta(hours=9))), True),
     (datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=-1))), False)],
)  # fmt: skip
def test_since_is_the_earliest_creation_time(since: datetime, wanted: bool) -> None:
    assert a_query(since=since).matches(a_backup()) is wanted


@pytest.mark.parametrize("statuses", ["failed", ["failed", "aborted"], {RunStatus.FAILED}, ("failed",)], ids=repr)
def test_statuses_are_one_or_several_words_of_the_api(statuses: Any) -> None:
    query = a_query(statuses=statuses)
    assert query.matches(a_backup("failed"))
    assert query.matches(a_backup(RunStatus.FAILED))
    assert not query.matches(a_backup("completed"))
    assert not query.matches(a_backup("fail"))


def test_a_query_can_ask_for_an_undocumented_status() -> None:
    assert a_query(statuses="paused").matches(a_backup("paused"))


def test_a_backup_must_match_both_time_and_status() -> None:
    query = a_query(since=NOON, statuses="failed")
    assert query.matches(a_backup("failed"))
    assert not query.matches(a_backup("failed", NOON - timedelta(days=1)))
    assert not query.matches(a_backup("completed"))


@pytest.mark.parametrize("addon_types", ["postgresql", ["postgresql", "redis"]])
def test_addons_of_other_types_do_not_match(addon_types: Any) -> None:
    query = a_query(addon_types=addon_types)
    assert query.matches_addon(an_addon("postgresql"))
    assert not query.matches_addon(an_addon("mongodb"))


@pytest.mark.parametrize("addon", [Addon(id="a"), Addon(id="a", spec=AddonSpec())])
def test_an_addon_of_unknown_type_matches(addon: Addon) -> None:
    assert a_query(addon_types="postgresql").matches_addon(addon)


@pytest.mark.parametrize(("addons", "wanted"), [((), True), ("a", True), (["b", "a"], True), (["b"], False)])
def test_a_query_may_name_addons(addons: Any, wanted: bool) -> None:
    query = a_query(addons=addons)
    assert query.matches_addon(an_addon("redis")) is wanted
    assert query.fingerprint == a_query(addons=list(addons)[::-1]).fingerprint
    assert query.fingerprint != a_query(addons=["c"]).fingerprint
