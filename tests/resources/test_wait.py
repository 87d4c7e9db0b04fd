"""Waiting for a backup or a restore, by a clock that takes no time."""

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
    return {"id": run_id, "status": status, "createdAt": STARTED, "restoreTimestamp": STARTED}


def of(nf: Northflank) -> BackupResource:
    return nf.project("p").addon("a").backup("b")


def statuses(*told: str, headers: Callable[[int], dict[str, str]] = lambda _: {}) -> Any:
    """Responder with these, and the last of them for ever; restores as a listing."""
    turns: Iterator[tuple[int, str]] = zip(
        itertools.count(1), itertools.chain(told, itertools.repeat(told[-1])), strict=False
    )

    def answer(request: web.Request) -> web.Response:
        turn, status = next(turns)
        made = envelope({"restores": [run(status)]} if request.path.endswith("restores") else run(status))
        made.headers.update(headers(turn))
        return made

    return answer


async def test_a_backup_is_asked_for_more_and_more_rarely_until_it_has_ended() -> None:
    clock = AutojumpClock()
    told = ["scheduled", *["in-progress"] * 9, "completed"]
    async with serve(statuses(*told)) as server, server.client(clock=clock) as nf:
        backup = await of(nf).wait()
        assert (type(backup), backup.status) == (Backup, "completed")
        assert len(server.requests) == 11
    assert clock.pauses[:4] == pytest.approx([2, 3, 4.5, 6.75])
    assert clock.pauses[-2:] == pytest.approx([30, 30])
    assert clock.pauses == sorted(clock.pauses)


@pytest.mark.parametrize("status", ["scheduled", "in-progress", "aborting", "hibernating"])
async def test_a_status_that_is_no_end_is_one_of_a_run_that_goes_on(status: str) -> None:
    async with serve(statuses(status, "completed")) as server, server.client(clock=AutojumpClock()) as nf:
        await of(nf).wait()
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("failed", "the backup b failed: its logs may say why"),
        ("aborted", "the backup b was aborted"),
        ("not-supported", "the backup b is not supported by its addon"),
    ],
)
async def test_a_run_that_has_ended_otherwise_than_completed_is_an_error_with_its_record(
    status: str, message: str
) -> None:
    async with serve(statuses("in-progress", status)) as server, server.client(clock=AutojumpClock()) as nf:
        with pytest.raises(RunFailed, match=f"^{message}$") as caught:
            await of(nf).wait()
        assert (type(caught.value.record), caught.value.record.status) == (Backup, status)
        assert pickle.loads(pickle.dumps(caught.value)).record == caught.value.record
        with pytest.raises(
            RunFailed, match=f"^{message.replace('the backup b', 'the restore b of the backup b')}$"
        ) as caught:
            await of(nf).wait_restore("b")
        assert (type(caught.value.record), caught.value.record.status) == (Restore, status)


async def test_a_wait_that_takes_too_long_says_how_far_the_run_was() -> None:
    clock = AutojumpClock(deadlines=1)
    async with serve(statuses("scheduled", "in-progress")) as server, server.client(clock=clock) as nf:
        with pytest.raises(TimeoutError, match=r"^the backup b is still in-progress after 600 s$"):
            await of(nf).wait(timeout=600)
        assert len(server.requests) > 20
        assert clock.now == 600
        await of(nf).get()  # the client is as good as before


async def test_a_wait_that_is_over_in_time_leaves_no_deadline() -> None:
    clock = ManualClock()
    async with serve(statuses("completed")) as server, server.client(clock=clock) as nf:
        await of(nf).wait(timeout=60)
        assert clock.timers == []


async def test_a_restore_is_found_on_whatever_page_it_is() -> None:
    def answer(request: web.Request) -> web.Response:
        assert request.query["sourceProjectId"] == "q"
        if request.query.get("cursor") == "2":
            return envelope({"restores": [run("completed", "r2")]}, hasNextPage=False, count=1)
        return envelope({"restores": [run("failed", "r1")]}, hasNextPage=True, cursor="2", count=1)

    async with serve(answer) as server, server.client() as nf:
        restore = await of(nf).wait_restore("r2", source_project_id="q", source_addon_id="c")
        assert (restore.id, restore.status) == ("r2", "completed")


async def test_a_restore_that_is_not_listed_at_once_is_waited_for_but_not_for_ever() -> None:
    listings = iter([[], [], [run("completed", "r")], [], [], []])
    async with (
        serve(lambda _: envelope({"restores": next(listings)})) as server,
        server.client(clock=AutojumpClock()) as nf,
    ):
        assert (await of(nf).wait_restore("r")).status == "completed"
        with pytest.raises(NotFound, match="the restore r of the backup b is not listed"):
            await of(nf).wait_restore("r")
        assert len(server.requests) == 6


