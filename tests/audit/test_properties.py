"""What holds for all data: the rules never pass what they could not check."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from northflank_async.audit.policy import Policy, Severity
from northflank_async.audit.rules import OPEN, Case, Verdict, judge
from northflank_async.inventory.facts import AddonFacts, BackupFact, CopyFact, Known, RestoreFact
from northflank_async.records import BackupSchedule, Scheduling
from tests.audit.facts import NOW

pytestmark = pytest.mark.slow

POLICY = Policy.parse('[rules]\nno-offsite = "low"')
EXAMPLES, CHANGES = 500, 12
"""Facts, and changes of each of them: a single change seldom matters."""
AGES = [
    *(timedelta(minutes=minutes) for minutes in (0, 30, 59, 61, 90, 150, 300, 700)),
    *(timedelta(days=days, hours=hours) for days in (0, 1, 2, 6, 7, 8, 14, 30) for hours in (0, 9, 10, 11)),
    *(timedelta(days=days) for days in (179, 181, 400)),
]
STATUSES = [*["completed"] * 6, *["failed"] * 3, "in-progress", "scheduled", "aborted", "odd", None]

randoms = st.integers(0, 2**32).map(random.Random)
"""Facts are drawn from a random number generator: drawing each of their fields by itself takes far longer."""


def some_time(rng: random.Random) -> datetime | None:
    return None if rng.random() < 0.1 else NOW - rng.choice(AGES)


def some_backup(rng: random.Random, number: int) -> BackupFact:
    created_at, took, status = some_time(rng), rng.choice([None, 0, 1, 1, 1, 30, 120, 600]), rng.choice(STATUSES)
    if status in OPEN:
        took = None
    return BackupFact(
        id=f"b{number}",
        status=status,
        created_at=created_at,
        completed_at=None if created_at is None or took is None else created_at + timedelta(minutes=took),
        source_type=rng.choice(["snapshot", "snapshot", "liveInstance", "liveInstance", "fileUpload", None]),
        size=rng.choice([0, 1, 40, *[100] * 6, 600, None]),
        compression_type=rng.choice([*["gz"] * 6, "zstd", None]),
        custom_destination_id=rng.choice([None, None, "bucket"]),
    )


def some_copy(rng: random.Random) -> CopyFact:
    source_type = rng.choice(["liveInstance", "liveInstance", "fileUpload", "odd", None])
    return CopyFact(NOW - rng.choice(AGES), source_type, "s3://offsite")


def some_restore(rng: random.Random, number: int) -> RestoreFact:
    started_at = some_time(rng)
    completed_at = None if started_at is None or rng.random() < 0.3 else started_at + timedelta(minutes=30)
    return RestoreFact(f"r{number}", "b", rng.choice(STATUSES), started_at, completed_at)


def some_schedule(rng: random.Random, number: int) -> BackupSchedule:
    scheduling = Scheduling(
        interval=rng.choice(["hourly", "daily", "daily", "weekly", "odd"]),
        minute=rng.choice([(0,), (0, 30), (59,), None]),
        hour=rng.choice([(2,), (2, 14), None]),
        day=rng.choice([(0,), (2, 4), None]),
    )
    return BackupSchedule(
        id=f"s{number}",
        backup_type=rng.choice(["snapshot", "dump", None]),
        scheduling=rng.choice([scheduling, scheduling, scheduling, None]),
        retention_time=rng.choice([1, 7, 30, None]),
        custom_destination_id=rng.choice([None, None, "bucket"]),
        created_at=some_time(rng),
        updated_at=some_time(rng),
    )


def known(rng: random.Random, make: Callable[[random.Random, int], Any], most: int) -> Known[Any]:
    items = tuple(make(rng, number) for number in range(rng.randint(0, most)))
    return Known(items=items, read_at=NOW, gap=rng.choice([None, None, None, "a gap"]))


def some_addon(rng: random.Random) -> AddonFacts:
    return AddonFacts(
        project_id="billing",
        addon_id="billing-db",
        addon_type=rng.choice(["mysql", "memcached", None]),
        backups=known(rng, some_backup, rng.choice([2, 4, 12])),
        restores=known(rng, some_restore, 3),
        schedules=known(rng, some_schedule, 2),
        copies=tuple(some_copy(rng) for _ in range(rng.choice([0, 0, 1, 2]))),
    )


def judged(facts: AddonFacts) -> dict[str, Verdict]:
    return dict(judge(Case(facts=facts, rules=POLICY.rules, now=NOW)))


def remove(rng: random.Random, facts: AddonFacts) -> AddonFacts:
    """Return the same facts with less data, and nothing that says otherwise."""
    kind = rng.choice(["backups", "backups", "restores", "schedules", "copies"])
    if kind == "copies":
        some = tuple(copy._replace(source_type=rng.choice([copy.source_type, None])) for copy in facts.copies)
        return evolve(facts, copies=some[rng.choice([0, 0, 1]) :])
    change = rng.choice(["field", "field", "field", "items", "listing"])
    listing: Known[Any] = getattr(facts, kind)
    items = list(listing.items)
    if change == "field" and items:
        index = rng.randrange(len(items))
        item = items[index]
        blank: dict[str, Any] = {rng.choice(_names(item)): None}
        items[index] = evolve(item, **blank) if isinstance(item, BackupSchedule) else item._replace(**blank)
        less: Known[Any] = evolve(listing, items=tuple(items))
    elif change == "listing" and kind != "backups":
        less = Known(gap="it was never read")
    else:
        kept = tuple(item for item in items if rng.random() < 0.5)
        less = evolve(listing, items=kept, gap="a gap")
    changed: dict[str, Any] = {kind: less}
    return evolve(facts, **changed)


def _names(item: Any) -> Sequence[str]:
    if isinstance(item, BackupSchedule):
        return ("backup_type", "scheduling", "retention_time", "created_at", "updated_at")
    return [name for name in item._fields if name != "id" and "destination" not in name]


@settings(max_examples=EXAMPLES)
@given(randoms)
def test_removing_data_never_turns_a_finding_into_a_pass(rng: random.Random) -> None:
    facts = some_addon(rng)
    before = judged(facts)
    for _ in range(CHANGES):
        after = judged(remove(rng, facts))
        for rule, verdict in before.items():
            assert rule in after, verdict
            assert after[rule].severity.rank >= verdict.severity.rank  # nor into one that an exit code does not show


@settings(max_examples=EXAMPLES)
@given(randoms)
def test_making_a_completed_backup_newer_never_adds_a_finding(rng: random.Random) -> None:
    facts = some_addon(rng)
    items = list(facts.backups.items)
    movable = [
        i for i, each in enumerate(items) if each.status == "completed" and each.created_at and each.completed_at
    ]
    if not movable:
        return
    before = judged(facts)
    for rule in ("size", "no-offsite"):  # they judge what the newest backup is, not its age
        before[rule] = Verdict(severity=Severity.CRITICAL, message="any")
    for _ in range(CHANGES):
        changed = list(items)
        moved = items[index := rng.choice(movable)]
        assert moved.created_at is not None
        assert moved.completed_at is not None
        by = max(timedelta(), NOW - rng.choice(AGES) - moved.created_at)
        changed[index] = moved._replace(created_at=moved.created_at + by, completed_at=moved.completed_at + by)
        for rule, verdict in judged(evolve(facts, backups=evolve(facts.backups, items=tuple(changed)))).items():
            assert rule in before, verdict
            assert verdict.severity.rank <= before[rule].severity.rank


@settings(max_examples=EXAMPLES)
@given(randoms)
def test_every_finding_says_what_it_follows_from(rng: random.Random) -> None:
    for verdict in judged(some_addon(rng)).values():
        assert verdict.message
        assert verdict.is_unknown or verdict.evidence
        assert verdict.since is None or verdict.since <= NOW + timedelta(days=1)
