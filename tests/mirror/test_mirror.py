"""Mirrors in a folder."""

import asyncio
import hashlib
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from northflank_async import ConfigurationError, TransportError
from northflank_async.errors import AuthenticationError
from northflank_async.inventory import Query
from northflank_async.mirror import MirrorOutcome, MirrorProgress, mirror
from northflank_async.mirror.folder import Folder
from tests.support.dumps import DumpAccount, dump, entries_in, files_in, snapshot
from tests.support.scripted_server import serve

DAYS_OF_NOON = (datetime.now(UTC) - datetime(2026, 11, 1, 12, tzinfo=UTC)).days
"""How long ago the newest dump of `DumpAccount` is."""


async def mirrored(account: DumpAccount, folder: Path, **options: Any) -> MirrorOutcome:
    async with serve(account.respond) as server, server.client(attempts=2) as nf:
        return await mirror(folder, nf, **options)


# What is copied


async def test_each_completed_dump_is_copied_and_entered_into_the_manifest(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1", 1), dump("b2")], "empty": []}})
    outcome = await mirrored(account, tmp_path / "new" / "mirror", concurrency=1)
    assert files_in(tmp_path / "new" / "mirror") == [
        "manifest/p/a/b1.json",
        "manifest/p/a/b2.json",
        "p/a/20261031T120000.000Z_b1.gz",
        "p/a/20261101T120000.000Z_b2.gz",
    ]
    file = tmp_path / "new/mirror/p/a/20261101T120000.000Z_b2.gz"
    assert file.read_bytes() == b"p/a/b2"
    entry = json.loads((tmp_path / "new/mirror/manifest/p/a/b2.json").read_text())
    assert datetime.fromisoformat(entry.pop("fetched_at")).tzinfo is not None
    assert entry == {
        "account_id": "acme",
        "team_id": None,
        "project_id": "p",
        "addon_id": "a",
        "backup_id": "b2",
        "created_at": "2026-11-01T12:00:00+00:00",
        "path": "p/a/20261101T120000.000Z_b2.gz",
        "size": 6,
        "sha256": hashlib.sha256(b"p/a/b2").hexdigest(),
        "addon_type": "postgresql",
        "addon_version": "16.4.0",
    }
    assert [copy.backup_id for copy in outcome.copied] == ["b2", "b1"]  # the newest first
    assert (outcome.bytes, outcome.held, outcome.failures) == (12, 0, [])


async def test_what_the_manifest_has_takes_no_request(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1")]}})
    await mirrored(account, tmp_path)
    before = {path: (tmp_path / path).stat().st_mtime_ns for path in files_in(tmp_path)}
    account.tree["p"]["a"].append(dump("b2", 1))
    outcome = await mirrored(account, tmp_path)
    assert account.links == ["p/a/b1", "p/a/b2"]
    assert (len(outcome.copied), outcome.held) == (1, 1)
    assert all((tmp_path / path).stat().st_mtime_ns == time for path, time in before.items())


async def test_copies_stay_when_the_platform_drops_their_backups(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1"), dump("b2")]}})
    await mirrored(account, tmp_path)
    before = files_in(tmp_path)
    account.tree = {"other": {}}
    outcome = await mirrored(account, tmp_path)
    assert files_in(tmp_path) == before
    assert not outcome.deleted


@pytest.mark.parametrize("status", ["failed", "in-progress", "aborted", "scheduled"])
async def test_only_completed_dumps_are_copied(tmp_path: Path, status: str) -> None:
    account = DumpAccount({"p": {"a": [dump("b1"), dump("b2", status=status)]}})
    await mirrored(account, tmp_path)
    assert account.links == ["p/a/b1"]


async def test_snapshots_are_reported_with_whether_the_addon_has_dumps(tmp_path: Path) -> None:
    tree = {"p": {"a": [snapshot("s1"), snapshot("s2"), dump("b1")], "only": [snapshot("s3")]}}
    account = DumpAccount(tree)
    outcome = await mirrored(account, tmp_path)
    assert [(each.addon_id, each.count, each.has_dumps) for each in outcome.snapshots] == [
        ("a", 2, True),
        ("only", 1, False),
    ]
    assert account.links == ["p/a/b1"]


async def test_a_backup_of_unknown_kind_is_tried(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1", config={}), dump("b2", config=None)]}})
    outcome = await mirrored(account, tmp_path)
    assert sorted(copy.path for copy in outcome.copied) == [
        "p/a/20261101T120000.000Z_b1.dump",
        "p/a/20261101T120000.000Z_b2.dump",
    ]


async def test_newest_limits_the_dumps_of_each_addon(tmp_path: Path) -> None:
    tree = {"p": {"a": [dump(f"b{age}", age) for age in range(5)], "c": [dump("x", 9), snapshot("s")]}}
    account = DumpAccount(tree)
    await mirrored(account, tmp_path, newest=2)
    assert sorted(account.links) == ["p/a/b0", "p/a/b1", "p/c/x"]


async def test_a_query_limits_what_is_copied(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1")]}, "q": {"a": [dump("b2")]}})
    async with serve(account.respond) as server, server.client() as nf:
        await mirror(str(tmp_path), Query(nf, projects=["q"]))
    assert account.links == ["q/a/b2"]


async def test_two_queries_of_one_client_are_one_account(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1")]}, "q": {"a": [dump("b2")], "other": [dump("b3")]}})
    async with serve(account.respond) as server, server.client() as nf:
        await mirror(str(tmp_path), Query(nf, projects=["p"]), Query(nf, projects=["q"], addons=["a"]))
    assert sorted(copy.path.rpartition("/")[0] for copy in entries_in(tmp_path)) == ["p/a", "q/a"]


async def test_the_account_comes_first_where_there_are_several(tmp_path: Path) -> None:
    one, other = DumpAccount({"p": {"a": [dump("b")]}}), DumpAccount({"p": {"a": [dump("b")]}}, entity_id="globex")
    other.contents["p/a/b"] = b"another"
    async with (
        serve(one.respond) as first,
        serve(other.respond) as second,
        first.client(name="one") as nf,
        second.client(name="other") as other_nf,
    ):
        outcome = await mirror(str(tmp_path), nf, other_nf)
    assert not outcome.failures
    name = "20261101T120000.000Z_b.gz"
    assert (tmp_path / f"acme/p/a/{name}").read_bytes() == b"p/a/b"
    assert (tmp_path / f"globex/p/a/{name}").read_bytes() == b"another"
    assert [copy.account_id for copy in entries_in(tmp_path)] == ["acme", "globex"]


async def test_another_account_in_the_same_place_is_not_taken_for_the_first(tmp_path: Path) -> None:
    one, other = DumpAccount({"p": {"a": [dump("b")]}}), DumpAccount({"p": {"a": [dump("b")]}}, entity_id="globex")
    other.contents["p/a/b"] = b"another"
    await mirrored(one, tmp_path)
    await mirrored(other, tmp_path)
    await mirrored(one, tmp_path)
    assert one.links == other.links == ["p/a/b"]
    contents = {copy.account_id: (tmp_path / copy.path).read_bytes() for copy in entries_in(tmp_path)}
    assert contents == {"acme": b"p/a/b", "globex": b"another"}


async def test_an_account_keeps_its_folder_when_another_one_joins(tmp_path: Path) -> None:
    one, other = DumpAccount({"p": {"a": [dump("b")]}}), DumpAccount({"p": {"a": [dump("b")]}}, entity_id="globex")
    await mirrored(one, tmp_path)
    await mirrored(other, tmp_path)
    for account in (one, other):
        account.tree["p"]["a"].append(dump("later", -1))
        await mirrored(account, tmp_path)
    assert sorted(copy.path for copy in entries_in(tmp_path)) == [
        "globex/p/a/20261101T120000.000Z_b.gz",
        "globex/p/a/20261102T120000.000Z_later.gz",
        "p/a/20261101T120000.000Z_b.gz",
        "p/a/20261102T120000.000Z_later.gz",
    ]


async def test_a_new_dump_with_the_id_of_a_held_one_is_copied_too(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b", 1)]}})
    await mirrored(account, tmp_path)
    account.tree["p"]["a"] = [dump("b")]
    await mirrored(account, tmp_path)
    assert sorted(copy.path for copy in entries_in(tmp_path)) == [
        "p/a/20261031T120000.000Z_b.gz",
        "p/a/20261101T120000.000Z_b.gz",
    ]


@pytest.mark.parametrize("id", ["../../../escape", "..", "a/b", "a\0b", "/etc/passwd", "x" * 400, "CON", "é"])
async def test_a_hostile_id_stays_below_the_destination(tmp_path: Path, id: str) -> None:
    account = DumpAccount({"p": {"a": [dump(id), dump("usual")]}})
    folder = tmp_path / "deep" / "er" / "mirror"
    outcome = await mirrored(account, folder)
    assert all(path.is_relative_to(folder) for path in tmp_path.rglob("*") if path.is_file())
    assert [copy.backup_id for copy in outcome.copied if copy.backup_id == "usual"] == ["usual"]
    assert {failure.item_id for failure in outcome.failures} | {copy.backup_id for copy in outcome.copied} == {
        id,
        "usual",
    }


async def test_ids_that_differ_in_case_only_are_two_files_everywhere(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("Nightly"), dump("nightly")]}})
    await mirrored(account, tmp_path)
    assert len({path.lower() for path in files_in(tmp_path)}) == 4


async def test_files_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    modes: list[int] = []
    account = DumpAccount({"p": {"a": [dump("b")]}})

    def look(request: web.Request) -> None:
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*.part"))

    account.instead = lambda request: look(request) if request.path.startswith("/storage") else None
    umask = os.umask(0)
    try:
        await mirrored(account, tmp_path)
    finally:
        os.umask(umask)
    assert modes == [0o600]
    assert {stat.S_IMODE((tmp_path / path).stat().st_mode) for path in files_in(tmp_path)} == {0o600}


# What goes wrong


async def test_a_dump_that_fails_is_named_and_the_others_are_copied(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1"), dump("gone", 1), dump("b3", 2)]}})
    missing = web.json_response({"error": {"status": 404, "message": "There is no backup gone."}}, status=404)
    account.instead = lambda request: missing if "gone" in request.path else None
    outcome = await mirrored(account, tmp_path)
    assert sorted(copy.backup_id for copy in outcome.copied) == ["b1", "b3"]
    (failure,) = outcome.failures
    assert str(failure).startswith("p/a: gone: 404 There is no backup gone.")
    assert not any("gone" in path for path in files_in(tmp_path) if not path.endswith(".part"))


async def test_a_link_that_expired_is_requested_once_more(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    refusals = iter([web.Response(status=403)])
    account.instead = lambda request: next(refusals, None) if request.path.startswith("/storage") else None
    outcome = await mirrored(account, tmp_path)
    assert (account.links, len(outcome.copied)) == (["p/a/b"] * 2, 1)


async def test_a_dump_whose_links_are_always_rejected_takes_two_requests(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    account.instead = lambda request: web.Response(status=403) if request.path.startswith("/storage") else None
    outcome = await mirrored(account, tmp_path)
    assert account.links == ["p/a/b"] * 2
    assert "s3cret" not in f"{outcome.failures} {outcome.failures[0]}"


async def test_a_rejected_token_ends_the_mirror(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump(f"b{number}") for number in range(9)]}})
    refusal = {"error": {"status": 401, "message": "no"}}
    account.instead = lambda request: (
        web.json_response(refusal, status=401) if request.path.endswith("/download-link") else None
    )
    with pytest.raises(AuthenticationError):
        await mirrored(account, tmp_path)


async def test_one_account_whose_token_is_rejected_does_not_end_the_others(tmp_path: Path) -> None:
    bad, good = DumpAccount({"p": {"a": [dump(f"b{age}") for age in range(9)]}}), DumpAccount({"p": {"a": [dump("b")]}})
    good.entity_id = "globex"
    asked: list[str] = []

    def refuse(request: web.Request) -> web.Response | None:
        if not request.path.endswith("/download-link"):
            return None
        asked.append(request.path)
        return web.json_response({"error": {"status": 401, "message": "no"}}, status=401)

    bad.instead = refuse
    async with serve(bad.respond) as one, serve(good.respond) as two, one.client() as nf, two.client() as other:
        outcome = await mirror(str(tmp_path), nf, other, concurrency=1)
    assert [copy.account_id for copy in outcome.copied] == ["globex"]
    assert (len(outcome.failures), len(asked)) == (9, 1)


async def test_a_storage_service_that_is_down_ends_the_mirror(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump(f"b{number}") for number in range(30)]}})
    account.instead = lambda request: web.Response(status=503) if request.path.startswith("/storage") else None
    with pytest.raises(TransportError, match="503"):
        await mirrored(account, tmp_path, concurrency=1)
    assert len(account.links) == 10


async def test_a_file_that_is_not_the_mirrors_is_not_overwritten(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    stranger = tmp_path / "p/a/20261101T120000.000Z_b.gz"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("precious")
    outcome = await mirrored(account, tmp_path)
    assert stranger.read_text() == "precious"
    (copy,) = outcome.copied
    assert (tmp_path / copy.path).read_bytes() == b"p/a/b"
    assert (await mirrored(account, tmp_path)).held == 1


async def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    stranger = tmp_path / "p/a/20261101T120000.000Z_b.gz"

    def appear(request: web.Request) -> None:
        stranger.write_text("precious")

    account.instead = lambda request: appear(request) if request.path.startswith("/storage") else None
    outcome = await mirrored(account, tmp_path)
    assert stranger.read_text() == "precious"
    assert "is not in the manifest" in str(outcome.failures[0])


async def test_a_held_copy_whose_file_is_missing_or_of_another_size_is_a_failure(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1"), dump("b2"), dump("b3")]}})
    await mirrored(account, tmp_path)
    (tmp_path / "p/a/20261101T120000.000Z_b1.gz").unlink()
    (tmp_path / "p/a/20261101T120000.000Z_b2.gz").write_text("short")
    outcome = await mirrored(account, tmp_path)
    assert len(account.links) == 3
    messages = sorted(map(str, outcome.failures))
    assert "the copy is missing: delete manifest/p/a/b1.json to copy it again" in messages[0]
    assert "the copy is of another size: delete manifest/p/a/b2.json" in messages[1]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"path": "../../x"}', "[" * 10000])
async def test_a_damaged_entry_is_reported_and_its_dump_copied_again(tmp_path: Path, text: str) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    await mirrored(account, tmp_path)
    (tmp_path / "manifest/p/a/b.json").write_text(text)
    outcome = await mirrored(account, tmp_path)
    assert [error.place for error in outcome.damaged] == ["manifest/p/a/b.json"]
    assert len(outcome.copied) == 1
    assert (await mirrored(account, tmp_path)).held == 1


async def test_an_entry_that_leads_elsewhere_deletes_nothing_there(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1"), dump("b2", 400)]}})
    folder = tmp_path / "mirror"
    await mirrored(account, folder)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    entry = folder / "manifest/p/a/b2.json"
    entry.write_text(json.dumps({**json.loads(entry.read_text()), "path": "../precious"}))
    outcome = await mirrored(account, folder, keep=timedelta(days=DAYS_OF_NOON + 10))
    assert precious.exists()
    assert not outcome.deleted


async def test_two_mirrors_cannot_write_to_one_folder(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    async with Folder(tmp_path).locked():
        with pytest.raises(BlockingIOError):
            await mirrored(account, tmp_path)
    assert not account.links


async def test_a_destination_that_is_a_file_is_refused_before_any_request(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    account = DumpAccount({})
    async with serve(account.respond) as server, server.client() as nf:
        with pytest.raises(NotADirectoryError):
            await mirror(str(tmp_path / "file"), nf)
        assert not server.requests


@pytest.mark.parametrize(
    ("destination", "options"),
    [
        ("", {}),
        ("ftp://host/path", {}),
        ("s3://", {}),
        ("s3://key:secret@bucket/x", {}),
        ("s3://bucket/x?region=eu", {}),
        ("s3://[", {}),
        ("folder", {"newest": 0}),
        ("folder", {"keep": timedelta(0)}),
        ("folder", {"concurrency": 0}),
    ],
)
async def test_bad_arguments_are_refused_before_any_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, destination: str, options: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    account = DumpAccount({})
    async with serve(account.respond) as server, server.client() as nf:
        with pytest.raises(ConfigurationError) as caught:
            await mirror(destination, nf, **options)
        assert not server.requests
    assert "secret" not in str(caught.value)
    assert not files_in(tmp_path)


# What is deleted


def days(after_noon: int) -> timedelta:
    """A time to keep that ends as many days before the newest dump."""
    return timedelta(days=DAYS_OF_NOON + after_noon + 0.5)


async def test_keep_deletes_old_copies_but_never_the_newest_of_an_addon(tmp_path: Path) -> None:
    tree = {"p": {"a": [dump(f"b{age}", age) for age in range(4)], "old": [dump("x", 300), dump("y", 400)]}}
    account = DumpAccount(tree)
    await mirrored(account, tmp_path)
    outcome = await mirrored(account, tmp_path, keep=days(1))
    assert sorted(copy.backup_id for copy in outcome.deleted) == ["b2", "b3", "y"]
    assert sorted(copy.backup_id for copy in entries_in(tmp_path)) == ["b0", "b1", "x"]
    assert len(files_in(tmp_path)) == 6
    assert len(account.links) == 6


async def test_keep_does_not_copy_what_it_would_delete(tmp_path: Path) -> None:
    tree = {"p": {"a": [dump(f"b{age}", age) for age in range(4)], "old": [dump("x", 300), dump("y", 400)]}}
    account = DumpAccount(tree)
    await mirrored(account, tmp_path, keep=days(1))
    assert sorted(account.links) == ["p/a/b0", "p/a/b1", "p/old/x"]


async def test_keep_leaves_the_newest_held_copy_if_a_newer_dump_could_not_be_copied(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("old", 200)]}})
    await mirrored(account, tmp_path)
    account.tree["p"]["a"].append(dump("new"))
    account.instead = lambda request: web.Response(status=404) if request.path.endswith("new/download-link") else None
    outcome = await mirrored(account, tmp_path, keep=days(1))
    assert (len(outcome.failures), outcome.deleted) == (1, [])
    assert [copy.backup_id for copy in entries_in(tmp_path)] == ["old"]


async def test_keep_also_applies_to_what_the_platform_dropped(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b0"), dump("b9", 9)]}})
    await mirrored(account, tmp_path)
    account.tree["p"]["a"].pop()
    outcome = await mirrored(account, tmp_path, keep=days(1))
    assert [copy.backup_id for copy in outcome.deleted] == ["b9"]


async def test_keep_leaves_addons_alone_that_the_query_does_not_match(tmp_path: Path) -> None:
    one = DumpAccount({"p": {"a": [dump("b0"), dump("b9", 9)]}, "q": {"a": [dump("c0"), dump("c9", 9)]}})
    other = DumpAccount({"p": {"a": [dump("d0"), dump("d9", 9)]}}, entity_id="globex")
    await mirrored(one, tmp_path)
    await mirrored(other, tmp_path)
    async with serve(one.respond) as server, server.client() as nf:
        outcome = await mirror(str(tmp_path), Query(nf, projects=["p"]), keep=days(1))
    assert [copy.backup_id for copy in outcome.deleted] == ["b9"]


async def test_each_account_is_matched_by_its_own_query(tmp_path: Path) -> None:
    one = DumpAccount({"p": {"a": [dump("b0"), dump("b9", 9)]}, "q": {"a": [dump("c0"), dump("c9", 9)]}})
    other = DumpAccount({"p": {"a": [dump("d0"), dump("d9", 9)]}, "q": {}}, entity_id="globex")
    async with serve(one.respond) as first, serve(other.respond) as second, first.client() as nf, second.client() as ng:
        await mirror(str(tmp_path), nf, ng)
        outcome = await mirror(str(tmp_path), Query(nf, projects=["p"]), Query(ng, projects=["q"]), keep=days(1))
    assert [copy.backup_id for copy in outcome.deleted] == ["b9"]


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b9", 9)]}})
    await mirrored(account, tmp_path)
    before = files_in(tmp_path)
    account.tree["p"]["a"] += [dump("b0"), dump("b8", 8)]
    outcome = await mirrored(account, tmp_path, keep=days(1), dry_run=True)
    assert [each.backup_id for each in outcome.wanted] == ["b0"]
    assert [copy.backup_id for copy in outcome.deleted] == ["b9"]
    assert files_in(tmp_path) == before
    assert account.links == ["p/a/b9"]
    await mirrored(account, tmp_path / "absent", dry_run=True)
    assert not (tmp_path / "absent").exists()


# Progress


async def test_progress_counts_dumps_and_bytes(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1"), dump("b2", 1), dump("b3", 2)]}})
    started: list[Any] = []
    seen: list[MirrorProgress] = []

    def look(request: web.Request) -> None:
        seen.append(started[0]())

    account.instead = lambda request: look(request) if request.path.startswith("/storage") else None
    await mirrored(account, tmp_path, on_start=started.append, concurrency=1)
    seen.append(started[0]())
    assert [(each.dumps_done, each.dumps, each.bytes_done) for each in seen] == [
        (0, 3, 0),
        (1, 3, 6),
        (2, 3, 12),
        (3, 3, 18),
    ]
    assert seen[-1].bytes == 18
    assert seen[-1].listing.backups == 3


@pytest.mark.parametrize("concurrency", [1, 2, 5])
async def test_so_many_downloads_run_at_a_time(tmp_path: Path, concurrency: int) -> None:
    account = DumpAccount({"p": {"a": [dump(f"b{number}") for number in range(12)]}})
    running = most = 0

    async def count(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return web.Response(body=b"x")

    account.instead = lambda request: count(request) if request.path.startswith("/storage") else None
    await mirrored(account, tmp_path, concurrency=concurrency)
    assert most == concurrency


async def test_cancelling_a_mirror_leaves_no_file(tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b")]}})
    reached = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        reached.set()
        await asyncio.sleep(100)
        return web.Response()

    account.instead = lambda request: hang(request) if request.path.startswith("/storage") else None
    async with serve(account.respond) as server, server.client() as nf:
        task = asyncio.create_task(mirror(str(tmp_path), nf))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not entries_in(tmp_path)
    assert all(path.endswith(".part") for path in files_in(tmp_path))
