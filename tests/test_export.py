"""Exporting the inventory of many projects into one file."""

import asyncio
import json
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from northflank_async import Northflank, NotFound, ServerError
from northflank_async.inventory import Export, export
from northflank_async.inventory.whole_file import whole_file
from northflank_async.simulator import Simulator
from tests.scripted import backup, envelope, scripted


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def inventory(nf: Northflank, *projects: str) -> list[dict[str, Any]]:
    """What an export has to hold, put together from the listings."""
    ids = projects or [project.id async for project in nf.projects()]
    return [
        {"project": project, "addon": addon.id, "addonType": addon.spec and addon.spec.type, "backup": raw}
        for project in ids
        for addon in await nf.project(project).addons().all()
        for raw in await nf.project(project).addon(addon.id).backups().raw().all()
    ]


async def test_every_backup_of_every_project_is_a_line_as_the_api_sent_it(nf: Northflank, tmp_path: Path) -> None:
    done = await export(nf, tmp_path / "out.jsonl")
    assert lines(tmp_path / "out.jsonl") == await inventory(nf)
    assert (done.projects, done.addons, done.addons_done, done.backups) == (5, 20, 20, 3000)
    assert done.unreadable == []


async def test_only_the_projects_that_were_asked_for_are_exported_once_each(nf: Northflank, tmp_path: Path) -> None:
    done = await export(nf, tmp_path / "out.jsonl", projects=["billing", "default-project", "billing"])
    assert lines(tmp_path / "out.jsonl") == await inventory(nf, "billing", "default-project")
    assert done.projects == 2


async def test_a_team_is_exported_by_its_own_routes(sim: Simulator, nf: Northflank, tmp_path: Path) -> None:
    await export(nf.team("acme"), tmp_path / "out.jsonl", projects=["billing"])
    assert {request.path.split("/")[3] for request in sim.requests} == {"acme"}


