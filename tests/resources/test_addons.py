"""Addons: created as copies of backups, waited for, connected to, and deleted."""

import json
import traceback
from typing import Any

import pytest
from aiohttp import web

from northflank_async import (
    Addon,
    AddonCredentials,
    AddonSource,
    ConfigurationError,
    DecodeError,
    Northflank,
    NotFound,
    RunFailed,
    TypeSpecificSettings,
)
from tests.support.clocks import AutojumpClock
from tests.support.scripted_server import TOKEN, envelope, http_response, serve, serve_bytes

NEW: dict[str, Any] = {
    "name": "Drill 1",
    "addon_type": "postgresql",
    "version": "16.4.0",
    "deployment_plan": "nf-compute-20",
    "storage": 6144,
}
SOURCE = AddonSource(project_id="p", addon_id="a", backup_id="b")
CREATED = {
    "id": "drill-1",
    "appId": "/team/scratch/drill-1",
    "name": "Drill 1",
    "type": "postgresql",
    "version": "16.4.0",
    "billing": {"deploymentPlan": "nf-compute-20", "storage": 6144, "replicas": 1},
    "status": "preDeployment",
    "cluster": {"id": "nf-europe-west", "name": "nf-europe-west"},
}
UID = "12345678-1234-1234-1234-123456789abc"
PASSWORD = "f1ba286ee2465e80b0fd4af31276f3e33a"


async def test_an_addon_is_created_as_a_copy_of_a_backup() -> None:
    async with serve(lambda _: envelope(CREATED)) as server, server.client() as nf:
        addon = await nf.project("scratch").create_addon(
            **NEW,
            source=SOURCE,
            storage_class="nvme",
            external_access_enabled=False,
            type_specific_settings=TypeSpecificSettings(postgresql_supabase_mode=True),
        )
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/v1/projects/scratch/addons")
        assert json.loads(await request.read()) == {
            "name": "Drill 1",
            "type": "postgresql",
            "version": "16.4.0",
            "billing": {"deploymentPlan": "nf-compute-20", "storageClass": "nvme", "storage": 6144, "replicas": 1},
            "source": {"projectId": "p", "addonId": "a", "backupId": "b"},
            "externalAccessEnabled": False,
            "typeSpecificSettings": {"postgresqlSupabaseMode": True},
        }
    assert type(addon) is Addon
    assert (addon.id, addon.status, addon.spec) == ("drill-1", "preDeployment", None)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "1 drill"}, "^name must be letters and digits"),
        ({"name": None}, "^name is required"),
        ({"addon_type": ""}, "^addon_type must be text that is not empty"),
        ({"version": None}, "^version must be text that is not empty"),
        ({"deployment_plan": "nf_compute"}, "^deployment_plan must be letters and digits"),
        ({"deployment_plan": None}, "^deployment_plan is required"),
        ({"storage": 0}, "^storage must be an integer of 1 or more"),
        ({"storage": 6144.5}, "^storage must be an integer of 1 or more"),
        ({"replicas": True}, "^replicas must be an integer of 1 or more"),
        ({"storage_class": "1"}, "^storage_class must have 3 to 39 characters"),
        ({"description": "ä"}, "^description must be letters"),
        ({"tags": "drill"}, "^tags must be a list"),
        ({"tags": ["a drill"]}, "^each tag must be letters and digits"),
        ({"tags": [None]}, "^each tag is required"),
        ({"tls_enabled": 1}, "^tls_enabled must be True or False"),
        ({"external_access_enabled": "no"}, "^external_access_enabled must be True or False"),
        ({"source": {"addonId": "a"}}, "^source must be an AddonSource, not dict"),
        ({"source": AddonSource()}, "^the source's addon_id is required"),
        ({"source": AddonSource(addon_id="a")}, "^the source's backup_id is required"),
        ({"source": AddonSource(addon_id="a", backup_id="b/c")}, "^the source's backup_id must be letters"),
        ({"source": AddonSource(addon_id="a", backup_id="b", backup_type="dump")}, "^the source's backup_type must be"),
        ({"source": AddonSource(backup_uid="b")}, "^the source's backup_uid must be a UUID"),
        ({"source": AddonSource(backup_uid=UID, addon_id="a")}, "names the backup alone"),
        ({"type_specific_settings": {}}, "^type_specific_settings must be TypeSpecificSettings"),
        ({"type_specific_settings": TypeSpecificSettings(postgresql_edb_mode=1)}, "^postgresql_edb_mode must be True"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
async def test_an_addon_that_the_api_would_reject_is_not_requested(changed: dict[str, Any], message: str) -> None:
    async with serve(lambda _: envelope(CREATED)) as server, server.client() as nf:
        with pytest.raises(ConfigurationError, match=message):
            await nf.project("scratch").create_addon(**{**NEW, **changed})
        assert server.requests == []


@pytest.mark.parametrize(
    "status", ["preDeployment", "triggerAllocation", "allocating", "postDeployment", "paused", "restore", "new"]
)  # fmt: skip
async def test_an_addon_is_polled_until_it_is_running(status: str) -> None:
    turns = iter([404, status, status, "running"])

    def respond(_: Any) -> Any:
        turn = next(turns)
        return web.Response(status=404) if turn == 404 else envelope({"id": "a", "status": turn})

    async with serve(respond) as server, server.client(clock=AutojumpClock()) as nf:
        addon = await nf.project("p").addon("a").wait()
        assert (type(addon), addon.status, len(server.requests)) == (Addon, "running", 4)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("failed", "the addon a failed"),
        ("error", "the addon a failed"),
        ("errorAllocating", "the addon a could not be allocated"),
        ("deleting", "the addon a is being deleted"),
        ("deleted", "the addon a was deleted"),
    ],
)
async def test_an_addon_that_will_not_run_is_an_error_with_its_record(status: str, message: str) -> None:
    async with (
        serve(lambda _: envelope({"id": "a", "status": status})) as server,
        server.client(clock=AutojumpClock()) as nf,
    ):
        with pytest.raises(RunFailed, match=f"^{message}$") as caught:
            await nf.project("p").addon("a").wait()
    assert (type(caught.value.record), caught.value.record.status) == (Addon, status)


