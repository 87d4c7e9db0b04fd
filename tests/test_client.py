"""The client: its options, and the route of each call."""

import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from northflank_async import (
    Addon,
    ApiError,
    AuthenticationError,
    Backup,
    ConfigurationError,
    Northflank,
    NotFound,
    Project,
    Restore,
)
from northflank_async.simulator import Simulator
from tests.support.scripted_server import TOKEN, envelope, serve

P, A, B = "default-project", "example-addon", "example-backup"


@pytest.mark.parametrize("team", [None, "acme"])
async def test_each_call_has_its_route(sim: Simulator, team: str | None) -> None:
    prefix = f"/v1/teams/{team}" if team else "/v1"
    async with Northflank(sim.token, base_url=sim.url, team_id=team) as nf:
        project, addon, backup = nf.project(P), nf.project(P).addon(A), nf.project(P).addon(A).backup(B)
        assert isinstance((await nf.projects()).items[0], Project)
        assert isinstance(await project.get(), Project)
        assert isinstance((await project.addons()).items[0], Addon)
        assert isinstance(await addon.get(), Addon)
        assert isinstance((await addon.backups()).items[0], Backup)
        assert isinstance((await addon.restores()).items[0], Restore)
        assert isinstance(await backup.get(), Backup)
        assert isinstance((await backup.restores()).items[0], Restore)
    assert [request.path.removeprefix(prefix) for request in sim.requests] == [
        "/projects",
        f"/projects/{P}",
        f"/projects/{P}/addons",
        f"/projects/{P}/addons/{A}",
        f"/projects/{P}/addons/{A}/backups",
        f"/projects/{P}/addons/{A}/restores",
        f"/projects/{P}/addons/{A}/backups/{B}",
        f"/projects/{P}/addons/{A}/backups/{B}/restores",
    ]
    assert {(request.method, request.status) for request in sim.requests} == {("GET", 200)}


async def test_a_team_shares_the_session_and_the_budget(sim: Simulator, nf: Northflank) -> None:
    await nf.projects()
    acme = nf.team("acme")
    await acme.project(P).addon(A).backup(B).get()
    assert sim.requests[-1].path == f"/v1/teams/acme/projects/{P}/addons/{A}/backups/{B}"
    assert acme.rate_limit
    assert nf.rate_limit
    assert acme.rate_limit.remaining == nf.rate_limit.remaining == 998


async def test_the_source_of_a_global_backup_is_sent(sim: Simulator, nf: Northflank) -> None:
    other = nf.project((await nf.projects()).items[1].id)
    other_addon = (await other.addons()).items[0].id
    listed = await other.addon(other_addon).backup(B).restores(source_project_id=P, source_addon_id=A).all()
    assert sim.requests[-1].query["sourceProjectId"] == P
    assert sim.requests[-1].query["sourceAddonId"] == A
    assert all(isinstance(restore, Restore) for restore in listed)


async def test_a_missing_backup_raises_not_found(nf: Northflank) -> None:
    with pytest.raises(NotFound) as caught:
        await nf.project(P).addon(A).backup("nope").get()
    assert caught.value.url
    assert caught.value.url.path.endswith("/backups/nope")
    assert "nope" in caught.value.message


async def test_a_wrong_token_is_an_authentication_error(sim: Simulator) -> None:
    async with Northflank("another-token", base_url=sim.url) as nf:
        with pytest.raises(AuthenticationError) as caught:
            await nf.projects()
    assert caught.value.status == 401
    assert len(sim.requests) == 1


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "a?b", "a#b", "a b", "a\x00"])
async def test_a_bad_id_is_an_error_at_the_call(bad: str) -> None:
    nf = Northflank("token")
    for call in (nf.project, nf.team, nf.project(P).addon, nf.project(P).addon(A).backup):
        with pytest.raises(ConfigurationError, match="id must be one segment of a path"):
            call(bad)
    with pytest.raises(ConfigurationError):
        Northflank("token", team_id=bad)


@pytest.mark.parametrize("cursor", ["a+b/c=d&e%f g", "%2B", "ä€😀", "a;b", "#?", "\x7f"])
async def test_a_cursor_arrives_unchanged(cursor: str) -> None:
    async with serve(lambda _: envelope({"backups": []})) as server, server.client() as nf:
        await nf.project(P).addon(A).backups(cursor=cursor)
        assert server.requests[0].query["cursor"] == cursor


async def test_an_id_arrives_unchanged() -> None:
    async with serve(lambda _: envelope({"id": "x"})) as server, server.client() as nf:
        await nf.project("a%2Fb+c:ä").get()
        assert server.requests[0].raw_path == "/v1/projects/a%252Fb+c:%C3%A4"