async def test_no_request_is_spent_that_the_inventory_does_not_need(
    sim: Simulator, nf: Northflank, tmp_path: Path
) -> None:
    await export(nf, tmp_path / "out.jsonl")
    backups = Counter(line["addon"] for line in lines(tmp_path / "out.jsonl"))
    pages = sum(-(-count // 100) for count in backups.values()) + (20 - len(backups))
    assert len(sim.requests) == 1 + 5 + pages


async def test_progress_is_told_after_each_page(nf: Northflank, tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []

    def on_progress(state: Export) -> None:
        seen.append((state.addons_done, state.addons, state.backups))

    await export(nf, tmp_path / "out.jsonl", on_progress=on_progress)
    assert seen == sorted(seen)
    assert seen[0] == (0, 20, 0)
    assert seen[-1] == (20, 20, 3000)


def serving(backups: list[Any], addons: list[Any] | None = None) -> Any:
    """A server with the project `p` and its addon `a`, which has these backups."""

    def answer(request: web.Request) -> web.Response:
        match request.path.rsplit("/", 1)[-1]:
            case "projects":
                return envelope({"projects": [{"id": "p"}]})
            case "addons":
                return envelope({"addons": [{"id": "a"}] if addons is None else addons})
        return envelope({"backups": backups})

    return answer


async def test_fields_that_nobody_documented_are_kept(tmp_path: Path) -> None:
    raw = {**backup(1), "shard": {"x": [1.5, None, "ä€😀"]}, "status": "quarantined", "config": {"size": "1", "new": 1}}
    async with scripted(serving([raw])) as server, server.client() as nf:
        done = await export(nf, tmp_path / "out.jsonl")
    assert lines(tmp_path / "out.jsonl") == [{"project": "p", "addon": "a", "addonType": None, "backup": raw}]
    assert done.unreadable == []
    assert "ä€😀" in (tmp_path / "out.jsonl").read_text(encoding="utf-8")


async def test_half_a_surrogate_pair_survives(tmp_path: Path) -> None:
    raw = {**backup(1), "id": "\ud800 half", "createdAt": 0}
    async with scripted(serving([raw])) as server, server.client() as nf:
        done = await export(nf, tmp_path / "out.jsonl")
    assert lines(tmp_path / "out.jsonl")[0]["backup"] == raw
    assert done.unreadable[0].encode().startswith(rb"p/a: \ud800 half: ")


async def test_a_record_that_cannot_be_read_is_written_as_it_came_and_named(tmp_path: Path) -> None:
    odd: list[Any] = [backup(0), {**backup(1), "createdAt": "yesterday"}, None, 7, "x", {"id": "b5"}, backup(6)]
    async with scripted(serving(odd)) as server, server.client() as nf:
        done = await export(nf, tmp_path / "out.jsonl")
    assert [line["backup"] for line in lines(tmp_path / "out.jsonl")] == odd
    assert done.backups == 7
    assert len(done.unreadable) == 5
    assert done.unreadable[0].startswith("p/a: b1: data.backups[1].createdAt: ")


async def test_a_project_that_cannot_be_read_does_not_take_the_others_along(tmp_path: Path) -> None:
    def answer(request: web.Request) -> web.Response:
        if request.path.endswith("/projects"):
            return envelope({"projects": [{"id": "a/b"}, {"id": "\x1b[2J"}, {"name": "no id"}, {"id": "p"}]})
        response: web.Response = serving([backup(1)])(request)
        return response

    async with scripted(answer) as server, server.client() as nf:
        done = await export(nf, tmp_path / "out.jsonl")
    assert len(lines(tmp_path / "out.jsonl")) == 1
    assert len(done.unreadable) == 3
    assert "\x1b" not in "".join(done.unreadable)


async def test_an_addon_that_cannot_be_read_does_not_take_the_others_along(tmp_path: Path) -> None:
    addons = [{"name": "no id"}, {"id": "../x"}, {"id": "a"}]
    async with scripted(serving([backup(1)], addons)) as server, server.client() as nf:
        done = await export(nf, tmp_path / "out.jsonl")
    assert len(lines(tmp_path / "out.jsonl")) == 1
    assert [name.split(": ")[0] for name in done.unreadable] == ["p", "p"]


@pytest.mark.parametrize("before", [None, "the last inventory\n"])
async def test_a_failed_export_leaves_what_was_there_and_nothing_else(
    nf: Northflank, tmp_path: Path, before: str | None
) -> None:
    out = tmp_path / "out.jsonl"
    if before:
        out.write_text(before)
    with pytest.raises(NotFound):
        await export(nf, out, projects=["default-project", "no-such-project"])
    assert [path.read_text() for path in tmp_path.iterdir()] == ([before] if before else [])


async def test_a_cancelled_export_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Simulator(latency=0.01) as sim, Northflank(sim.token, base_url=sim.url) as nf:
        task = asyncio.create_task(export(nf, tmp_path / "out.jsonl"))
        while len(sim.requests) < 10:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert list(tmp_path.iterdir()) == []
        assert await nf.projects()


async def test_an_unwritable_file_is_found_out_before_anything_is_sent(
    sim: Simulator, nf: Northflank, tmp_path: Path
) -> None:
    for out in (tmp_path / "missing" / "out.jsonl", tmp_path, Path("/dev/null")):
        with pytest.raises(OSError, match=r"no such folder|is a directory|not a regular file"):
            await export(nf, out)
    assert sim.requests == []


def test_a_file_that_is_replaced_keeps_its_mode_and_a_link_its_target(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    with whole_file(link) as file:
        file.write("new")
        assert target.read_text() == "old"
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


async def test_a_failing_server_ends_the_export_with_its_error(tmp_path: Path) -> None:
    async with scripted(lambda _: web.Response(status=500)) as server, server.client(attempts=2) as nf:
        with pytest.raises(ServerError) as caught:
            await export(nf, tmp_path / "out.jsonl")
    assert caught.value.attempts == 2
    assert len(server.requests) == 2
