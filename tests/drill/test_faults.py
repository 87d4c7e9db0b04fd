"""The outcome of a drill by fault. In the end the scratch addon is removed, or the result says that it is not."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from attrs import field, frozen

from northflank_async import (
    Addon,
    ConfigurationError,
    PermissionDenied,
    ProjectResource,
    RateLimited,
    ServerError,
    TransportError,
)
from northflank_async.drill import CheckStatus, Drill, DrillOutcome
from northflank_async.drill.scratch import PREFIX, Mark, remove_scratch
from northflank_async.simulator import Downloads, Faults, Provisioning
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.routes.addons import AddonRoutes
from northflank_async.simulator.routes.backups import BackupRoutes
from tests.drill.stage import DUMPED, SCRATCH, SNAPSHOTS, Stage, stage

Handler = Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]]


@frozen
class Fault:
    """A fault, and what comes of it."""

    outcome: DrillOutcome
    reason: str
    simulator: dict[str, Any] = field(factory=dict)
    options: dict[str, Any] = field(factory=dict)
    addon_id: str = SNAPSHOTS
    refused: tuple[type[Any], str, int] | None = None
    error: type[Exception] | None = None
    checks: tuple[tuple[str, CheckStatus], ...] = ()


FAILED, UNKNOWN, TIMED_OUT, PASSED = (
    DrillOutcome.FAILED,
    DrillOutcome.UNKNOWN,
    DrillOutcome.TIMED_OUT,
    DrillOutcome.PASSED,
)
RESTORED = ("restore", CheckStatus.PASSED)
UP = ("containers", CheckStatus.PASSED)

FAULTS: dict[str, Fault] = {
    "allocation failed": Fault(
        FAILED, "could not be allocated",
        {"provisioning": Provisioning(addons=["errorAllocating"])}, checks=(("restore", CheckStatus.FAILED),),
    ),
    "addon failed": Fault(
        FAILED, "restoring the snapshot: the addon restore-drill-.* failed",
        {"provisioning": Provisioning(addons=["failed"])}, checks=(("restore", CheckStatus.FAILED),),
    ),
    "stuck": Fault(
        TIMED_OUT, "not done within 1000 s, while restoring the snapshot",
        {"provisioning": Provisioning(addons=["allocating"])}, {"timeout": 1000},
    ),
    "blank addon stuck": Fault(
        TIMED_OUT, "not done within 1000 s, while waiting for the blank addon",
        {"provisioning": Provisioning(addons=["allocating"])}, {"timeout": 1000}, DUMPED,
    ),
    "import failed": Fault(
        FAILED, "importing the dump: the backup .* failed",
        {"provisioning": Provisioning(imports=["failed"])}, addon_id=DUMPED, checks=(("restore", CheckStatus.FAILED),),
    ),
    "import stuck": Fault(
        TIMED_OUT, "while importing the dump",
        {"provisioning": Provisioning(imports=["in-progress"])}, {"timeout": 1000}, DUMPED,
    ),
    "expired link": Fault(
        FAILED, "importing the dump: the backup .* failed",
        {"downloads": Downloads(valid=0)}, addon_id=DUMPED, checks=(("restore", CheckStatus.FAILED),),
    ),
    "restore failed": Fault(
        FAILED, "restoring the dump: the restore .* failed",
        {"provisioning": Provisioning(restores=["failed"])}, addon_id=DUMPED,
        checks=(("restore", CheckStatus.FAILED),),
    ),
    "restore aborted": Fault(
        FAILED, "restoring the dump: the restore .* was aborted",
        {"provisioning": Provisioning(restores=["aborted"])}, addon_id=DUMPED,
        checks=(("restore", CheckStatus.FAILED),),
    ),
    "restore stuck": Fault(
        TIMED_OUT, "while restoring the dump",
        {"provisioning": Provisioning(restores=["in-progress"])}, {"timeout": 1000}, DUMPED,
    ),
    "container failed": Fault(
        FAILED, "containers: not all are running: TASK_FAILED",
        {"provisioning": Provisioning(containers="TASK_FAILED")},
        checks=(RESTORED, ("containers", CheckStatus.FAILED)),
    ),
    "container never starts": Fault(
        FAILED, "containers: not all are running: TASK_STARTING",
        {"provisioning": Provisioning(containers="TASK_STARTING")},
        checks=(RESTORED, ("containers", CheckStatus.FAILED)),
    ),
    "403 on the containers": Fault(
        UNKNOWN, "containers: cannot be listed: 403", refused=(AddonRoutes, "list_containers", 403),
        checks=(RESTORED, ("containers", CheckStatus.UNKNOWN)),
    ),
    "403 on the credentials": Fault(
        UNKNOWN, "command: there are no credentials: 403", options={"check": "true"},
        refused=(AddonRoutes, "credentials", 403), error=PermissionDenied,
        checks=(RESTORED, UP, ("command", CheckStatus.UNKNOWN)),
    ),
    "403 on the creation": Fault(
        UNKNOWN, "creating the scratch addon: 403", refused=(AddonRoutes, "create", 403), error=PermissionDenied,
    ),
    "403 on the download link": Fault(
        UNKNOWN, "getting the download link: 403", addon_id=DUMPED,
        refused=(BackupRoutes, "download_link", 403), error=PermissionDenied,
    ),
    "500 on the import": Fault(
        UNKNOWN, "importing the dump: 500", addon_id=DUMPED,
        refused=(BackupRoutes, "import_backup", 500), error=ServerError,
    ),
    "command fails": Fault(
        FAILED, "command: exit code 3", options={"check": "exit 3"},
        checks=(RESTORED, UP, ("command", CheckStatus.FAILED)),
    ),
    "command hangs": Fault(
        FAILED, "command: not done within 0.2 s", options={"check": "sleep 100", "check_timeout": 0.2},
        checks=(RESTORED, UP, ("command", CheckStatus.FAILED)),
    ),
    "command is missing": Fault(
        FAILED, "command: exit code 127", options={"check": "no-such-command-of-any-system"},
        checks=(RESTORED, UP, ("command", CheckStatus.FAILED)),
    ),
    "broken responses": Fault(
        PASSED, "every check passed",
        {"faults": Faults(seed=3, errors=0.1, html=0.05, truncations=0.05, bursts=0.05), "client": {"attempts": 20}},
        {"timeout": 36000}, checks=(RESTORED, UP),
    ),
    "rate limit": Fault(
        PASSED, "every check passed", {"rate_limit": 8, "window": 100.0}, {"timeout": 36000}, checks=(RESTORED, UP),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.slow
async def test_a_fault_has_its_outcome_and_leaves_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = FAULTS[name]
    if fault.refused:
        routes, handler, status = fault.refused

        async def refuse(*_: Any) -> web.Response:
            raise Rejection(status, "Refused.")

        monkeypatch.setattr(routes, handler, refuse)
    async with stage(**fault.simulator) as at:
        result = await at.drill(fault.addon_id, **fault.options)
        assert at.scratch_addons() == []
    assert_ended(result, fault.outcome, fault.reason)
    assert isinstance(result.error, fault.error) if fault.error else result.error is None
    if fault.checks:
        assert tuple((check.name, check.status) for check in result.checks) == fault.checks
    assert result.left_behind is None


def assert_ended(result: Drill, outcome: DrillOutcome, reason: str) -> None:

    assert result.outcome == outcome, result.reason
    assert re.search(reason, result.reason), result.reason
    assert result.ended_at is not None


@pytest.mark.parametrize(("status", "outcome"), [("failed", FAILED), ("aborted", FAILED), ("in-progress", UNKNOWN)])
async def test_a_backup_that_is_not_completed_is_not_restored(
    status: str, outcome: DrillOutcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage() as at:
        backups = at.simulator.tenants[0].account.backups
        addon = at.simulator.tenants[0].account.addons.find(_project(at), SNAPSHOTS)
        assert addon is not None
        backup = backups.create(addon, "snapshot", {}, outcome=status)
        await asyncio.sleep(0.05)  # fifty seconds
        result = await at.drill(backup_id=backup.id)
        assert at.sent("POST") == []
    assert_ended(result, outcome, f"the backup {backup.id} is not completed: it is {status}")


def _project(at: Stage) -> Any:
    return at.simulator.tenants[0].account.inventory.project("default-project")


# Responses that are lost


def losing(method: str, ending: str, times: int = 1) -> Any:
    """A middleware of the client: it loses the response to the first requests, which the server has acted on."""
    left = [times]

    async def lose(request: aiohttp.ClientRequest, handler: Handler) -> aiohttp.ClientResponse:
        response = await handler(request)
        if request.method == method and request.url.path.endswith(ending) and left[0]:
            left[0] -= 1
            response.close()
            raise aiohttp.ServerDisconnectedError
        return response

    return {"middlewares": [lose]}


@pytest.mark.parametrize(
    ("method", "ending", "addon_id"),
    [
        ("POST", f"/projects/{SCRATCH}/addons", SNAPSHOTS),
        ("POST", f"/projects/{SCRATCH}/addons", DUMPED),
        ("POST", "/import", DUMPED),
        ("POST", "/restore", DUMPED),
        ("DELETE", "", SNAPSHOTS),
    ],
)
async def test_a_lost_response_changes_nothing(method: str, ending: str, addon_id: str) -> None:
    async with stage(client=losing(method, ending)) as at:
        result = await at.drill(addon_id)
        assert at.scratch_addons() == []
        assert len(at.sent("POST", f"/projects/{SCRATCH}/addons")) == 1
        assert len(at.sent("POST", "/import")) == len(at.sent("POST", "/restore")) == (addon_id == DUMPED)
    assert_ended(result, PASSED, "every check passed")


async def test_an_addon_that_is_deleted_meanwhile_proves_nothing() -> None:
    async with stage(provisioning=Provisioning(addons=["allocating"], deletion=1e6)) as at:
        running = asyncio.create_task(at.drill())
        while not at.scratch_addons():
            await asyncio.sleep(0.001)
        [addon_id] = at.scratch_addons()
        await at.nf.project(SCRATCH).addon(addon_id).delete()
        assert_ended(await running, UNKNOWN, "restoring the snapshot: the addon .* is being deleted")


async def test_an_addon_that_disappears_proves_nothing() -> None:
    async with stage(provisioning=Provisioning(addons=["allocating"], deletion=0)) as at:
        running = asyncio.create_task(at.drill())
        while not at.scratch_addons():
            await asyncio.sleep(0.001)
        [addon_id] = at.scratch_addons()
        await at.nf.project(SCRATCH).addon(addon_id).delete()
        assert_ended(await running, UNKNOWN, "the scratch addon, or what it is made of, disappeared while restoring")


async def test_an_addon_that_cannot_be_removed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> web.Response:
        raise Rejection(403, "The token may not delete addons.")

    monkeypatch.setattr(AddonRoutes, "delete", refuse)
    async with stage() as at:
        result = await at.drill()
        assert at.scratch_addons() == [result.scratch_addon_id]
    assert_ended(result, PASSED, "every check passed")
    assert result.left_behind is not None
    assert result.left_behind.startswith(f"the addon {PREFIX}{result.id} could not be removed: 403")


async def test_a_removal_that_fails_for_a_while_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    delete, failures = AddonRoutes.delete, [500, 409, 500, 503]

    async def fail(routes: AddonRoutes, request: web.Request) -> web.Response:
        if failures:
            raise Rejection(failures.pop(), "Not now.")
        return await delete(routes, request)

    monkeypatch.setattr(AddonRoutes, "delete", fail)
    async with stage() as at:
        result = await at.drill()
        assert at.scratch_addons() == []
    assert result.left_behind is None
    assert failures == []


async def test_the_window_is_awaited_to_remove_the_addon_also_by_a_client_that_raises() -> None:
    async with stage(client={"on_rate_limit": "raise"}) as at:
        running = asyncio.create_task(at.drill())
        while not at.scratch_addons():
            await asyncio.sleep(0.001)
        at.simulator.tenants[0].spend_window()
        result = await running
        assert at.scratch_addons() == []
    assert_ended(result, UNKNOWN, "rate limit|429")
    assert isinstance(result.error, RateLimited)


async def test_a_client_that_is_closed_leaves_the_addon_and_says_so() -> None:
    async with stage() as at:
        running = asyncio.create_task(at.drill())
        while not at.scratch_addons():
            await asyncio.sleep(0.001)
        await at.nf.close()
        result = await running
    assert isinstance(result.error, TransportError)
    assert result.left_behind is not None


@pytest.mark.slow
async def test_a_deadline_of_the_caller_does_not_prevent_the_removal() -> None:
    async with stage(provisioning=Provisioning(addons=["allocating"])) as at:
        with at.nf.deadline(1000):
            result = await at.drill()
        assert at.scratch_addons() == []
    assert_ended(result, UNKNOWN, "not done within the deadline of 1000 s")


async def test_the_logs_of_a_failed_restore_are_kept_without_the_link() -> None:
    async with stage(provisioning=Provisioning(restores=["failed"])) as at:
        result = await at.drill(DUMPED)
    [check] = result.checks
    assert check.output
    assert "restore" in check.output
    assert "signature" not in check.output


async def test_a_response_that_names_another_addon_does_not_harm_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    create = ProjectResource.create_addon

    async def garble(project: ProjectResource, **settings: Any) -> Addon:
        await create(project, **settings)
        return Addon(id="checkout-database", name="Checkout Database")

    monkeypatch.setattr(ProjectResource, "create_addon", garble)
    async with stage() as at:
        for addon_id in (SNAPSHOTS, DUMPED):
            result = await at.drill(addon_id)
            assert_ended(result, PASSED, "every check passed")
            assert result.scratch_addon_id == PREFIX + result.id
        assert at.scratch_addons() == []
        assert [path for path in at.sent("DELETE") + at.sent("POST") if "checkout-database" in path] == []


async def test_an_addon_of_another_name_is_never_removed() -> None:
    async with stage() as at:
        addon = at.nf.project("default-project").addon(SNAPSHOTS)
        with pytest.raises(ConfigurationError, match=r"is not that of the drill .*: it is left alone"):
            await remove_scratch(addon, Mark(started_at=datetime.now(UTC), timeout=1), at.nf.budget)
        assert at.sent("DELETE") == []
