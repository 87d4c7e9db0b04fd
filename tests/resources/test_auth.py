"""The account of a token."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from northflank_async import (
    Auth,
    AuthenticationError,
    AuthPermissions,
    AuthRole,
    AuthWorkload,
    AuthWorkloadIdentity,
    DecodeError,
    EntityType,
    Northflank,
    ProjectRestrictions,
    RestrictionMode,
    TokenKind,
    TokenScope,
    WorkloadType,
    structure,
    unstructure,
)
from northflank_async.simulator import Simulator
from tests.support.scripted_server import envelope, serve

MINIMAL: dict[str, Any] = {
    "createdAt": "2026-01-01T00:00:00.000Z",
    "entityId": "acme",
    "entityType": "team",
    "entityUid": "62cc20b90956ab62a58e8474",
    "id": "example-token",
    "tokenKind": "api",
}
COMPLETE: dict[str, Any] = {
    **MINIMAL,
    "creatorEmail": "ops@example.com",
    "description": "Nightly export",
    "expiresAt": "2027-01-01T00:00:00.000Z",
    "name": "Example Token",
    "orgId": "acme-group",
    "orgUid": "62cc20b90956ab62a58e8475",
    "permissions": {"orgScope": [], "projectScope": ["Project > Addons > General > Read"], "teamScope": ["Account"]},
    "projectRestrictions": {"enabled": True, "projects": ["default-project"], "restrictionMode": "in"},
    "role": {"entityType": "team", "name": "Reader", "roleId": "reader", "roleType": "team"},
    "scope": "own-project",
    "workload": {"id": "export", "name": "Export", "projectId": "default-project", "type": "job"},
    "workloadIdentity": {"id": "exporter", "name": "Exporter"},
}


async def test_the_client_reads_the_account_of_its_token(nf: Northflank, sim: Simulator) -> None:
    auth = await nf.auth()
    assert isinstance(auth, Auth)
    assert auth.entity_id
    assert auth.token_kind is TokenKind.API
    assert [(request.method, request.path) for request in sim.requests] == [("GET", "/v1/auth")]


async def test_a_team_has_no_route_of_its_own(nf: Northflank, sim: Simulator) -> None:
    assert await nf.team("acme").auth() == await nf.auth()
    assert {request.path for request in sim.requests} == {"/v1/auth"}


async def test_a_wrong_token_is_an_authentication_error(sim: Simulator) -> None:
    async with Northflank("wrong-token", base_url=sim.url) as nf:
        with pytest.raises(AuthenticationError):
            await nf.auth()


def test_every_documented_field_is_read() -> None:
    assert structure(COMPLETE, Auth) == Auth(
        entity_id="acme",
        entity_type=EntityType.TEAM,
        entity_uid="62cc20b90956ab62a58e8474",
        org_id="acme-group",
        org_uid="62cc20b90956ab62a58e8475",
        id="example-token",
        name="Example Token",
        description="Nightly export",
        token_kind=TokenKind.API,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
        creator_email="ops@example.com",
        scope=TokenScope.OWN_PROJECT,
        role=AuthRole(entity_type=EntityType.TEAM, name="Reader", role_id="reader", role_type=EntityType.TEAM),
        permissions=AuthPermissions(
            org_scope=(), project_scope=("Project > Addons > General > Read",), team_scope=("Account",)
        ),
        project_restrictions=ProjectRestrictions(
            enabled=True, projects=("default-project",), restriction_mode=RestrictionMode.IN
        ),
        workload=AuthWorkload(id="export", name="Export", project_id="default-project", type=WorkloadType.JOB),
        workload_identity=AuthWorkloadIdentity(id="exporter", name="Exporter"),
    )
    assert unstructure(structure(COMPLETE, Auth)).keys() == COMPLETE.keys()


@pytest.mark.parametrize("raw", [MINIMAL, {**MINIMAL, "expiresAt": None}, {"entityId": "acme", "role": None}])
def test_optional_parts_may_be_missing_or_null(raw: dict[str, Any]) -> None:
    auth = structure(raw, Auth)
    assert auth.entity_id == "acme"
    assert (auth.expires_at, auth.role, auth.permissions, auth.project_restrictions) == (None, None, None, None)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({**MINIMAL, "entityId": 7}, "data.entityId"),
        ({"id": "example-token"}, "data.entityId"),
        ({**MINIMAL, "role": "admin"}, "data.role"),
        ({**MINIMAL, "projectRestrictions": {"projects": "all"}}, "data.projectRestrictions.projects"),
    ],
)
async def test_an_undocumented_response_is_a_decode_error_that_names_the_place(raw: dict[str, Any], place: str) -> None:
    def respond(_: web.Request) -> web.Response:
        return envelope(raw)

    async with serve(respond) as server, server.client() as nf:
        with pytest.raises(DecodeError) as caught:
            await nf.auth()
    assert caught.value.place == place