async def test_the_first_environment_variable_that_is_set_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    def respond(request: web.Request) -> web.Response:
        return envelope({"token": request.headers["Authorization"]})

    async with serve(respond) as server:
        for host in ("NF_HOST", "NF_API_HOST", "NORTHFLANK_API_BASE_URL"):
            monkeypatch.setenv(host, server.url)
            monkeypatch.setenv("NF_API_TOKEN", "second-token")
            async with Northflank() as nf:
                assert await nf.request("GET", "/v1/x") == {"token": "Bearer second-token"}
            monkeypatch.setenv(host, "ftp://nowhere")
        monkeypatch.setenv("NORTHFLANK_API_TOKEN", "first-token")
        async with Northflank(base_url=server.url) as nf:
            assert await nf.request("GET", "/v1/x") == {"token": "Bearer first-token"}
        async with Northflank("own-token", base_url=server.url) as nf:
            assert await nf.request("GET", "/v1/x") == {"token": "Bearer own-token"}


def test_a_client_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORTHFLANK_API_TOKEN", "")
    with pytest.raises(ConfigurationError, match="NORTHFLANK_API_TOKEN"):
        Northflank()
    with pytest.raises(ConfigurationError, match="no token"):
        Northflank("")


@pytest.mark.parametrize(
    "options",
    [{"timeout": 0}, {"timeout": None}, {"attempts": 1.5}, {"timeout": -1}, {"timeout": float("nan")},
     {"attempts": 0}, {"on_rate_limit": "ignore"},
     {"timeout": float("inf")}, {"timeout": True}, {"attempts": True}, {"reserve": True}, {"max_response_bytes": True},
     {"proxy": "proxy.example:3128"}, {"proxy": "socks5://127.0.0.1"},
     {"reserve": -1}, {"max_response_bytes": 0}, {"base_url": "http://api.northflank.com"}],
)  # fmt: skip
def test_options_out_of_range_are_refused(options: Any) -> None:
    with pytest.raises(ConfigurationError):
        Northflank("token", **options)


async def test_each_repr_names_its_object(nf: Northflank) -> None:
    addon = nf.project(P).addon(A)
    assert repr(addon.backups()) == f"<Paginator /v1/projects/{P}/addons/{A}/backups>"
    assert repr(nf.team("acme").project(P)) == f"<ProjectResource /v1/teams/acme/projects/{P}>"
    with pytest.raises(NotFound) as caught:
        await addon.backup("nope").get()
    assert repr(caught.value).startswith("NotFound('404 There is no backup nope. [GET http://")


async def test_a_callers_session_is_used_and_stays_open(sim: Simulator) -> None:
    async with aiohttp.ClientSession(headers={"X-Ours": "1"}) as session:
        async with Northflank(sim.token, base_url=sim.url, session=session) as nf:
            await nf.projects()
        assert not session.closed
        with pytest.raises(ConfigurationError, match="trace_configs"):
            Northflank(sim.token, session=session, trace_configs=[aiohttp.TraceConfig()])


async def test_a_closed_session_is_named_as_the_reason(sim: Simulator) -> None:
    session = aiohttp.ClientSession()
    await session.close()
    async with Northflank(sim.token, base_url=sim.url, session=session) as nf:
        with pytest.raises(ConfigurationError, match="session"):
            await nf.projects()


async def test_middlewares_are_applied_with_and_without_a_session(sim: Simulator) -> None:
    seen: list[str] = []

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        seen.append(request.url.path)
        return await handler(request)

    async with aiohttp.ClientSession() as session:
        for given in (None, session):
            async with Northflank(sim.token, base_url=sim.url, session=given, middlewares=[middleware]) as nf:
                await nf.projects()
    assert seen == ["/v1/projects"] * 2


async def test_trace_configs_see_each_exchange(sim: Simulator) -> None:
    seen: list[str] = []
    trace = aiohttp.TraceConfig()

    async def on_start(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(f"{params.method} {params.url.path}")

    trace.on_request_start.append(on_start)
    async with Northflank(sim.token, base_url=sim.url, trace_configs=[trace]) as nf:
        await nf.projects()
    assert seen == ["GET /v1/projects"]


async def test_any_endpoint_can_be_called_as_plain_json() -> None:
    async def respond(request: web.Request) -> web.Response:
        if request.method == "DELETE":
            return web.Response(status=204)
        return envelope({"method": request.method, "query": dict(request.query), "body": await request.text()})

    async with serve(respond) as server, server.client() as nf:
        got = await nf.request("post", "/v1/projects/p/services", params={"dry": True}, json={"name": "ä"})
        assert got["method"] == "POST"
        assert got["query"] == {"dry": "true"}
        assert json.loads(got["body"]) == {"name": "ä"}
        assert server.requests[0].content_type == "application/json"
        assert (await nf.request("GET", "/v1/x"))["body"] == ""
        assert await nf.request("DELETE", "/v1/x") is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_error_and_the_token_stays_with_its_host(status: int) -> None:
    async with serve(lambda _: envelope({})) as other:
        redirect = web.Response(status=status, headers={"Location": f"{other.url}/v1/projects"})
        async with serve(lambda _: redirect) as server, server.client() as nf:
            with pytest.raises(ApiError, match="redirects to") as caught:
                await nf.projects()
        assert caught.value.status == status
        assert other.requests == []


async def test_each_request_carries_the_token_and_the_user_agent() -> None:
    async with serve(lambda _: envelope({"projects": []})) as server, server.client() as nf:
        await nf.projects()
    headers = server.requests[0].headers
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["User-Agent"].startswith("northflank-async/")
    assert headers["Accept"] == "application/json"
