"""Several accounts in one scan, plan, sync, export or stream."""

import asyncio
import csv
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pyarrow.parquet as pq
import pytest

from northflank_async import AuthenticationError, ConfigurationError, Northflank, NotFound, RateLimited, UnknownName
from northflank_async.inventory import Inventory, Outcome, Progress, Query, Scan, plan
from northflank_async.inventory.export import export, state_path
from northflank_async.inventory.names import check_names
from northflank_async.inventory.stream import stream
from northflank_async.simulator import Identity, Simulator, Tenant
from tests.support.clients import clients_of, requests_of
from tests.support.clocks import ManualClock, wait_until
from tests.support.fake_account import FakeAccount, backups, refusal
from tests.support.inventories import read_lines

SMALL: dict[str, Any] = {"projects": 2, "addons": 2, "backups": 20}
OF_SMALL = 1 + 1 + 2 + 4
"""Requests for a small tenant: its account, its projects, their addons, and their backups."""


def only(*projects: str) -> dict[str, Any]:
    """The restriction of a token to some projects."""
    return {"enabled": True, "projects": list(projects), "restrictionMode": "in"}


async def counts(inventory: Inventory, **options: Any) -> Counter[str | None]:
    """The number of backups of each account."""
    return Counter([row.account_id async for row in inventory.backups(**options)])


async def until(condition: Callable[[], bool], then: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)
    then()


async def test_accounts_with_equal_ids_live_side_by_side(database: str) -> None:
    tenants = [Tenant(name=name, token=name, **SMALL) for name in ("acme", "globex")]
    async with Simulator(tenants=tenants) as sim, clients_of(sim) as clients, Inventory(database) as inventory:
        outcome = await inventory.sync(*clients)
        assert len(sim.requests) == 2 * OF_SMALL
        rows = [row async for row in inventory.backups()]
        assert {row.id for row in rows if row.account_id == "acme"} == {
            row.id for row in rows if row.account_id == "globex"
        }
        deleted = rows[0]
        assert deleted.account_id == "acme"
        await clients[0].project(deleted.project_id).addon(deleted.addon_id).backup(deleted.id).delete()
        assert (await inventory.sync(*clients)).backups == 159
        marked = [row async for row in inventory.backups(deleted=True) if row.deleted_at]
        assert [(row.account_id, row.id) for row in marked] == [("acme", deleted.id)]
        assert await counts(inventory) == {"acme": 79, "globex": 80}
    assert outcome.backups == len(rows) == 160
    assert [(each.account_id, each.progress.requests, each.error) for each in outcome.accounts] == [
        ("acme", OF_SMALL, None),
        ("globex", OF_SMALL, None),
    ]
    assert outcome.progress.requests == 2 * OF_SMALL
    assert (outcome.progress.accounts, outcome.progress.accounts_done) == (2, 2)


async def test_several_clients_are_read_as_each_of_them_alone(tmp_path: Path) -> None:
    async with Simulator(tenants=Tenant.many(3, **SMALL)) as sim, clients_of(sim) as clients:
        alone: list[str] = []
        for number, client in enumerate(clients):
            await export(str(tmp_path / f"{number}.jsonl"), client)
            alone += (tmp_path / f"{number}.jsonl").read_text().splitlines()
        outcome = await export(str(tmp_path / "all.jsonl"), *clients)
        streamed = BytesIO()
        await stream(streamed, *clients)
        async with Scan(*clients) as scan:
            found = [(each.account_id, each.project.id, each.addon.id, each.backup.id) async for each in scan]
    together = (tmp_path / "all.jsonl").read_text().splitlines()
    assert together == alone
    assert sorted(streamed.getvalue().decode().splitlines()) == sorted(alone)
    lines = list(map(json.loads, alone))
    assert sorted(found) == sorted(
        (line["account"], line["project"], line["addon"], line["backup"]["id"]) for line in lines
    )
    assert scan.failures == []
    assert outcome.backups == 240
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.jsonl", "1.jsonl", "2.jsonl", "all.jsonl"]


