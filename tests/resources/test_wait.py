"""Waiting for a backup or a restore, with clocks that take no time."""

import asyncio
import itertools
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from northflank_async import (
    Backup,
    BackupResource,
    DecodeError,
    Northflank,
    NotFound,
    Restore,
    RunFailed,
    ServerError,
    TransportError,
)
from tests.support.clocks import AutojumpClock, ManualClock, wait_until
from tests.support.scripted_server import ScriptedServer, envelope, serve

STARTED = "2026-01-01T00:00:00.000Z"


def run(status: str, run_id: str = "b") -> dict[str, Any]:
    """The JSON of a run that is both a backup and a restore."""
    return {"id": run_id, "status": status, "createdAt": STARTED, "restoreTimestamp": STARTED}


def backup_b(nf: Northflank) -> BackupResource:
    return nf.project("p").addon("a").backup("b")


def statuses(*sequence: str, headers: Callable[[int], dict[str, str]] = lambda _: {}) -> Any:
    """Respond with these statuses in turn, and then with the last one; restores as a listing."""
    turns: Iterator[tuple[int, str]] = zip(
        itertools.count(1), itertools.chain(sequence, itertools.repeat(sequence[-1])), strict=False
    )

    def respond(request: web.Request) -> web.Response:
        turn, status = next(turns)
        response = envelope({"restores": [run(status)]} if request.path.endswith("restores") else run(status))
        response.headers.update(headers(turn))
        return response

    return respond


async def test_a_backup_is_polled_with_growing_pauses_until_it_has_ended() -> None:
    clock = AutojumpClock()
    sequence = ["scheduled", *["in-progress"] * 9, "completed"]
    async with serve(statuses(*sequence)) as server, server.client(clock=clock) as nf:
        backup = await backup_b(nf).wait()
        assert (type(backup), backup.status) == (Backup, "completed")
        assert len(server.requests) == 11
    assert clock.pauses[:4] == pytest.approx([2, 3, 4.5, 6.75])
    assert clock.pauses[-2:] == pytest.approx([30, 30])
    assert clock.pauses == sorted(clock.pauses)


@pytest.mark.parametrize("status", ["scheduled", "in-progress", "aborting", "hibernating"])
async def test_a_status_that_is_not_final_is_polled_again(status: str) -> None:
    async with serve(statuses(status, "completed")) as server, server.client(clock=AutojumpClock()) as nf:
        await backup_b(nf).wait()
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("failed", "the backup b failed: check its logs"),
        ("aborted", "the backup b was aborted"),
        ("not-supported", "the backup b is not supported by its addon"),
    ],
)
async def test_a_run_that_does_not_complete_is_an_error_with_its_record(status: str, message: str) -> None:
    async with serve(statuses("in-progress", status)) as server, server.client(clock=AutojumpClock()) as nf:
        with pytest.raises(RunFailed, match=f"^{message}$") as caught:
            await backup_b(nf).wait()
        assert (type(caught.value.record), caught.value.record.status) == (Backup, status)
        assert pickle.loads(pickle.dumps(caught.value)).record == caught.value.record
        with pytest.raises(
            RunFailed, match=f"^{message.replace('the backup b', 'the restore b of the backup b')}$"
        ) as caught:
            await backup_b(nf).wait_restore("b")
        assert (type(caught.value.record), caught.value.record.status) == (Restore, status)


async def test_a_timeout_names_the_latest_status() -> None:
    clock = AutojumpClock(deadlines=1)
    async with serve(statuses("scheduled", "in-progress")) as server, server.client(clock=clock) as nf:
        with pytest.raises(TimeoutError, match=r"^the backup b is still in-progress after 600 s$"):
            await backup_b(nf).wait(timeout=600)
        assert len(server.requests) > 20
        assert clock.now == 600
        await backup_b(nf).get()  # the client still works


async def test_a_wait_that_ends_in_time_leaves_no_timer() -> None:
    clock = ManualClock()
    async with serve(statuses("completed")) as server, server.client(clock=clock) as nf:
        await backup_b(nf).wait(timeout=60)
        assert clock.timers == []


async def test_a_restore_is_found_on_any_page() -> None:
    def respond(request: web.Request) -> web.Response:
        assert request.query["sourceProjectId"] == "q"
        if request.query.get("cursor") == "2":
            return envelope({"restores": [run("completed", "r2")]}, hasNextPage=False, count=1)
        return envelope({"restores": [run("failed", "r1")]}, hasNextPage=True, cursor="2", count=1)

    async with serve(respond) as server, server.client() as nf:
        restore = await backup_b(nf).wait_restore("r2", source_project_id="q", source_addon_id="c")
        assert (restore.id, restore.status) == ("r2", "completed")


