"""Every change of backups, against the simulator, on the account's own routes and on a team's."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from attrs import define

from northflank_async import (
    AccountResource,
    AddonResource,
    ApiError,
    BadRequest,
    Conflict,
    DecodeError,
    Northflank,
    NorthflankError,
    NotFound,
    RunFailed,
    TransportError,
)
from northflank_async.simulator import Downloads, Faults, Simulator
from tests.support.clocks import AutojumpClock, FastClock
from tests.support.destinations import KEYS, OFFSITE
from tests.support.scripted_server import (
    TOKEN,
    Responder,
    backup,
    drop_connection,
    envelope,
    http_response,
    serve,
    serve_bytes,
)


@define
class Stage:
    """A simulator, one account of its client, and the clock that both use."""

    account: AccountResource
    simulator: Simulator
    clock: AutojumpClock

    @property
    def addon(self) -> AddonResource:
        return self.account.project("default-project").addon("example-addon")

    async def newest(self) -> str:
        """The id of the newest backup."""
        return (await self.addon.backups(per_page=1)).items[0].id


@pytest.fixture(params=[None, "acme"], ids=["own-route", "team-route"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    clock = AutojumpClock()
    async with (
        Simulator(backups=20, clock=clock.time, downloads=Downloads(size=5_000_000, cut_after=[10**6])) as simulator,
        Northflank(simulator.token, base_url=simulator.url, clock=clock) as nf,
    ):
        yield Stage(nf.team(request.param) if request.param else nf, simulator, clock)
        prefix = f"/v1/teams/{request.param}/" if request.param else "/v1/"
        paths = [sent.path for sent in simulator.requests if not sent.path.startswith("/storage/")]
        assert paths
        assert all(path.startswith(prefix) and ("teams" in path) == bool(request.param) for path in paths)


async def test_a_dump_is_started_downloaded_and_deleted(stage: Stage, tmp_path: Path) -> None:
    started = await stage.addon.create_backup(name="Before the upgrade", backup_type="dump", compression_type="zstd")
    assert (started.name, started.status) == ("Before the upgrade", "scheduled")
    dump = stage.addon.backup(started.id)

    ended = await dump.wait()
    assert (ended.id, ended.status) == (started.id, "completed")
    assert ended.completed_at

    path = await dump.download(tmp_path / "backup.zst")
    assert path.stat().st_size == 5_000_000
    again = await dump.download(tmp_path / "again.zst")
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()
    assert (await dump.download_link()).startswith(f"{stage.simulator.url}/storage/")

    lines = await dump.logs(direction="forward")
    assert lines
    assert [line.ts for line in lines] == sorted(line.ts for line in lines)
    assert [line.log for line in await dump.logs(line_limit=1, direction="backward")] == [lines[-1].log]
    assert await dump.logs(start_time=datetime(2100, 1, 1, tzinfo=UTC)) == []
    assert len(await dump.logs(start_time=lines[0].ts - timedelta(seconds=1), duration=3600)) == len(lines)

    await dump.retain()
    await dump.delete()
    with pytest.raises(NotFound):
        await dump.get()


async def test_a_snapshot_has_additional_destinations_and_no_download(stage: Stage, tmp_path: Path) -> None:
    started = await stage.addon.create_backup(additional_destinations=[OFFSITE])
    snapshot = stage.addon.backup(started.id)
    await snapshot.wait()
    listed = (await stage.addon.backups(per_page=1)).items[0]
    assert listed.config
    assert [destination.destination_id for destination in listed.config.additional_destinations or ()] == [
        "offsite-bucket"
    ]
    with pytest.raises(ApiError):
        await snapshot.download(tmp_path / "snapshot")
    assert list(tmp_path.iterdir()) == []
    assert await snapshot.logs() == []


async def test_a_restore_is_started_and_has_logs(stage: Stage) -> None:
    started = await stage.addon.create_backup(backup_type="dump")
    dump = stage.addon.backup(started.id)
    await dump.wait()
    restore_id = await dump.restore()
    restore = await dump.wait_restore(restore_id)
    assert (restore.id, restore.status) == (restore_id, "completed")
    assert await dump.restore_logs(restore_id, line_limit=3)
    assert restore_id in [restore.id async for restore in stage.addon.restores()]


async def test_a_global_backup_is_restored_into_another_addon(stage: Stage) -> None:
    source: dict[str, Any] = {"source_project_id": "default-project", "source_addon_id": "example-addon"}
    backup = stage.account.project("billing").addon("billing-database").backup("example-backup")
    restore_id = await backup.restore(**source)
    await backup.abort_restore(restore_id, **source)
    with pytest.raises(RunFailed, match=f"the restore {restore_id} of the backup example-backup was aborted"):
        await backup.wait_restore(restore_id, **source)
    with pytest.raises(Conflict):
        await backup.abort_restore(restore_id, **source)


async def test_a_backup_is_aborted_only_while_it_runs(stage: Stage) -> None:
    started = await stage.addon.create_backup()
    backup = stage.addon.backup(started.id)
    await backup.abort()
    with pytest.raises(RunFailed, match="was aborted") as caught:
        await backup.wait()
    assert caught.value.record.status == "aborted"
    with pytest.raises(Conflict):
        await backup.abort()


@pytest.mark.parametrize(
    "source",
    [{"url": "https://example.com/dump.gz"}, {"connection_string": "mongodb://db", "import_all_databases": True}],
)
async def test_a_backup_is_imported(stage: Stage, source: dict[str, Any]) -> None:
    imported = await stage.addon.import_backup(name="From elsewhere", **source)
    assert imported
    assert (await stage.addon.backup(imported.id).wait()).name == "From elsewhere"
    assert await stage.newest() == imported.id


async def test_schedules_are_created_listed_and_deleted(stage: Stage) -> None:
    before = {schedule.id for schedule in await stage.addon.backup_schedules().all()}
    for schedule_id in before:
        await stage.addon.delete_backup_schedule(schedule_id)
    created = await stage.addon.create_backup_schedule(
        interval="weekly", minute=[30], hour=[18], day=[4], backup_type="snapshot", retention_time=7,
        additional_destinations=[OFFSITE],
    )  # fmt: skip
    (schedule,) = await stage.addon.backup_schedules().all()
    assert (schedule.id, schedule.backup_type, schedule.retention_time) == (created, "snapshot", 7)
    assert schedule.scheduling
    assert (schedule.scheduling.minute, schedule.scheduling.hour, schedule.scheduling.day) == ((30,), (18,), (4,))
    await stage.addon.delete_backup_schedule(created)
    assert await stage.addon.backup_schedules().all() == []
    with pytest.raises(NotFound):
        await stage.addon.delete_backup_schedule(created)


async def test_volume_backups_are_created_listed_and_deleted(stage: Stage) -> None:
    project = stage.account.project("default-project")
    volumes = await project.volumes().all()
    volume = project.volume(volumes[0].id)
    assert (await volume.get()).id == volumes[0].id
    started = await volume.create_backup(name="Before the move", description="By hand")
    backup = volume.backup(started.id)
    assert (await backup.get()).id == started.id
    assert started.id in [listed.id async for listed in volume.backups(per_page=2)]
    await backup.delete()
    assert started.id not in [listed.id async for listed in volume.backups()]
    with pytest.raises(NotFound):
        await backup.get()


async def test_volume_schedules_are_created_listed_and_deleted(stage: Stage) -> None:
    volume = stage.account.project("default-project").volume("example-volume")
    (computed,) = await volume.backup_schedules().all()
    created = await volume.create_backup_schedule(interval="daily", minute=[30], hour=[3], retention_time=60)
    schedule, _ = await volume.backup_schedules(per_page=1).all()
    assert (schedule.id, schedule.backup_type, schedule.retention_time) == (created, "snapshot", 60)
    shown = [(schedule.scheduling, schedule.retention_time) for schedule in (schedule, computed)]
    details = await volume.get()
    assert [(found.scheduling, found.retention_time) for found in details.backup_schedules or ()] == shown
    with pytest.raises(Conflict):
        await volume.create_backup_schedule(interval="daily", minute=[0], hour=[4], retention_time=1)
    await volume.delete_backup_schedule(created)
    assert await volume.backup_schedules().all() == [computed]
    with pytest.raises(NotFound):
        await volume.delete_backup_schedule(created)


async def test_destinations_are_created_updated_listed_and_deleted(stage: Stage) -> None:
    created = await stage.account.create_backup_destination(name="Far away", prefix="northflank/", credentials=KEYS)
    assert created.id
    assert created.usage == "globalBackups"
    destination = stage.account.backup_destination(created.id)
    await destination.update(description="In another region", credentials=KEYS)
    assert (await destination.get()).description == "In another region"
    assert "Far away" in [listed.name async for listed in stage.account.backup_destinations(per_page=1)]
    assert await destination.backups().all() == []
    await destination.delete()
    with pytest.raises(NotFound):
        await destination.get()


async def test_a_destination_lists_its_backups(stage: Stage) -> None:
    started = await stage.addon.create_backup(additional_destinations=[OFFSITE])
    await stage.addon.backup(started.id).wait()
    stored = await stage.account.backup_destination("offsite-bucket").backups().all()
    found = next(backup for backup in stored if backup.id == started.id)
    assert found.project
    assert found.addon
    assert found.config
    assert (found.project.id, found.addon.id) == ("default-project", "example-addon")
    assert found.config.addon_type == "mongodb"
    assert found.expired_by
    assert found.expired_by > found.created_at + timedelta(days=6)


async def test_unknown_ids_are_api_errors(stage: Stage) -> None:
    with pytest.raises(BadRequest):
        await stage.addon.create_backup(backup_type="dump", custom_destination_id="no-such-bucket")
    with pytest.raises(NotFound):
        await stage.addon.backup("no-such-backup").restore()


async def test_a_failed_backup_is_an_error_with_its_record() -> None:
    clock = AutojumpClock()
    async with (
        Simulator(backups=20, clock=clock.time, faults=Faults(runs=1.0)) as simulator,
        Northflank(simulator.token, base_url=simulator.url, clock=clock) as nf,
    ):
        addon = nf.project("default-project").addon("example-addon")
        started = await addon.create_backup(backup_type="dump")
        with pytest.raises(RunFailed, match=f"the backup {started.id} failed") as caught:
            await addon.backup(started.id).wait()
        assert caught.value.record.id == started.id
        assert await addon.backup(started.id).logs()


async def test_a_download_costs_one_request_of_the_budget(stage: Stage, tmp_path: Path) -> None:
    started = await stage.addon.create_backup(backup_type="dump")
    await stage.addon.backup(started.id).wait()
    before = stage.account.budget.spent
    await stage.addon.backup(started.id).download(tmp_path / "b")
    assert stage.account.budget.spent == before + 1
    storage = [sent for sent in stage.simulator.requests if sent.path.startswith("/storage/objects")]
    assert len(storage) == 2  # the first one is interrupted


CHANGES: dict[str, Callable[[AccountResource], Awaitable[Any]]] = {
    "ProjectResource.create_addon": lambda nf: nf.project("p").create_addon(
        name="abc", addon_type="postgresql", version="latest", deployment_plan="nf-compute-20", storage=4096
    ),
    "AddonResource.delete": lambda nf: nf.project("p").addon("a").delete(),
    "AddonResource.create_backup": lambda nf: nf.project("p").addon("a").create_backup(),
    "AddonResource.import_backup": lambda nf: nf.project("p").addon("a").import_backup(url="https://example.com/x.gz"),
    "AddonResource.create_backup_schedule": lambda nf: (
        nf.project("p")
        .addon("a")
        .create_backup_schedule(interval="hourly", minute=[0], backup_type="dump", retention_time=1)
    ),
    "AddonResource.delete_backup_schedule": lambda nf: nf.project("p").addon("a").delete_backup_schedule("s"),
    "BackupResource.restore": lambda nf: nf.project("p").addon("a").backup("b").restore(),
    "BackupResource.abort": lambda nf: nf.project("p").addon("a").backup("b").abort(),
    "BackupResource.abort_restore": lambda nf: nf.project("p").addon("a").backup("b").abort_restore("r"),
    "BackupResource.retain": lambda nf: nf.project("p").addon("a").backup("b").retain(),
    "BackupResource.delete": lambda nf: nf.project("p").addon("a").backup("b").delete(),
    "VolumeResource.create_backup": lambda nf: nf.project("p").volume("v").create_backup(name="abc"),
    "VolumeResource.create_backup_schedule": lambda nf: (
        nf.project("p").volume("v").create_backup_schedule(interval="hourly", minute=[0], retention_time=1)
    ),
    "VolumeResource.delete_backup_schedule": lambda nf: nf.project("p").volume("v").delete_backup_schedule("s"),
    "VolumeBackupResource.delete": lambda nf: nf.project("p").volume("v").backup("b").delete(),
    "AccountResource.create_backup_destination": lambda nf: nf.create_backup_destination(
        name="abc", prefix="p/", credentials=KEYS
    ),
    "DestinationResource.update": lambda nf: nf.backup_destination("d").update(name="abc"),
    "DestinationResource.delete": lambda nf: nf.backup_destination("d").delete(),
    "AccountResource.request": lambda nf: nf.request("POST", "/v1/other", json={"name": "abc"}),
}
"""All methods that change something, by their qualified names."""
each_change = pytest.mark.parametrize("change", CHANGES)
RESPONSE = {**backup(1), "restoreId": "r", "name": "n"}


def refuse(status: int, _: web.Request) -> web.Response:
    return web.Response(status=status)


@each_change
async def test_a_change_that_may_have_happened_is_not_retried(change: str) -> None:
    refusals = [partial(refuse, status) for status in (408, 500, 502, 503, 504, 524)]
    outcomes: list[tuple[Responder, type[NorthflankError]]] = [
        (drop_connection, TransportError),
        *((refusal, ApiError) for refusal in refusals),
    ]
    for respond, error in outcomes:
        async with serve(respond) as server, server.client() as nf:
            with pytest.raises(error, match=r"\(the change may have been made\)") as caught:
                await CHANGES[change](nf)
            assert caught.value.changed is None
            assert len(server.requests) == 1


@each_change
@pytest.mark.parametrize("status", [429, 503])
async def test_a_change_that_cannot_have_happened_is_retried(change: str, status: int) -> None:
    responses = iter([web.Response(status=status, headers={"Retry-After": "1"}), envelope(RESPONSE)])
    async with serve(lambda _: next(responses)) as server, server.client(clock=FastClock()) as nf:
        await CHANGES[change](nf)
        first, second = server.requests
        assert (first.method, first.path_qs, await first.read()) == (second.method, second.path_qs, await second.read())


VOID = [
    "AddonResource.delete",
    "AddonResource.delete_backup_schedule",
    "BackupResource.abort",
    "BackupResource.abort_restore",
    "BackupResource.retain",
    "BackupResource.delete",
    "VolumeResource.delete_backup_schedule",
    "VolumeBackupResource.delete",
    "DestinationResource.update",
    "DestinationResource.delete",
]
ODD_RESPONSES = {
    "nothing": http_response(b""),
    "204": http_response(b"", "204 No Content"),
    "an empty object": http_response({}),
    "text": http_response("OK", "200 OK", "Content-Type: text/plain"),
    "a list": http_response([]),
    "null": http_response("null"),
    "a number": http_response("7", "202 Accepted"),
    "half of it": http_response({"data": {}}).replace(b"Content-Length: ", b"Content-Length: 9"),
    "not gzip": http_response("OK", "200 OK", "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("response", ODD_RESPONSES)
@pytest.mark.parametrize("change", VOID)
async def test_a_change_that_was_made_does_not_fail_because_of_its_response(change: str, response: str) -> None:
    async with serve_bytes(ODD_RESPONSES[response]) as url, Northflank(TOKEN, base_url=url) as nf:
        await CHANGES[change](nf)


@pytest.mark.parametrize(
    "body",
    [
        "<html>Please wait</html>",
        "\ufeff <html>Please wait</html>",
        "\ufeff<html>Please wait</html>".encode("utf-16-le"),
        {"error": {"status": 500, "message": "Out of order"}},
        {"data": None, "error": {"status": 500, "message": "Out of order"}},
    ],
)
@pytest.mark.parametrize("change", CHANGES)
async def test_a_success_that_another_server_may_have_sent_is_an_error(change: str, body: Any) -> None:
    async with serve_bytes(http_response(body)) as url, Northflank(TOKEN, base_url=url) as nf:
        with pytest.raises(DecodeError) as caught:
            await CHANGES[change](nf)
        assert caught.value.changed is None


CREATED: dict[str, Callable[[Any], str]] = {
    "ProjectResource.create_addon": lambda made: made.id,
    "AddonResource.create_backup": lambda made: made.id,
    "AddonResource.import_backup": lambda made: made.id,
    "AddonResource.create_backup_schedule": lambda made: made,
    "BackupResource.restore": lambda made: made,
    "VolumeResource.create_backup": lambda made: made.id,
    "AccountResource.create_backup_destination": lambda made: made.id,
}


@pytest.mark.parametrize("wrap", [lambda data: {"data": data}, lambda data: data], ids=["in data", "bare"])
@pytest.mark.parametrize("change", CREATED)
async def test_the_id_of_what_was_created_is_never_lost(change: str, wrap: Callable[[Any], Any]) -> None:
    data = {"id": "new", "restoreId": "new", "createdAt": "soon", "config": 7, "status": None, "name": [], "type": {}}
    for left_out in ((), ("createdAt",), ("createdAt", "status", "name", "config")):
        sent = {name: value for name, value in data.items() if name not in left_out}
        async with serve_bytes(http_response(wrap(sent))) as url, Northflank(TOKEN, base_url=url) as nf:
            assert CREATED[change](await CHANGES[change](nf)) == "new"


async def test_the_fields_of_a_started_backup_that_can_be_read_are_kept() -> None:
    data = {"id": "b", "status": "running", "name": "n", "config": {"size": "many"}}
    async with serve_bytes(http_response({"data": data})) as url, Northflank(TOKEN, base_url=url) as nf:
        made = await nf.project("p").addon("a").create_backup()
    assert (made.id, made.status, made.name, made.config) == ("b", "running", "n", None)
    assert abs(made.created_at - datetime.now(UTC)) < timedelta(minutes=1)


UNREADABLE = [None, "OK", ["b"], {}, {"id": 7, "restoreId": 7, "hint": "look in the list"}]


@pytest.mark.parametrize(
    ("change", "data"),
    [(change, data) for change in CREATED for data in UNREADABLE
     if change != "AddonResource.import_backup"
     and (change != "AccountResource.create_backup_destination" or not isinstance(data, dict))],
)  # fmt: skip
async def test_an_error_about_what_was_created_has_the_data_that_came(change: str, data: Any) -> None:
    async with serve_bytes(http_response({"data": data})) as url, Northflank(TOKEN, base_url=url) as nf:
        with pytest.raises(DecodeError, match=r"\(the change was made\)$") as caught:
            await CHANGES[change](nf)
    assert (caught.value.changed, caught.value.data) == (True, data)
