"""Whose token it is, and which projects it may see."""

from typing import Any

import attrs

from northflank_async.simulator.inventory import Json, random_bytes

DEFAULT_ENTITY = "simulated-team"


def _role() -> Json:
    return {"roleId": "backup-reader", "roleType": "team", "entityType": "team", "name": "Backup reader"}


def _permissions() -> Json:
    areas = ("Projects > Manage", "Addons > General", "Volumes > General", "Volumes > Backups")
    return {
        "orgScope": [],
        "teamScope": ["Account > Platform > BackupDestinations > Read"],
        "projectScope": [f"Project > {area} > Read" for area in areas],
    }


@attrs.define(kw_only=True)
class Identity:
    """What `GET /v1/auth` says of the token, in the API's own terms; `None` leaves a part out.

    - `entity_id`: the account; another one makes it another account's token.
    - `project_restrictions`: `{"enabled": true, "projects": ["billing"], "restrictionMode": "in"}` or `"notIn"`. Other
      projects are not listed, and refused with a 403.

    - `expires_at`: when the token expires, such as `2027-01-31T00:00:00.000Z`; `None` is sent as null.
    - `token_kind`: `api`, `session` or `workload`.
    - `is_hidden`: the route answers with a 404, as if the API did not have it.

    A running simulator obeys changes with the next request. `role`, `permissions` and `expires_at` are not enforced.
    """

    entity_id: str = DEFAULT_ENTITY
    entity_type: str = "team"
    role: Json | None = attrs.field(factory=_role)
    permissions: Json | None = attrs.field(factory=_permissions)
    project_restrictions: Json | None = None
    expires_at: str | None = None
    token_kind: str = "api"
    is_hidden: bool = False

    @property
    def is_restricted(self) -> bool:
        """Whether some projects may be hidden from it."""
        return self.project_restrictions is not None and bool(self.project_restrictions["enabled"])

    def sees(self, project_id: str) -> bool:
        """Whether it may see the project."""
        if self.project_restrictions is None or not self.is_restricted:
            return True
        named: bool = project_id in self.project_restrictions["projects"]
        return named is (self.project_restrictions["restrictionMode"] == "in")

    def _entity_uid(self) -> str:
        if self.entity_id == DEFAULT_ENTITY:
            return "62cc20b90956ab62a58e8474"
        return random_bytes("entity", self.entity_id)[:12].hex()

    def shown(self) -> Json:
        """What the API says of it."""
        optional: dict[str, Any] = {
            "role": self.role,
            "permissions": self.permissions,
            "projectRestrictions": self.project_restrictions,
        }
        return {
            "id": "simulator-token",
            "name": "Simulator token",
            "tokenKind": self.token_kind,
            "scope": "role",
            "entityId": self.entity_id,
            "entityUid": self._entity_uid(),
            "entityType": self.entity_type,
            "createdAt": "2026-01-01T00:00:00.000Z",
            "expiresAt": self.expires_at,
            **{name: part for name, part in optional.items() if part is not None},
        }