async def test_each_client_has_its_own_query(database: str) -> None:
    async with Simulator(tenants=Tenant.many(2, **SMALL)) as sim, clients_of(sim) as (one, other):
        project = (await other.projects().all())[0].id
        async with Inventory(database) as inventory:
            outcome = await inventory.sync(one, Query(other, projects=[project]))
            assert await counts(inventory) == {"tenant-1": 80, "tenant-2": 40}
    assert outcome.failures == []


@pytest.mark.parametrize("target", ["x.jsonl", "x.csv", "x.parquet", "x.db"])
async def test_every_format_tells_accounts_with_equal_ids_apart(target: str, tmp_path: Path) -> None:
    path = tmp_path / target
    async with Simulator(tenants=Tenant.many(2, **SMALL)) as sim, clients_of(sim) as clients:
        await export(str(path), *clients)
    found: list[Any]
    match path.suffix:
        case ".jsonl":
            assert {next(iter(line)) for line in read_lines(path)} == {"account"}
            found = [line["account"] for line in read_lines(path)]
        case ".csv":
            rows = list(csv.reader(path.read_text().splitlines()))
            assert rows[0][0] == "account_id"
            found = [row[0] for row in rows[1:]]
        case ".parquet":
            table = pq.read_table(path)
            assert table.column_names[0] == "account_id"
            found = table.column(0).to_pylist()
        case _:
            async with Inventory(path) as inventory:
                found = [row.account_id async for row in inventory.backups()]
    assert found == ["tenant-1"] * 80 + ["tenant-2"] * 80