async def test_a_missing_addon_is_not_found_after_a_while_and_a_timeout_names_the_status() -> None:
    clock = AutojumpClock()
    async with serve(lambda _: web.Response(status=404)) as server, server.client(clock=clock) as nf:
        with pytest.raises(NotFound):
            await nf.project("p").addon("a").wait()
        assert 30 <= clock.now < 60
    async with (
        serve(lambda _: envelope({"id": "a", "status": "allocating"})) as server,
        server.client(clock=AutojumpClock(deadlines=1)) as nf,
    ):
        with pytest.raises(TimeoutError, match=r"^the addon a is still allocating after 60 s$"):
            await nf.project("p").addon("a").wait(timeout=60)


async def test_the_credentials_of_an_addon_are_not_shown() -> None:
    data: dict[str, Any] = {
        "secrets": {"username": "u", "password": PASSWORD, "port": 5432},
        "envs": {"HOST": "db.example"},
    }
    async with serve(lambda _: envelope(data)) as server, server.client() as nf:
        found = await nf.project("p").addon("a").credentials()
        assert server.requests[0].path == "/v1/projects/p/addons/a/credentials"
    assert found == AddonCredentials(secrets=data["secrets"], envs=data["envs"])
    assert str(found.secrets["password"]) == PASSWORD
    assert PASSWORD not in f"{found!r} {found.secrets!r} {found.secrets['password']!r}"
    assert json.loads(json.dumps(found.secrets)) == data["secrets"]


@pytest.mark.parametrize(
    "data",
    [PASSWORD, [PASSWORD], {"secrets": PASSWORD}, {"secrets": {}, "envs": PASSWORD}, {"login": {"pass": PASSWORD}}],
)
async def test_no_error_shows_credentials_of_unexpected_shape(data: Any) -> None:
    async with serve(lambda _: envelope(data)) as server, server.client() as nf:
        with pytest.raises(DecodeError) as caught:
            await nf.project("p").addon("a").credentials()
    error = caught.value
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_globals is not globals()]
    assert PASSWORD not in f"{error} {error!r} {error.raw} {error.data} {frames}"


@pytest.mark.parametrize("body", [{"data": {}}, {}, "OK"])
async def test_a_deleted_addon_needs_no_record_in_the_response(body: Any) -> None:
    async with serve_bytes(http_response(body)) as url, Northflank(TOKEN, base_url=url) as nf:
        await nf.project("p").addon("a").delete()