async def test_a_restore_that_is_listed_no_more_is_not_waited_for_for_ever() -> None:
    listings = iter([[run("in-progress", "r")], [], [], []])
    async with (
        serve(lambda _: envelope({"restores": next(listings)})) as server,
        server.client(clock=AutojumpClock()) as nf,
    ):
        with pytest.raises(NotFound, match="the restore r of the backup b is not listed"):
            await of(nf).wait_restore("r")
        assert len(server.requests) == 4


def window(remaining: Callable[[int], int], reset: Callable[[int], float]) -> Callable[[int], dict[str, str]]:
    return lambda turn: {
        "x-ratelimit-limit": "1000",
        "x-ratelimit-remaining": str(remaining(turn)),
        "x-ratelimit-reset": str(reset(turn)),
    }


async def waiting(server: ScriptedServer, clock: AutojumpClock, waits: int = 1, **options: Any) -> None:
    async with server.client(clock=clock, **options) as nf, asyncio.TaskGroup() as group:
        for _ in range(waits):
            group.create_task(of(nf).wait())


async def test_a_wait_leaves_half_of_what_the_hour_has_left_to_others() -> None:
    clock = AutojumpClock()
    told = window(lambda turn: 20 - turn, lambda _: 3600 - clock.now)
    async with serve(statuses(*["in-progress"] * 6, "completed", headers=told)) as server:
        await waiting(server, clock)
    assert clock.pauses[0] == pytest.approx(3600 / (19 / 2), rel=0.01)
    assert len(clock.pauses) == 6
    assert clock.now < 3600


async def test_a_wait_asks_next_after_the_reset_where_there_is_nothing_to_spare() -> None:
    clock = AutojumpClock()
    told = window(lambda turn: 101 if turn == 1 else 999, lambda _: 1800)
    async with serve(statuses("in-progress", "completed", headers=told)) as server:
        await waiting(server, clock, reserve=100, on_rate_limit="raise")
    assert clock.pauses == pytest.approx([1800], rel=0.01)


async def test_those_who_wait_at_the_same_time_share_what_is_left() -> None:
    clock = AutojumpClock()
    told = window(lambda turn: 1000 - turn, lambda _: 3600)
    waits = 50
    async with serve(statuses(*["in-progress"] * waits, "completed", headers=told)) as server:
        await waiting(server, clock, waits)
        assert len(server.requests) == 2 * waits
    assert min(clock.pauses) > 300


async def test_those_who_have_stopped_waiting_leave_their_share_to_others() -> None:
    clock = AutojumpClock()
    told = window(lambda turn: 1000 - turn, lambda _: 3600)
    answer = statuses(*["completed"] * 50, "in-progress", "completed", headers=told)
    async with serve(answer) as server, server.client(clock=clock) as nf:
        for _ in range(51):
            await of(nf).wait()
    assert clock.pauses == pytest.approx([2])


async def test_a_full_hour_slows_nobody_down() -> None:
    clock = AutojumpClock()
    told = window(lambda turn: 1000 - turn, lambda _: 3600)
    async with serve(statuses("in-progress", "in-progress", "completed", headers=told)) as server:
        await waiting(server, clock)
    assert clock.pauses == pytest.approx([2, 3])


async def test_a_wait_that_cannot_ask_fails_with_the_reason() -> None:
    def answer(request: web.Request) -> web.Response:
        return web.Response(status=500)

    async with serve(answer) as server, server.client(clock=AutojumpClock(deadlines=1), attempts=2) as nf:
        with pytest.raises(ServerError):
            await of(nf).wait(timeout=60)


@pytest.mark.parametrize("timeout", [None, 10_000_000])
async def test_closing_the_client_ends_a_wait(timeout: float | None) -> None:
    async with serve(statuses("in-progress")) as server:
        async with server.client() as nf:
            task = asyncio.create_task(of(nf).wait(timeout))
            await wait_until(lambda: server.requests)
        with pytest.raises(TransportError, match="the client was closed"):
            await task


async def test_a_wait_can_be_cancelled() -> None:
    clock = ManualClock()
    async with serve(statuses("in-progress")) as server, server.client(clock=clock) as nf:
        task = asyncio.create_task(of(nf).wait(60))
        await wait_until(lambda: len(clock.timers) == 2)  # the deadline and a pause
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert clock.timers == []
        await of(nf).get()