async def revoke_in_the_middle(sim: Simulator, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Do the work, during which the first tenant's token is revoked."""
    tenant = sim.tenants[0]

    def revoke() -> None:
        tenant.is_revoked = True

    revoking = asyncio.create_task(until(lambda: len(requests_of(sim, tenant.name)) >= 5, revoke))
    outcome = await work()
    await revoking
    return outcome


def check_that_only_the_first_failed(outcome: Outcome) -> None:
    (failure,) = outcome.failures
    assert failure.account_id == "tenant-1"
    assert isinstance(failure.error, AuthenticationError)
    assert str(failure).startswith("the account tenant-1: 401")
    assert [each.error for each in outcome.accounts] == [failure.error, None]
    assert outcome.accounts[1].backups == 80


async def test_a_token_that_is_revoked_in_the_middle_ends_only_its_account(database: str) -> None:
    tenants = Tenant.many(2, **SMALL)
    async with (
        Simulator(tenants=tenants, latency=0.005) as sim,
        clients_of(sim) as clients,
        Inventory(database) as inventory,
    ):
        await inventory.sync(*clients)
        sim.requests.clear()
        outcome = await revoke_in_the_middle(sim, lambda: inventory.sync(*clients, concurrency=2))
        check_that_only_the_first_failed(outcome)
        assert outcome.backups == sum(account.backups for account in outcome.accounts)
        assert await counts(inventory) == await counts(inventory, deleted=True) == {"tenant-1": 80, "tenant-2": 80}
        tenants[0].is_revoked = False
        sim.requests.clear()
        outcome = await inventory.sync(*clients)
        assert outcome.failures == []
        assert outcome.backups == 160
        assert [each.resumed_from is not None for each in outcome.accounts] == [True, False]
        assert len(requests_of(sim, "tenant-1")) < OF_SMALL
        assert len(requests_of(sim, "tenant-2")) == OF_SMALL
        assert await counts(inventory) == await counts(inventory, deleted=True) == {"tenant-1": 80, "tenant-2": 80}


async def test_an_account_that_ends_early_reports_what_was_read_and_what_else_failed(tmp_path: Path) -> None:
    down = {"p/a1": backups(1), "p/a2": backups(1), "p/a3": backups(1)}
    faults = {"p/a2#0": refusal(403), "p/a3#0": refusal(401)}
    async with (
        FakeAccount(down, faults=faults).serve(attempts=1) as ended,
        FakeAccount({"q/b": backups(2)}, auth={"entityId": "other"}).serve() as other,
        Inventory(tmp_path / "x.db") as inventory,
    ):
        outcome = await inventory.sync(ended, other, concurrency=1)
        stored = await counts(inventory)
        exported = await export(str(tmp_path / "x.csv"), ended, other, concurrency=1)
    for account in (outcome.accounts[0], exported.accounts[0]):
        assert isinstance(account.error, AuthenticationError)
        assert [failure.addon_id for failure in account.failures] == ["a2", None]
    assert stored == {"acme": 1, "other": 2}
    assert [account.backups for account in outcome.accounts] == [1, 2]
    assert outcome.backups == 3
    assert [account.backups for account in exported.accounts] == [0, 2]
    assert exported.backups == 2


async def test_a_file_has_only_the_accounts_that_were_read_to_their_end(tmp_path: Path) -> None:
    path, tenants = tmp_path / "x.jsonl", Tenant.many(2, **SMALL)
    async with Simulator(tenants=tenants, latency=0.005) as sim, clients_of(sim) as clients:
        outcome = await revoke_in_the_middle(sim, lambda: export(str(path), *clients, concurrency=2))
        check_that_only_the_first_failed(outcome)
        assert outcome.backups == 80
        assert Counter(line["account"] for line in read_lines(path)) == {"tenant-2": 80}
        assert state_path(path).exists()
        outcome = await export(str(path), *clients)  # still revoked
        assert Counter(line["account"] for line in read_lines(path)) == {"tenant-2": 80}
        assert state_path(path).exists()
        tenants[0].is_revoked = False
        sim.requests.clear()
        outcome = await export(str(path), *clients)
        assert len(requests_of(sim, "tenant-1")) < OF_SMALL
    assert outcome.failures == []
    assert Counter(line["account"] for line in read_lines(path)) == {"tenant-1": 80, "tenant-2": 80}
    assert [each.name for each in tmp_path.iterdir()] == ["x.jsonl"]


async def test_a_strict_export_writes_no_file_and_then_reads_only_what_is_missing(tmp_path: Path) -> None:
    path, tenants = tmp_path / "x.jsonl", Tenant.many(2, **SMALL)
    async with Simulator(tenants=tenants, latency=0.005) as sim, clients_of(sim) as clients:
        outcome = await revoke_in_the_middle(sim, lambda: export(str(path), *clients, concurrency=2, strict=True))
        check_that_only_the_first_failed(outcome)
        assert not path.exists()
        tenants[0].is_revoked = False
        sim.requests.clear()
        assert (await export(str(path), *clients, strict=True)).failures == []
        assert requests_of(sim, "tenant-2") == ["/v1/auth"]
        assert len(requests_of(sim, "tenant-1")) < OF_SMALL
    assert len(read_lines(path)) == 160


@pytest.mark.parametrize("status", [401, 500, "spent"])
async def test_an_account_that_cannot_be_read_at_all_is_a_failure_of_every_operation(
    status: int | str, tmp_path: Path
) -> None:
    tenants = Tenant.many(2, **SMALL)
    tenants[0].is_revoked = status == 401
    tenants[0].outage = 500 if status == 500 else None
    async with (
        Simulator(tenants=tenants) as sim,
        clients_of(sim, attempts=1, on_rate_limit="raise") as clients,
        Inventory(tmp_path / "x.db") as inventory,
    ):
        if status == "spent":
            tenants[0].spend_window()
        synced = await inventory.sync(*clients)
        exported = await export(str(tmp_path / "x.csv"), *clients)
        streamed = await stream(BytesIO(), *clients)
        planned = await plan(*clients)
        async with Scan(*clients) as scan:
            assert {found.account_id async for found in scan} == {"tenant-2"}
        assert await counts(inventory) == {"tenant-2": 80}
    for failures in (synced.failures, exported.failures, streamed.failures, planned.failures, scan.failures):
        (failure,) = failures
        assert failure.account_id is None
        assert failure.project_id is None
        assert getattr(failure.error, "status", None) == (429 if status == "spent" else status)
    assert planned.accounts[0].error is planned.failures[0].error
    assert planned.accounts[1].account_id == "tenant-2"
    assert planned.requests == 1 + OF_SMALL


async def test_the_first_error_is_raised_if_no_account_can_be_read(tmp_path: Path) -> None:
    tenants = Tenant.many(2, **SMALL)
    tenants[0].is_revoked, tenants[1].outage = True, 503
    async with (
        Simulator(tenants=tenants) as sim,
        clients_of(sim, attempts=1) as clients,
        Inventory(tmp_path / "x.db") as inventory,
    ):
        for work in (
            lambda: inventory.sync(*clients),
            lambda: export(str(tmp_path / "x.csv"), *clients),
            lambda: stream(BytesIO(), *clients),
            lambda: plan(*clients),
        ):
            with pytest.raises(AuthenticationError):
                await work()
        async with Scan(*clients) as scan:
            with pytest.raises(AuthenticationError):
                await anext(scan)
        assert not (tmp_path / "x.csv").exists()


async def test_an_account_without_requests_left_does_not_delay_the_others() -> None:
    clock = ManualClock()
    tenants = Tenant.many(4, **SMALL)
    async with Simulator(tenants=tenants, clock=clock.time) as sim, clients_of(sim, clock=clock) as clients:
        await asyncio.gather(*(client.auth() for client in clients))
        tenants[0].spend_window(remaining=3)
        found: Counter[str | None] = Counter()

        async def read() -> None:
            async for each in scan:
                found[each.account_id] += 1

        async with Scan(*clients, concurrency=1) as scan:
            reading = asyncio.create_task(read())
            await wait_until(lambda: scan.progress.accounts_done == 3)
            assert sorted(found.items()) == [("tenant-2", 80), ("tenant-3", 80), ("tenant-4", 80)]
            assert clients[0].budget.reset_wait == 3600
            assert scan.progress.waiting_until is not None
            clock.advance(3600)
            await reading
        assert found["tenant-1"] == 80
        assert scan.failures == []


async def test_a_sync_stores_the_other_accounts_while_one_waits_for_its_window(tmp_path: Path) -> None:
    clock = ManualClock()
    tenants = Tenant.many(3, **SMALL)
    async with (
        Simulator(tenants=tenants, clock=clock.time) as sim,
        clients_of(sim, clock=clock) as clients,
        Inventory(tmp_path / "x.db") as inventory,
    ):
        await asyncio.gather(*(client.auth() for client in clients))
        tenants[0].spend_window(remaining=1)
        progress: list[Any] = []
        task = asyncio.create_task(inventory.sync(*clients, concurrency=1, on_start=progress.append))
        await wait_until(lambda: progress and progress[0]().accounts_done == 2)
        assert await counts(inventory) == {"tenant-2": 80, "tenant-3": 80}
        clock.advance(3600)
        assert (await task).backups == 240
        assert len(sim.requests) == 3 + 3 * OF_SMALL


async def test_a_large_account_leaves_the_small_ones_their_share() -> None:
    large = Tenant(name="large", token="large", projects=10, addons=20, backups=5)
    small = Tenant(name="small", token="small", projects=2, addons=10, backups=5)
    async with Simulator(tenants=[large, small], latency=0.002) as sim, clients_of(sim) as clients:
        async with Scan(*clients, concurrency=4) as scan:
            assert len([found async for found in scan]) == 1100
        order = [request.tenant for request in sim.requests]
    last = len(order) - 1 - order[::-1].index("small")
    assert order.count("small") == 24
    assert order[:last].count("large") <= 48


async def test_concurrency_bounds_the_requests_of_all_accounts_together() -> None:
    in_flight = most = 0

    async def count(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        try:
            return await handler(request)
        finally:
            in_flight -= 1

    tenants = Tenant.many(6, projects=3, addons=5, backups=5)
    async with (
        Simulator(tenants=tenants, latency=0.002) as sim,
        clients_of(sim, middlewares=[count]) as clients,
        Scan(*clients, concurrency=5) as scan,
    ):
        assert len([found async for found in scan]) == 6 * 75
    assert most == 5


async def test_clients_open_no_more_connections_than_their_share() -> None:
    tenants = Tenant.many(20, projects=1, addons=6, backups=5)
    async with (
        Simulator(tenants=tenants, latency=0.001) as sim,
        clients_of(sim) as clients,
        Scan(*clients, concurrency=4) as scan,
    ):
        assert len({found.account_id async for found in scan}) == 20
        peers = {request.peer for request in sim.requests}
    assert len(peers) <= 20 + 6  # the last clients share the slots of all


async def test_a_reserve_that_leaves_nothing_ends_only_its_account() -> None:
    tenants = Tenant.many(2, **SMALL)
    async with (
        Simulator(tenants=tenants) as sim,
        Northflank(tenants[0].token, base_url=sim.url, reserve=1000) as spent,
        Northflank(tenants[1].token, base_url=sim.url) as other,
        Scan(spent, other, concurrency=1) as scan,
    ):
        assert {found.account_id async for found in scan} == {"tenant-2"}
        (failure,) = scan.failures
        assert "leaves nothing" in str(failure)


async def test_leaving_a_scan_of_several_clients_frees_their_slots() -> None:
    async with Simulator(tenants=Tenant.many(3, **SMALL), latency=0.002) as sim, clients_of(sim) as clients:
        async with Scan(*clients, concurrency=2) as scan:
            await anext(scan)
        assert [client.budget.in_flight for client in clients] == [0, 0, 0]
        async with Scan(*clients, concurrency=2) as scan:
            assert len([found async for found in scan]) == 240


async def test_an_interrupted_sync_of_several_accounts_reads_nothing_again(database: str) -> None:
    tenants = [
        Tenant(name="large", token="large", projects=6, addons=10, backups=20),
        *Tenant.many(3, **SMALL),
    ]
    async with (
        Simulator(tenants=tenants, latency=0.003) as sim,
        clients_of(sim) as clients,
        Inventory(database) as inventory,
    ):
        progress: list[Callable[[], Progress]] = []
        task = asyncio.create_task(inventory.sync(*clients, concurrency=4, on_start=progress.append))
        await until(lambda: bool(progress) and progress[0]().accounts_done == 3, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        before = {tenant.name: len(requests_of(sim, tenant.name)) for tenant in tenants}
        assert before["tenant-1"] == OF_SMALL
        sim.requests.clear()
        outcome = await inventory.sync(*clients)
        after = {tenant.name: len(requests_of(sim, tenant.name)) for tenant in tenants}
        assert after["tenant-1"] == after["tenant-2"] == after["tenant-3"] == 1
        assert after["large"] <= 1 + (1 + 1 + 6 + 60) - before["large"] + 4
        assert outcome.failures == []
        assert all(each.resumed_from for each in outcome.accounts)
        sim.requests.clear()
        anew = await inventory.sync(*clients)
        assert not anew.resumed
        assert anew.backups == outcome.backups == (await counts(inventory)).total()
        assert len(sim.requests) == 1 + 1 + 6 + 60 + 3 * OF_SMALL


async def test_an_interrupted_export_of_several_accounts_reads_nothing_again(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    tenants = [Tenant(name="large", token="large", projects=6, addons=10, backups=20), *Tenant.many(3, **SMALL)]
    async with Simulator(tenants=tenants, latency=0.003) as sim, clients_of(sim) as clients:
        progress: list[Callable[[], Progress]] = []
        task = asyncio.create_task(export(str(path), *clients, concurrency=4, on_start=progress.append))
        await until(lambda: bool(progress) and progress[0]().accounts_done == 3, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        sim.requests.clear()
        outcome = await export(str(path), *clients[:3])  # without one of them
        assert [len(requests_of(sim, f"tenant-{number}")) for number in (1, 2, 3)] == [1, 1, 0]
    assert {line["account"] for line in read_lines(path)} == {"large", "tenant-1", "tenant-2"}
    assert outcome.backups == len(read_lines(path))
    assert [each.name for each in tmp_path.iterdir()] == ["x.jsonl"]


async def test_two_tokens_of_one_account_take_turns_and_delete_nothing_of_each_other(database: str) -> None:
    one = Tenant(name="one", token="one", **SMALL)
    async with Simulator(tenants=[one]) as sim, clients_of(sim) as (client,):
        projects = [project.id async for project in client.projects()]
    one.identity = Identity(entity_id="acme", project_restrictions=only(projects[0]))
    other = one.with_token(
        "other", "other", identity=Identity(entity_id="acme", project_restrictions=only(projects[1]))
    )
    async with (
        Simulator(tenants=[one, other], latency=0.002) as sim,
        clients_of(sim) as clients,
        Inventory(database) as inventory,
    ):
        for _ in range(2):
            sim.requests.clear()
            outcome = await inventory.sync(*clients, concurrency=8)
            assert outcome.failures == []
            assert outcome.backups == 80
            assert await counts(inventory) == await counts(inventory, deleted=True) == {"acme": 80}
            order = [request.tenant for request in sim.requests if request.path != "/v1/auth"]
            assert order == sorted(order) or order == sorted(order, reverse=True)
            assert len(order) == 2 * 4


async def test_the_messages_of_a_client_with_a_name_begin_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    account = FakeAccount({"p/a": backups(1), "p/b": backups(1)}, faults={"auth": refusal(403), "p/b#0": refusal(401)})
    async with account.serve(name="acme") as nf, Inventory(tmp_path / "x.db") as inventory:
        with pytest.raises(AuthenticationError):
            await inventory.sync(nf)
        account.faults.clear()
        with caplog.at_level(logging.INFO, "northflank_async"):
            await inventory.sync(nf)
    assert caplog.messages[0].startswith("acme: the account of the token is not known")
    assert any(message.startswith("acme: resuming the sync run") for message in caplog.messages)


async def test_a_token_that_is_given_twice_is_counted_once(database: str) -> None:
    (one,) = Tenant.many(1, **SMALL)
    async with (
        Simulator(tenants=[one]) as sim,
        Northflank(one.token, base_url=sim.url) as first,
        Northflank(one.token, base_url=sim.url) as second,
        Inventory(database) as inventory,
    ):
        outcome = await inventory.sync(first, second)
        assert len(sim.requests) == OF_SMALL + 1
    assert outcome.progress.projects == 2
    assert outcome.progress.addons == 4
    assert outcome.progress.backups == outcome.backups == 80
    assert not outcome.resumed


async def test_two_tokens_that_see_the_same_share_a_sync_that_is_not_resumed(database: str) -> None:
    account = FakeAccount({"p/a": backups(3), "p/b": backups(2)})
    account.faults["p/b#0"] = refusal(403)
    async with (
        account.serve() as one,
        Northflank("another-token-that-sees-the-same", base_url=one.base_url) as other,
        Inventory(database) as inventory,
    ):
        for _ in range(2):
            account.requested.clear()
            outcome = await inventory.sync(one, other)
            assert not outcome.resumed
            assert outcome.backups == 3
            assert Counter(account.requested) == {"#0": 1, "p#0": 1, "p/a#0": 1, "p/b#0": 2}


async def test_a_strict_sync_keeps_failures_that_another_token_of_the_account_will_read_again(database: str) -> None:
    account = FakeAccount({"p/a": [*backups(1), {"id": 7}]})
    async with (
        account.serve() as one,
        Northflank("another-token-of-the-account", base_url=one.base_url) as other,
        Inventory(database) as inventory,
    ):
        outcome = await inventory.sync(Query([one, one.team("crew")]), other, strict=True)
        assert [(each.team_id, each.item_id) for each in outcome.failures].count((None, "no id")) == 2
        alone = await inventory.sync(other)
        assert alone.resumed
        assert [each.item_id for each in alone.failures] == ["no id"]


async def test_an_export_has_what_all_tokens_of_one_account_see(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    one = Tenant(name="one", token="one", **SMALL)
    async with Simulator(tenants=[one]) as sim, clients_of(sim) as (client,):
        projects = [project.id async for project in client.projects()]
    one.identity = Identity(entity_id="acme", project_restrictions=only(projects[0]))
    other = one.with_token(
        "other", "other", identity=Identity(entity_id="acme", project_restrictions=only(projects[1]))
    )
    async with Simulator(tenants=[one, other], latency=0.002) as sim, clients_of(sim) as clients:
        outcome = await export(str(path), *clients)
        assert outcome.backups == 80
        assert Counter(line["project"] for line in read_lines(path)) == dict.fromkeys(projects, 40)


async def test_a_good_token_completes_what_a_revoked_one_of_the_same_account_has_begun(tmp_path: Path) -> None:
    one = Tenant(name="one", token="one", identity=Identity(entity_id="acme"), **SMALL)
    other = one.with_token("other", "other")
    path = tmp_path / "x.jsonl"

    def revoke() -> None:
        one.is_revoked = True

    async with Simulator(tenants=[one, other], latency=0.002) as sim, clients_of(sim) as (first, second):
        revoking = asyncio.create_task(until(lambda: len(requests_of(sim, "one")) >= 5, revoke))
        task = asyncio.create_task(export(str(path), first, second, concurrency=1))
        outcome = await task
        await revoking
    assert len(outcome.failures) == 1
    assert len(read_lines(path)) == 80
    assert not state_path(path).exists()


async def test_an_unknown_account_has_the_name_of_its_client(database: str) -> None:
    tenants = Tenant.many(2, **SMALL)
    for tenant in tenants:
        tenant.identity.is_hidden = True
    async with (
        Simulator(tenants=tenants) as sim,
        Northflank(tenants[0].token, base_url=sim.url, name="acme") as acme,
        Northflank(tenants[1].token, base_url=sim.url, name="globex") as globex,
        Inventory(database) as inventory,
    ):
        outcome = await inventory.sync(acme, globex)
        assert [(each.account_id, each.name) for each in outcome.accounts] == [("acme", "acme"), ("globex", "globex")]
        assert await counts(inventory) == {"acme": 80, "globex": 80}
        async with Scan(acme, globex) as scan:
            assert {found.account_id async for found in scan} == {"acme", "globex"}
        tenants[0].identity.is_hidden = False
        await inventory.sync(acme, globex)
        assert await counts(inventory, deleted=True) == {"tenant-1": 80, "globex": 80}
        tenants[0].identity.is_hidden = True  # its name is known
        await inventory.sync(globex, acme)
        assert await counts(inventory, deleted=True) == {"tenant-1": 80, "globex": 80}


async def test_an_unknown_account_without_a_name_is_refused_among_others(database: str, tmp_path: Path) -> None:
    tenants = Tenant.many(2, **SMALL)
    tenants[0].identity.is_hidden = True
    async with Simulator(tenants=tenants) as sim, clients_of(sim) as clients, Inventory(database) as inventory:
        for outcome in (await inventory.sync(*clients), await export(str(tmp_path / "x.jsonl"), *clients)):
            (failure,) = outcome.failures
            assert isinstance(failure.error, ConfigurationError)
            assert "give the client a name" in str(failure)
        assert await counts(inventory) == {"tenant-2": 80}


async def test_an_inventory_that_does_not_say_whose_rows_it_has_is_refused_by_several(database: str) -> None:
    tenants = Tenant.many(2, **SMALL)
    tenants[0].identity.is_hidden = True
    async with Simulator(tenants=tenants) as sim, clients_of(sim) as clients, Inventory(database) as inventory:
        await inventory.sync(clients[0])
        tenants[0].identity.is_hidden = False
        with pytest.raises(ConfigurationError, match="does not say whose rows"):
            await inventory.sync(*clients)
        await inventory.sync(clients[0])
        await inventory.sync(*clients)
        assert await counts(inventory, deleted=True) == {"tenant-1": 80, "tenant-2": 80}


async def test_an_account_that_was_stored_under_a_name_as_well_is_soft_deleted_there(database: str) -> None:
    one = Tenant(name="one", token="one", identity=Identity(entity_id="acme"), **SMALL)
    other = one.with_token("other", "other", identity=Identity(entity_id="acme", is_hidden=True))
    async with (
        Simulator(tenants=[one, other]) as sim,
        Northflank("one", base_url=sim.url, name="one") as first,
        Northflank("other", base_url=sim.url, name="other") as second,
        Inventory(database) as inventory,
    ):
        await inventory.sync(first, second)
        assert await counts(inventory) == {"acme": 80, "other": 80}
        other.identity.is_hidden = False
        await inventory.sync(first, second)
        assert await counts(inventory) == {"acme": 80}


async def test_an_interrupted_sync_is_resumed_after_one_that_reads_something_else(database: str) -> None:
    account = FakeAccount({f"{project}/{addon}": backups(3) for project in "pq" for addon in "ab"})
    account.faults["q/b#0"] = 401
    async with account.serve() as nf, Inventory(database) as inventory:
        with pytest.raises(AuthenticationError):
            await inventory.sync(nf, concurrency=1)
        account.faults.clear()
        read = len(account.requested)
        await inventory.sync(Query(nf, projects=["p"]))
        account.requested.clear()
        outcome = await inventory.sync(nf)
        assert outcome.resumed
        assert read + len(account.requested) <= 1 + 2 + 4 + 1
        assert outcome.failures == []
        assert (await counts(inventory)).total() == 12


async def test_an_interrupted_sync_starts_anew_if_another_one_has_read_its_open_listings(database: str) -> None:
    account = FakeAccount({f"{project}/{addon}": backups(3) for project in "pq" for addon in "ab"})
    account.faults["q/b#0"] = 401
    async with account.serve() as nf, Inventory(database) as inventory:
        with pytest.raises(AuthenticationError):
            await inventory.sync(nf, concurrency=1)
        with pytest.raises(AuthenticationError):
            await inventory.sync(Query(nf, projects=["q"]), concurrency=1)
        account.faults.clear()
        account.requested.clear()
        assert not (await inventory.sync(nf)).resumed
        assert len(account.requested) == 1 + 2 + 4


async def test_a_spent_window_ends_only_its_account_if_it_raises(tmp_path: Path) -> None:
    tenants = Tenant.many(2, **SMALL)
    async with Simulator(tenants=tenants) as sim, clients_of(sim, on_rate_limit="raise") as clients:
        await asyncio.gather(*(client.auth() for client in clients))
        tenants[0].spend_window(remaining=4)
        outcome = await export(str(tmp_path / "x.csv"), *clients)
        assert isinstance(outcome.accounts[0].error, RateLimited)
        assert outcome.accounts[1].error is None
        assert outcome.backups == 80


async def test_a_name_has_to_exist_for_one_of_the_clients_that_it_is_wanted_of() -> None:
    async with serving_project("red") as red, serving_project("blue") as blue:
        await check_names(Query([red, blue], addon_types=["red", "blue"]))
        with pytest.raises(UnknownName, match="addon of type 'green'; there are: blue, red"):
            await check_names(Query([red, blue], addon_types=["green"]))
        with pytest.raises(UnknownName, match="addon of type 'red'; there are: blue"):
            await check_names(red, Query(blue, addon_types=["red"]))


async def test_a_project_that_one_of_several_accounts_does_not_have_is_a_failure_of_that_account(
    tmp_path: Path,
) -> None:
    async with serving_project("red") as red, serving_project("blue") as blue:
        queries = [Query(red, projects=["green"]), Query(blue, projects=["blue"])]
        await check_names(*queries)
        async with Inventory(tmp_path / "x.db") as inventory:
            outcome = await inventory.sync(*queries)
    assert [type(account.error) for account in outcome.accounts] == [NotFound, type(None)]


def serving_project(name: str) -> AbstractAsyncContextManager[Northflank]:
    """Serve an account with one project, and an addon of the same type."""
    others = {f"{other}#0": refusal(404) for other in ("red", "blue", "green") if other != name}
    return FakeAccount({f"{name}/a": []}, addon_types={f"{name}/a": name}, faults=others).serve(name=name)
