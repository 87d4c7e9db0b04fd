"""What the simulator says of its token, and which projects it then shows."""

import json
from pathlib import Path
from typing import Any

import attrs
import jsonschema
import pytest

from northflank_async.simulator import Identity
from tests.support.simulated_api import ADDON, simulated_api

FACT = json.loads((Path(__file__).parents[1] / "facts" / "get-auth.json").read_text())
SCHEMA = FACT["response_body"]
BILLING = {"enabled": True, "projects": ["billing"], "restrictionMode": "in"}


async def test_the_token_has_an_account_a_role_and_permissions() -> None:
    async with simulated_api() as api:
        auth = await api.get("/v1/auth")
        assert auth == await api.get("/v1/auth")
    assert auth["entityId"] == Identity().entity_id
    assert auth["role"]["roleId"]
    assert auth["permissions"]["projectScope"]
    assert "projectRestrictions" not in auth


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"entity_id": "other", "entity_type": "org"},
        {"role": None, "permissions": None},
        {"project_restrictions": BILLING},
    ],
)
async def test_the_answer_is_as_documented(options: dict[str, Any]) -> None:
    async with simulated_api(identity=Identity(**options)) as api:
        body = {"data": await api.get("/v1/auth")}
    jsonschema.validate(body, SCHEMA, format_checker=jsonschema.FormatChecker())
    for name, value in options.items():
        first, *rest = name.split("_")
        assert body["data"].get(first + "".join(map(str.title, rest))) == value


async def test_a_question_counts_like_any_other_request() -> None:
    async with simulated_api(rate_limit=1) as api:
        await api.get("/v1/auth")
        await api.error(429, "GET", "/v1/auth")


async def test_there_is_no_route_for_a_team() -> None:
    async with simulated_api() as api:
        await api.error(404, "GET", "/v1/teams/acme/auth")


@pytest.mark.parametrize("prefix", ["/v1", "/v1/teams/acme"])
async def test_only_the_projects_of_a_restricted_token_are_listed(prefix: str) -> None:
    async with simulated_api() as api:
        every = await api.all(f"{prefix}/projects", "projects")
        api.sim.identity.project_restrictions = BILLING
        only = await api.all(f"{prefix}/projects", "projects", per_page=1)
        api.sim.identity.project_restrictions = {**BILLING, "restrictionMode": "notIn"}
        others = await api.all(f"{prefix}/projects", "projects", per_page=1)
        api.sim.identity.project_restrictions = {**BILLING, "enabled": False}
        assert await api.all(f"{prefix}/projects", "projects") == every
    assert [project["id"] for project in only] == ["billing"]
    assert others == [project for project in every if project["id"] != "billing"]
    assert len(others) == len(every) - 1


async def test_a_project_that_is_not_listed_is_refused() -> None:
    async with simulated_api(identity=Identity(project_restrictions=BILLING)) as api:
        await api.get("/v1/projects/billing")
        await api.error(403, "GET", "/v1/projects/default-project")
        await api.error(403, "GET", f"{ADDON}/backups")


def test_identities_do_not_share_what_can_be_changed() -> None:
    one, other = Identity(), Identity()
    assert one == other
    assert one.permissions is not None
    one.permissions["projectScope"].clear()
    assert attrs.asdict(one) != attrs.asdict(other)
