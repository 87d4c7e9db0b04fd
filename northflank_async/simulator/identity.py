"""Whose token it is, and which projects it may see."""

from typing import Any

import attrs

from northflank_async.simulator.inventory import Json


def _role() -> Json:
    return {"roleId": "backup-reader", "roleType": "team", "entityType": "team", "name": "Backup reader"}


def _permissions() -> Json:
    areas = ("Manage", "Addons > General", "Addons > Backups", "Volumes > General", "Volumes > Backups")
    return {
        "orgScope": [],
        "teamScope": ["Account > Projects > Manage > Read"],
        "projectScope": [f"Project > {area} > Read" for area in areas],
    }


@attrs.define(kw_only=True)
class Identity:
    """What `GET /v1/auth` says of the token, in the API's own terms; `None` leaves a part out.

    - `entity_id`: the account; another one makes it another account's token.
    - `project_restrictions`: `{"enabled": true, "projects": ["billing"], "restrictionMode": "in"}` or `"notIn"`. Other
      projects are not listed, and refused with a 403.

    A running simulator obeys changes with the next request. `role` and `permissions` are not enforced.
    """

    entity_id: str = "simulated-team"
    entity_type: str = "team"
    role: Json | None = attrs.field(factory=_role)
    permissions: Json | None = attrs.field(factory=_permissions)
    project_restrictions: Json | None = None

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
            "tokenKind": "api",
            "scope": "role",
            "entityId": self.entity_id,
            "entityUid": "62cc20b90956ab62a58e8474",
            "entityType": self.entity_type,
            "createdAt": "2026-01-01T00:00:00.000Z",
            "expiresAt": None,
            **{name: part for name, part in optional.items() if part is not None},
        }