async def test_a_restore_may_be_missing_from_the_listings_of_the_first_30_seconds() -> None:
    listings = iter([[], [], [run("completed", "r")], *[[]] * 7])
    async with (
        serve(lambda _: envelope({"restores": next(listings)})) as server,
        server.client(clock=AutojumpClock()) as nf,
    ):
        assert (await backup_b(nf).wait_restore("r")).status == "completed"
        with pytest.raises(NotFound, match="the restore r of the backup b is not listed"):
            await backup_b(nf).wait_restore("r")
        assert len(server.requests) == 3 + 7


async def test_a_backup_may_be_missing_for_the_first_30_seconds() -> None:
    responses = iter([404] * 5 + [200] + [404] * 9)

    def respond(request: web.Request) -> web.Response:
        return envelope(run("completed")) if next(responses) == 200 else web.Response(status=404)

    clock = AutojumpClock()
    async with serve(respond) as server, server.client(clock=clock) as nf:
        assert (await backup_b(nf).wait()).status == "completed"
        assert 10 < clock.now < 30
        began = clock.now
        with pytest.raises(NotFound):
            await backup_b(nf).wait()
        assert 30 <= clock.now - began < 60
        assert len(server.requests) == 6 + 7


async def test_a_backup_that_is_deleted_later_is_not_found_at_once() -> None:
    responses = iter([200] * 7 + [404])

    def respond(request: web.Request) -> web.Response:
        return envelope(run("in-progress")) if next(responses) == 200 else web.Response(status=404)

    async with serve(respond) as server, server.client(clock=AutojumpClock()) as nf:
        with pytest.raises(NotFound):
            await backup_b(nf).wait()
        assert len(server.requests) == 8


async def test_a_timeout_says_that_the_run_is_not_found() -> None:
    async with (
        serve(lambda _: web.Response(status=404)) as server,
        server.client(clock=AutojumpClock(deadlines=1)) as nf,
    ):
        with pytest.raises(TimeoutError, match=r"^the backup b is still not found after 20 s$"):
            await backup_b(nf).wait(timeout=20)


@pytest.mark.parametrize("completed_at", ["completedAt", None])
async def test_an_unknown_status_is_final_if_the_run_has_ended(completed_at: str | None) -> None:
    unknown = run("partially-failed") | ({completed_at: STARTED} if completed_at else {})
    responses = iter([unknown, unknown, run("completed")])

    def respond(request: web.Request) -> web.Response:
        found = next(responses)
        return envelope({"restores": [found]} if request.path.endswith("restores") else found)

    async with serve(respond) as server, server.client(clock=AutojumpClock()) as nf:
        if completed_at:
            message = "the backup b ended with the status partially-failed"
            with pytest.raises(RunFailed, match=f"^{message}$") as caught:
                await backup_b(nf).wait()
            assert caught.value.record.status == "partially-failed"
            with pytest.raises(RunFailed, match=r"^the restore b of the backup b ended with"):
                await backup_b(nf).wait_restore("b")
        else:
            assert (await backup_b(nf).wait()).status == "completed"
            assert len(server.requests) == 3


async def test_a_known_status_that_is_not_final_is_polled_even_with_a_time_of_completion() -> None:
    responses = iter([run("in-progress") | {"completedAt": STARTED}, run("completed")])
    async with serve(lambda _: envelope(next(responses))) as server, server.client(clock=AutojumpClock()) as nf:
        await backup_b(nf).wait()
        assert len(server.requests) == 2


async def test_a_wait_for_a_restore_ignores_others_that_cannot_be_read() -> None:
    responses = iter([[{"id": "odd"}, 7, run("completed", "r")], [run("completed", "odd"), {"id": "r", "status": 7}]])
    async with serve(lambda _: envelope({"restores": next(responses)})) as server, server.client() as nf:
        assert (await backup_b(nf).wait_restore("r")).status == "completed"
        with pytest.raises(DecodeError, match=r"data\.restores\[1\]") as caught:
            await backup_b(nf).wait_restore("r")
        assert caught.value.raw == {"id": "r", "status": 7}


async def test_a_restore_that_disappears_is_not_found() -> None:
    listings = iter([*[[run("in-progress", "r")]] * 7, [], [], []])
    async with (
        serve(lambda _: envelope({"restores": next(listings)})) as server,
        server.client(clock=AutojumpClock()) as nf,
    ):
        with pytest.raises(NotFound, match="the restore r of the backup b is not listed"):
            await backup_b(nf).wait_restore("r")
        assert len(server.requests) == 7 + 3


