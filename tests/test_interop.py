"""The official Python SDK and this client send the same requests to the simulator, and read the same data."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import httpx
import pytest
from northflank import AsyncApiClient

from northflank_async import Northflank, unstructure
from northflank_async.paging import Paginator
from northflank_async.resources import AccountResource, AddonResource
from northflank_async.simulator import RequestRecord, Simulator
from tests.support.destinations import OFFSITE

HOME = {"project_id": "default-project", "addon_id": "example-addon"}
AWAY = {"project_id": "billing", "addon_id": "billing-database"}
SOURCE: dict[str, Any] = {"source_project_id": HOME["project_id"], "source_addon_id": HOME["addon_id"]}
PER_PAGE = 2  # every listing below has more than one page of these


class Clients(NamedTuple):
    """Both clients on the same routes, and their simulator."""

    ours: AccountResource
    sdk: Any  # its tree of endpoints, `get.addon.…`
    team: dict[str, str]  # the SDK's argument for the routes
    simulator: Simulator

    def requests(self) -> list[RequestRecord]:
        """The requests since the last call."""
        requests = list(self.simulator.requests)
        self.simulator.requests.clear()
        return requests


class Listing(NamedTuple):
    """One listing in each client. The second argument is a backup with more than one page of restores."""

    ours: Callable[[AccountResource, str], Paginator[Any]]
    theirs: Callable[[Any], Any]
    ids: Callable[[str], dict[str, str]]


LISTINGS = {
    "backups": Listing(
        ours=lambda account, _: _addon(account, **HOME).backups(per_page=PER_PAGE),
        theirs=lambda sdk: sdk.get.addon.backups,
        ids=lambda _: HOME,
    ),
    "restores": Listing(
        ours=lambda account, _: _addon(account, **HOME).restores(per_page=PER_PAGE),
        theirs=lambda sdk: sdk.get.addon.restores,
        ids=lambda _: HOME,
    ),
    "restores-of-a-backup": Listing(
        ours=lambda account, backup: _addon(account, **HOME).backup(backup).restores(per_page=PER_PAGE),
        theirs=lambda sdk: sdk.get.addon.backup.restores,
        ids=lambda backup: {**HOME, "backup_id": backup},
    ),
    "restores-of-a-global-backup": Listing(
        ours=lambda account, backup: _addon(account, **AWAY).backup(backup).restores(**SOURCE, per_page=PER_PAGE),
        theirs=lambda sdk: sdk.get.addon.backup.restores,
        ids=lambda backup: {**AWAY, **SOURCE, "backup_id": backup},
    ),
}
each_listing = pytest.mark.parametrize("listing", LISTINGS.values(), ids=list(LISTINGS))


def _addon(account: AccountResource, project_id: str, addon_id: str) -> AddonResource:
    return account.project(project_id).addon(addon_id)


@pytest.fixture(params=[None, "acme"], ids=["own-route", "team-route"])
async def clients(request: pytest.FixtureRequest) -> AsyncIterator[Clients]:
    team = request.param
    async with (
        Simulator(backups=20) as simulator,
        Northflank(simulator.token, base_url=simulator.url, team_id=team) as ours,
        # Ignore a proxy in the environment.
        httpx.AsyncClient(trust_env=False) as http,
    ):
        sdk = AsyncApiClient(api_token=simulator.token, base_url=simulator.url, async_http_client=http)
        yield Clients(ours, sdk, {"team_id": team} if team else {}, simulator)


@pytest.fixture
async def restored(clients: Clients) -> str:
    """The id of the backup with the most restores."""
    restores = await _addon(clients.ours, **HOME).restores().all()
    clients.requests()
    [(backup_id, _)] = Counter(str(restore.backup_id) for restore in restores).most_common(1)
    return backup_id


@each_listing
async def test_one_page_has_the_same_data_in_both(clients: Clients, listing: Listing, restored: str) -> None:
    page = await listing.ours(clients.ours, restored)
    sent = clients.requests()
    theirs = await listing.theirs(clients.sdk)(**listing.ids(restored), **clients.team, per_page=PER_PAGE)

    assert theirs.data == page.data
    assert [len(items) for items in page.data.values()] == [PER_PAGE]
    assert clients.requests() == sent


@each_listing
async def test_one_page_has_the_same_pagination_in_both(clients: Clients, listing: Listing, restored: str) -> None:
    ours = (await listing.ours(clients.ours, restored)).pagination
    response = await listing.theirs(clients.sdk)(**listing.ids(restored), **clients.team, per_page=PER_PAGE)
    theirs = response.pagination

    assert ours.has_next_page
    assert ours.cursor
    assert (theirs.has_next_page, theirs.cursor, theirs.count) == (ours.has_next_page, ours.cursor, ours.count)


@each_listing
async def test_all_pages_have_the_same_data_in_both(clients: Clients, listing: Listing, restored: str) -> None:
    pages = [page.data async for page in listing.ours(clients.ours, restored).pages()]
    sent = clients.requests()
    theirs = await listing.theirs(clients.sdk).all(**listing.ids(restored), **clients.team, per_page=PER_PAGE)

    assert len(pages) > 1
    assert theirs.data == {key: [item for page in pages for item in page[key]] for key in pages[0]}
    assert clients.requests() == sent


async def test_each_backup_by_its_id_has_the_same_data_in_both(clients: Clients) -> None:
    backups = await _addon(clients.ours, **HOME).backups().all()
    route = "/v1/teams/acme" if clients.team else "/v1"
    clients.requests()

    for backup in backups:
        path = f"{route}/projects/default-project/addons/example-addon/backups/{backup.id}"
        ours = await clients.ours.request("GET", path)
        theirs = await clients.sdk.get.addon.backup(**HOME, **clients.team, backup_id=backup.id)
        assert theirs.data == ours
        assert clients.requests() == [RequestRecord("GET", path, {}, 200)] * 2


SCHEDULE: dict[str, Any] = {"interval": "weekly", "minute": [30], "hour": [18], "day": [4]}
DESTINATION = {"destinationId": "offsite-bucket", "retentionTime": 7, "type": "custom"}


class Change(NamedTuple):
    """The same change in each client."""

    ours: Callable[[AddonResource, str], Awaitable[Any]]
    theirs: Callable[[Any, dict[str, str], str], Awaitable[Any]]


CHANGES = {
    "create": Change(
        ours=lambda addon, _: addon.create_backup(name="By hand", additional_destinations=[OFFSITE]),
        theirs=lambda sdk, ids, _: sdk.backup.addon(
            **ids, data={"name": "By hand", "additionalDestinations": [DESTINATION]}
        ),
    ),
    "create a dump": Change(
        ours=lambda addon, _: addon.create_backup(backup_type="dump", compression_type="zstd"),
        theirs=lambda sdk, ids, _: sdk.backup.addon(**ids, data={"backupType": "dump", "compressionType": "zstd"}),
    ),
    "import": Change(
        ours=lambda addon, _: addon.import_backup(url="https://example.com/x.gz"),
        theirs=lambda sdk, ids, _: sdk.import_.addon.backup(**ids, data={"importUrl": "https://example.com/x.gz"}),
    ),
    "abort": Change(
        ours=lambda addon, backup: addon.backup(backup).abort(),
        theirs=lambda sdk, ids, backup: sdk.abort.addon.backup(**ids, backup_id=backup),
    ),
    "retain": Change(
        ours=lambda addon, backup: addon.backup(backup).retain(),
        theirs=lambda sdk, ids, backup: sdk.retain.addon.backup(**ids, backup_id=backup),
    ),
    "restore": Change(
        ours=lambda addon, backup: addon.backup(backup).restore(),
        theirs=lambda sdk, ids, backup: sdk.restore.addon.backup(**ids, backup_id=backup),
    ),
    "restore and abort": Change(
        ours=lambda addon, backup: _restore_and_abort(addon, backup),
        theirs=lambda sdk, ids, backup: _their_restore_and_abort(sdk, {**ids, "backup_id": backup}),
    ),
    "delete": Change(
        ours=lambda addon, backup: addon.backup(backup).delete(),
        theirs=lambda sdk, ids, backup: sdk.delete.backup(**ids, backup_id=backup),
    ),
    "schedule": Change(
        ours=lambda addon, _: addon.create_backup_schedule(
            **SCHEDULE, backup_type="snapshot", retention_time=7, additional_destinations=[OFFSITE]
        ),
        theirs=lambda sdk, ids, _: sdk.create.addon.backup_schedule(
            **ids,
            data={
                "scheduling": SCHEDULE,
                "backupType": "snapshot",
                "additionalDestinations": [DESTINATION],
                "retentionTime": 7,
            },
        ),
    ),
}


async def _restore_and_abort(addon: AddonResource, backup: str) -> None:
    restore_id = await addon.backup(backup).restore()
    await addon.backup(backup).abort_restore(restore_id)


async def _their_restore_and_abort(sdk: Any, ids: dict[str, str]) -> None:
    answer = await sdk.restore.addon.backup(**ids)
    await sdk.abort.addon.restore(**ids, data={"restoreId": answer.data["restoreId"]})


async def _outcome(change: str, team: str | None, by: str) -> Any:
    """The requests and the listings after one change, in a simulator whose time stands still."""
    async with (
        Simulator(backups=20, clock=lambda: 0.0) as simulator,
        Northflank(simulator.token, base_url=simulator.url, team_id=team) as nf,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        sdk: Any = AsyncApiClient(api_token=simulator.token, base_url=simulator.url, async_http_client=http)
        addon = _addon(nf, **HOME)
        for schedule in await addon.backup_schedules().all():
            await addon.delete_backup_schedule(schedule.id)
        started = await addon.create_backup(name="Beforehand", backup_type="dump")
        backup = started.id if change == "abort" else "example-backup"
        simulator.requests.clear()
        ids = {**HOME, "team_id": team} if team else HOME
        if by == "ours":
            await CHANGES[change].ours(addon, backup)
        else:
            await CHANGES[change].theirs(sdk, ids, backup)
        requests = list(simulator.requests)
        listings: list[Paginator[Any]] = [addon.backups(), addon.restores(), addon.backup_schedules()]
        return requests, [[unstructure(item) for item in await listing.all()] for listing in listings]


@pytest.mark.parametrize("team", [None, "acme"])
@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_has_the_same_outcome_in_both(change: str, team: str | None) -> None:
    ours, theirs = [await _outcome(change, team, by) for by in ("ours", "theirs")]
    assert ours == theirs
    requests, left = ours
    assert all(sent.status == 200 for sent in requests)
    if change != "retain":
        _, untouched = await _outcome("retain", team, "ours")
        assert left != untouched
