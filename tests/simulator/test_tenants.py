"""Many tenants in one simulator: their tokens, rate limits, inventories and faults."""

import gc
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from northflank_async.simulator import Downloads, Faults, Identity, RequestRecord, Simulator, Tenant
from tests.support.simulated_api import ADDON, BACKUPS, Api, SimulatorClock


@asynccontextmanager
async def serving(*tenants: Tenant, **options: Any) -> AsyncIterator[list[Api]]:
    """Run a simulator with these tenants; the API as each of them sees it."""
    clock = SimulatorClock()
    async with Simulator(tenants=tenants, clock=clock, **options) as sim:
        sessions = [session(sim, tenant.token) for tenant in tenants]
        try:
            yield [Api(sim, http, clock) for http in sessions]
        finally:
            for http in sessions:
                await http.close()


def session(sim: Simulator, token: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(sim.url, headers={"Authorization": f"Bearer {token}"})


async def remaining(api: Api) -> int:
    async with api.http.get("/v1/auth") as response:
        return int(response.headers["x-ratelimit-remaining"])


async def test_each_tenant_has_its_own_identity_and_inventory() -> None:
    big = Tenant(name="big", token="a", projects=7, identity=Identity(entity_id="acme", role=None))
    small = Tenant(name="small", token="b", projects=1)
    async with serving(big, small) as (a, b):
        assert len((await a.get("/v1/projects"))["projects"]) == 7
        assert len((await b.get("/v1/projects"))["projects"]) == 1
        assert (await a.get("/v1/auth"))["entityId"] == "acme"
        assert (await b.get("/v1/auth"))["entityId"] == "small"
        assert "role" not in await a.get("/v1/auth")


async def test_tenants_can_have_equal_ids_and_share_nothing() -> None:
    one, other = Tenant(name="one", token="a"), Tenant(name="other", token="b")
    async with serving(one, other) as (a, b):
        assert await a.all(BACKUPS, "backups") == await b.all(BACKUPS, "backups")
        await a.data("DELETE", f"{BACKUPS}/example-backup")
        await a.data("POST", BACKUPS, {"name": "only here"})
        await a.error(404, "GET", f"{BACKUPS}/example-backup")
        assert (await b.get(f"{BACKUPS}/example-backup"))["id"] == "example-backup"
        await b.error(404, "GET", f"{BACKUPS}/only-here")


async def test_many_tenants_have_equal_project_and_addon_ids_and_other_sizes() -> None:
    async with serving(*Tenant.many(2, projects=2, addons=2, backups=3)) as (a, b):
        for path, key in (("/v1/projects", "projects"), ("/v1/projects/billing/addons", "addons")):
            mine, others = await a.all(path, key), await b.all(path, key)
            assert [item["id"] for item in mine] == [item["id"] for item in others]
        assert await a.all(BACKUPS, "backups") != await b.all(BACKUPS, "backups")


async def test_a_cursor_of_one_tenant_is_rejected_for_another() -> None:
    async with serving(*Tenant.many(2)) as (a, b):
        _, body = await a.request("GET", BACKUPS, per_page=5)
        await b.error(400, "GET", BACKUPS, cursor=body["pagination"]["cursor"])


async def test_each_tenant_has_its_own_window() -> None:
    async with serving(*Tenant.many(2, rate_limit=2)) as (a, b):
        assert [await remaining(a), await remaining(a)] == [1, 0]
        await a.error(429, "GET", "/v1/auth")
        assert await remaining(b) == 1


async def test_a_window_can_be_spent_while_running_and_ends_like_any_other() -> None:
    tenant = Tenant(name="acme", token="a", rate_limit=10, window=60)
    async with serving(tenant) as (api,):
        tenant.spend_window(remaining=1)
        assert await remaining(api) == 0
        await api.error(429, "GET", "/v1/auth")
        api.advance(60)
        assert await remaining(api) == 9
        tenant.spend_window()
        tenant.spend_window(remaining=5)
        await api.error(429, "GET", "/v1/auth")


async def test_a_revoked_token_is_refused_until_it_is_accepted_again() -> None:
    one, other = Tenant.many(2)
    async with serving(one, other) as (a, b):
        await a.get("/v1/projects")
        one.is_revoked = True
        await a.error(401, "GET", "/v1/projects")
        await b.get("/v1/projects")
        one.is_revoked = False
        await a.get("/v1/projects")
        assert [record.tenant for record in a.sim.requests] == ["tenant-1", "tenant-1", "tenant-2", "tenant-1"]


async def test_a_new_token_replaces_the_old_one() -> None:
    tenant = Tenant(name="acme", token="old")
    async with serving(tenant) as (api,):
        tenant.token = "new"
        await api.error(401, "GET", "/v1/projects")
        async with session(api.sim, "new") as http:
            assert await Api(api.sim, http, api.clock).get("/v1/projects")


async def test_an_outage_is_of_one_tenant_and_costs_no_requests() -> None:
    one, other = Tenant.many(2)
    async with serving(one, other) as (a, b):
        await a.get("/v1/projects")
        one.outage = 503
        await a.error(503, "GET", "/v1/projects")
        await b.get("/v1/projects")
        one.outage = None
        assert await remaining(a) == 998


async def test_faults_are_of_one_tenant() -> None:
    broken, healthy = Tenant(name="broken", token="a", faults=Faults(errors=1)), Tenant(name="healthy", token="b")
    async with serving(broken, healthy) as (a, b):
        assert (await a.request("GET", "/v1/projects"))[0] >= 500
        await b.get("/v1/projects")


async def test_two_tokens_of_an_account_share_its_items_but_not_its_rate_limit() -> None:
    acme = Tenant(name="acme", token="a", rate_limit=5)
    restricted = Identity(
        entity_id="acme", project_restrictions={"enabled": True, "projects": ["billing"], "restrictionMode": "in"}
    )
    second = acme.with_token("acme-billing", "b", identity=restricted, rate_limit=9)
    async with serving(acme, second) as (a, b):
        path = "/v1/projects/billing/addons/billing-database/backups"
        backup = await a.data("POST", path, {"name": "shared"})
        assert (await b.get(f"{path}/shared"))["id"] == backup["id"]
        assert (await a.get("/v1/auth"))["entityId"] == (await b.get("/v1/auth"))["entityId"] == "acme"
        await b.error(403, "GET", BACKUPS)
        assert [await remaining(a), await remaining(b)] == [2, 5]


def test_another_token_of_a_revoked_one_is_accepted() -> None:
    revoked = Tenant(name="acme", token="a", is_revoked=True, outage=503, rate_limit=7)
    other = revoked.with_token("again", "b")
    assert (other.is_revoked, other.outage, other.rate_limit) == (False, None, 7)
    assert other.identity is revoked.identity


async def test_the_requests_say_which_tenant_sent_them_when_and_from_where() -> None:
    async with serving(*Tenant.many(2)) as (a, b):
        await a.get("/v1/auth")
        a.advance(5)
        await b.get("/v1/auth")
        async with session(a.sim, "unknown") as stranger:
            await stranger.get("/v1/auth", headers={"User-Agent": "curl/8"})
        first, second, third = a.sim.requests
    assert [first, second, third] == [
        RequestRecord("GET", "/v1/auth", {}, 200, tenant="tenant-1"),
        RequestRecord("GET", "/v1/auth", {}, 200, tenant="tenant-2"),
        RequestRecord("GET", "/v1/auth", {}, 401),
    ]
    assert second.at - first.at == 5
    assert first.peer.startswith("127.0.0.1:")
    assert len({first.peer, second.peer, third.peer}) == 3
    assert third.user_agent == "curl/8"


async def test_a_download_link_is_of_its_tenant_and_its_content_too() -> None:
    async with serving(*Tenant.many(2), downloads=Downloads(size=1000)) as (a, b):
        links = []
        for api in (a, b):
            backup = await api.data("POST", BACKUPS, {"backupType": "dump", "name": "equal"})
            a.advance(20)
            links.append((await api.get(f"{BACKUPS}/{backup['id']}/download-link"))["downloadLink"])
        contents = []
        async with aiohttp.ClientSession() as http:
            for link in links:
                async with http.get(link) as response:
                    assert response.status == 200
                    contents.append(await response.read())
            async with http.get(links[0].replace("tenant-1", "tenant-2")) as response:
                assert response.status == 403
        assert contents[0] != contents[1]
        assert a.sim.requests[-2].tenant == "tenant-2"


async def test_a_hidden_identity_is_not_found() -> None:
    async with serving(Tenant(name="old", token="a", identity=Identity(is_hidden=True))) as (api,):
        await api.error(404, "GET", "/v1/auth")
        await api.get("/v1/projects")


async def test_the_kind_and_the_expiry_of_a_token_are_shown() -> None:
    identity = Identity(entity_id="acme", expires_at="2027-01-31T00:00:00.000Z", token_kind="workload")
    async with serving(Tenant(name="acme", token="a", identity=identity)) as (api,):
        auth = await api.get("/v1/auth")
    assert (auth["expiresAt"], auth["tokenKind"]) == ("2027-01-31T00:00:00.000Z", "workload")
    assert auth["entityUid"] != Identity(entity_id="other").shown()["entityUid"]


async def test_two_hundred_tenants_are_served_by_one_simulator_in_little_memory() -> None:
    gc.collect()
    tracemalloc.start()
    try:
        async with serving(*Tenant.many(200)) as apis:
            for api in apis:
                await api.get(ADDON)
            grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert Counter(record.tenant for record in apis[0].sim.requests) == {f"tenant-{n}": 1 for n in range(1, 201)}
    assert grown < 40_000_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tenants": []}, "tenants must not be empty"),
        ({"tenants": [Tenant(name="a", token="1"), Tenant(name="a", token="2")]}, "different names"),
        ({"tenants": [Tenant(name="a", token="1"), Tenant(name="b", token="1")]}, "different tokens"),
        ({"tenants": [Tenant(name="a", token="1").with_token("b", "2")]}, "needs a in the same simulator"),
        ({"tenants": Tenant.many(1), "projects": 3}, "pass projects to each tenant"),
        ({"tenants": Tenant.many(1), "token": "x"}, "pass token to each tenant"),
        ({"tenants": Tenant.many(1), "faults": Faults(errors=1)}, "pass faults to each tenant"),
    ],
)
def test_tenants_that_do_not_fit_are_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        Simulator(**options)
    assert "'x'" not in str(raised.value)


@pytest.mark.parametrize("options", [{"projects": -1}, {"window": 0}, {"token": ""}, {"backups": 2_000_000}])
def test_a_bad_option_of_a_tenant_is_an_error_that_names_it(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Tenant(**{"name": "acme", "token": "a", **options})


def test_a_tenant_does_not_show_its_token() -> None:
    assert "s3cret" not in repr(Tenant(name="acme", token="s3cret"))


def test_a_tenant_without_a_simulator_says_so() -> None:
    with pytest.raises(RuntimeError, match="acme belongs to no simulator"):
        Tenant(name="acme", token="a").spend_window()