def window(remaining: Callable[[int], int], reset: Callable[[int], float]) -> Callable[[int], dict[str, str]]:
    return lambda turn: {
        "x-ratelimit-limit": "1000",
        "x-ratelimit-remaining": str(remaining(turn)),
        "x-ratelimit-reset": str(reset(turn)),
    }


async def run_waits(server: ScriptedServer, clock: AutojumpClock, waits: int = 1, **options: Any) -> None:
    async with server.client(clock=clock, **options) as nf, asyncio.TaskGroup() as group:
        for _ in range(waits):
            group.create_task(backup_b(nf).wait())


async def test_a_wait_uses_at_most_half_of_the_remaining_requests() -> None:
    clock = AutojumpClock()
    headers = window(lambda turn: 20 - turn, lambda _: 3600 - clock.now)
    async with serve(statuses(*["in-progress"] * 6, "completed", headers=headers)) as server:
        await run_waits(server, clock)
    assert clock.pauses[0] == pytest.approx(3600 / (19 / 2), rel=0.01)
    assert len(clock.pauses) == 6
    assert clock.now < 3600


async def test_a_wait_polls_after_the_reset_if_no_request_is_spare() -> None:
    clock = AutojumpClock()
    headers = window(lambda turn: 101 if turn == 1 else 999, lambda _: 1800)
    async with serve(statuses("in-progress", "completed", headers=headers)) as server:
        await run_waits(server, clock, reserve=100, on_rate_limit="raise")
    assert clock.pauses == pytest.approx([1800], rel=0.01)


async def test_concurrent_waits_share_the_remaining_requests() -> None:
    clock = AutojumpClock()
    headers = window(lambda turn: 1000 - turn, lambda _: 3600)
    waits = 50
    async with serve(statuses(*["in-progress"] * waits, "completed", headers=headers)) as server:
        await run_waits(server, clock, waits)
        assert len(server.requests) == 2 * waits
    assert min(clock.pauses) > 300


async def test_a_wait_for_a_restore_on_page_10_uses_at_most_half_of_the_remaining_requests() -> None:
    clock = AutojumpClock()
    polls = 0

    def respond(request: web.Request) -> web.Response:
        nonlocal polls
        page = int(request.query.get("cursor", "1"))
        polls += page == 10
        found = run("completed" if clock.now >= 3600 else "in-progress", f"r{page}")
        response = envelope({"restores": [found]}, hasNextPage=page < 10, cursor=str(page + 1), count=1)
        left = 100 - len(server.requests) if clock.now < 3600 else 1000
        response.headers.update(window(lambda _: left, lambda _: 3600 - clock.now % 3600)(0))
        return response

    async with serve(respond) as server, server.client(clock=clock) as nf:
        await backup_b(nf).wait_restore("r10")
        assert len(server.requests) == 10 * polls
        assert 3 <= polls - 1 <= 5


async def test_a_finished_wait_returns_its_share_of_the_requests() -> None:
    clock = AutojumpClock()
    headers = window(lambda turn: 1000 - turn, lambda _: 3600)
    respond = statuses(*["completed"] * 50, "in-progress", "completed", headers=headers)
    async with serve(respond) as server, server.client(clock=clock) as nf:
        for _ in range(51):
            await backup_b(nf).wait()
    assert clock.pauses == pytest.approx([2])


async def test_a_fresh_window_does_not_slow_a_wait() -> None:
    clock = AutojumpClock()
    headers = window(lambda turn: 1000 - turn, lambda _: 3600)
    async with serve(statuses("in-progress", "in-progress", "completed", headers=headers)) as server:
        await run_waits(server, clock)
    assert clock.pauses == pytest.approx([2, 3])


async def test_a_wait_fails_with_the_error_of_its_poll() -> None:
    def respond(request: web.Request) -> web.Response:
        return web.Response(status=500)

    async with serve(respond) as server, server.client(clock=AutojumpClock(deadlines=1), attempts=2) as nf:
        with pytest.raises(ServerError):
            await backup_b(nf).wait(timeout=60)


@pytest.mark.parametrize("timeout", [None, 10_000_000])
async def test_closing_the_client_ends_a_wait(timeout: float | None) -> None:
    async with serve(statuses("in-progress")) as server:
        async with server.client() as nf:
            task = asyncio.create_task(backup_b(nf).wait(timeout))
            await wait_until(lambda: server.requests)
        with pytest.raises(TransportError, match="the client was closed"):
            await task


async def test_a_wait_can_be_cancelled() -> None:
    clock = ManualClock()
    async with serve(statuses("in-progress")) as server, server.client(clock=clock) as nf:
        task = asyncio.create_task(backup_b(nf).wait(60))
        await wait_until(lambda: len(clock.timers) == 2)  # the deadline and a pause
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert clock.timers == []
        await backup_b(nf).get()
