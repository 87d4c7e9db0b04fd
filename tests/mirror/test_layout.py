"""Ids become paths that cannot leave a mirror, or meet."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from northflank_async.mirror.layout import addon_path, distinct, dump_name, is_safe, segment

HOSTILE = st.one_of(
    st.text(min_size=1),
    st.text("./\\\0: aA", min_size=1),
    st.sampled_from(
        ["..", ".", "CON", "con", "nul.gz", "manifest", "a" * 5000, "é", "e\u0301", "\ud800", "a/../../b", "-"]
    ),
)
TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))


@pytest.mark.parametrize("id", ["example-addon", "a", "16.4.0", "backup-20261101-1", "6553f1a2b3c4d5e6f7a8b9c0"])
def test_usual_ids_stay_as_they_are(id: str) -> None:
    assert segment(id) == id


@given(HOSTILE)
def test_a_segment_is_one_portable_name(id: str) -> None:
    name = segment(id)
    assert PurePosixPath(name).parts == PureWindowsPath(name).parts == (name,)
    assert name.isascii()
    assert name == name.lower()
    assert not name.startswith((".", "-"))
    assert len(name) <= 100
    assert name.partition(".")[0] not in ("con", "prn", "aux", "nul", "com1", "lpt1", "manifest")


@given(HOSTILE, HOSTILE)
def test_two_ids_never_share_a_segment(one: str, other: str) -> None:
    assert (segment(one) == segment(other)) == (one == other)


@given(st.none() | HOSTILE, st.none() | HOSTILE, HOSTILE, HOSTILE, HOSTILE, TIMES)
def test_every_path_is_one_that_a_manifest_may_have(
    account: str | None, team: str | None, project: str, addon: str, backup: str, time: datetime
) -> None:
    path = f"{addon_path(account, team, project, addon)}/{dump_name(time, backup, 'gz')}"
    assert is_safe(path)
    assert is_safe(distinct(path, (account, backup)))
    assert distinct(path, 1) != path
    assert distinct(path, 1) != distinct(path, 2)
    assert all(len(part.encode()) <= 255 for part in path.split("/"))


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../a/b", "a/../b", "a/./b", "a//b", "a", "a/b\n", "manifest/a/b.json", "a/.b", "a\\b/c", ""],
)
def test_a_path_that_leads_elsewhere_is_not_safe(path: str) -> None:
    assert not is_safe(path)


def test_the_parts_of_a_path_are_account_team_project_and_addon() -> None:
    assert addon_path("acme", "core", "billing", "db") == "acme/core/billing/db"
    assert addon_path(None, None, "billing", "db") == "billing/db"


@given(TIMES, TIMES)
def test_names_sort_by_creation(one: datetime, other: datetime) -> None:
    names = [dump_name(time, "b", None) for time in sorted([one, other])]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("compression", "suffix"), [("gz", ".gz"), ("zstd", ".zst"), (None, ".dump"), ("lz4", ".dump")]
)
def test_a_dump_is_named_after_its_creation_in_utc_and_its_id(compression: str | None, suffix: str) -> None:
    time = datetime(2026, 11, 1, 10, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    assert dump_name(time, "nightly", compression) == f"20261101T093000.123Z_nightly{suffix}"
