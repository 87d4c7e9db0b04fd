"""Whether the projects and the addon types of a query exist."""

import pytest

from northflank_async import AuthenticationError, Northflank, UnknownName
from northflank_async.inventory import Query
from northflank_async.inventory.names import check_known, check_names
from northflank_async.simulator import Simulator
from tests.support.fake_account import FakeAccount


async def test_a_query_without_names_needs_no_request(sim: Simulator, nf: Northflank) -> None:
    await check_names(Query(nf, statuses="failed"))
    assert sim.requests == []


async def test_names_that_exist_are_found_with_few_requests(sim: Simulator, nf: Northflank) -> None:
    await check_names(Query(nf, projects=["billing"], addon_types=["redis"]))
    assert [request.path for request in sim.requests] == ["/v1/projects", "/v1/projects/billing/addons"]


async def test_a_project_of_only_one_account_exists() -> None:
    account = FakeAccount({"p/a": []}, faults={"red:p#0": 404, "red:#0": {"projects": []}})
    async with account.serve() as nf:
        await check_names(Query([nf.team("red"), nf.team("blue")], projects=["p"]))


async def test_a_project_that_is_not_listed_but_can_be_read_exists() -> None:
    account = FakeAccount({"p/a": []}, faults={"#0": {"projects": [{"id": "q"}]}, "/v1/projects/p#0": {"id": "p"}})
    async with account.serve() as nf:
        await check_names(Query(nf, projects=["p"]))


@pytest.mark.parametrize("fault", [403, 500, {"projects": "p"}, None])
async def test_projects_are_not_judged_if_they_cannot_be_listed(fault: object) -> None:
    account = FakeAccount({"p/a": []}, faults={"#0": fault})
    async with account.serve(attempts=1) as nf:
        await check_names(Query(nf, projects=["nowhere"]))


async def test_a_rejected_token_is_raised() -> None:
    async with FakeAccount(faults={"#0": 401}).serve() as nf:
        with pytest.raises(AuthenticationError):
            await check_names(Query(nf, projects=["p"]))


async def test_addon_types_are_not_judged_if_a_project_cannot_be_read() -> None:
    account = FakeAccount({"p/a": [], "q/b": []}, addon_types={"p/a": "redis"}, faults={"q#0": 403})
    async with account.serve() as nf:
        await check_names(Query(nf, addon_types=["postgres"]))
        account.faults.clear()
        with pytest.raises(UnknownName, match="there is no addon of type 'postgres'; there are: "):
            await check_names(Query(nf, addon_types=["postgres", "redis"]))


def test_a_message_lists_some_names_and_suggests_the_nearest() -> None:
    known = [f"project-{number}" for number in range(100)]
    check_known("project", ["project-7"], known)
    with pytest.raises(UnknownName) as raised:
        check_known("project", ["project-7", "projekt-77"], known)
    assert str(raised.value).startswith(
        "there is no project 'projekt-77'; there are: project-0, project-1, project-10,"
    )
    assert str(raised.value).endswith(" and 80 more. Did you mean 'project-77'?")
    with pytest.raises(UnknownName, match=r"there are: none\.$"):
        check_known("project", ["p"], [])
