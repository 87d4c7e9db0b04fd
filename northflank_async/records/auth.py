from datetime import datetime

from attrs import frozen

from northflank_async.records.enums import EntityType, RestrictionMode, TokenKind, TokenScope, WorkloadType


@frozen(kw_only=True)
class AuthPermissions:
    """The permissions of a token, by what they apply to."""

    org_scope: tuple[str, ...] | None = None
    project_scope: tuple[str, ...] | None = None
    team_scope: tuple[str, ...] | None = None


@frozen(kw_only=True)
class ProjectRestrictions:
    """The projects that a token is restricted to (`in`), or that are hidden from it (`notIn`)."""

    enabled: bool | None = None
    projects: tuple[str, ...] | None = None
    restriction_mode: RestrictionMode | str | None = None


@frozen(kw_only=True)
class AuthRole:
    """The role of a token."""

    entity_type: EntityType | str | None = None
    name: str | None = None
    role_id: str | None = None
    role_type: EntityType | str | None = None


@frozen(kw_only=True)
class AuthWorkload:
    """The workload that a token was issued to."""

    id: str | None = None
    name: str | None = None
    project_id: str | None = None
    type: WorkloadType | str | None = None


@frozen(kw_only=True)
class AuthWorkloadIdentity:
    """The workload identity of a token."""

    id: str | None = None
    name: str | None = None


@frozen(kw_only=True)
class Auth:
    """The account that a token belongs to, and what the token may see.

    `entity_id` names the team or organization; `id` is the token's own. `expires_at` is `None` for a token that does
    not expire.

    https://northflank.com/docs/v1/api/introduction
    """

    entity_id: str
    entity_type: EntityType | str | None = None
    entity_uid: str | None = None
    org_id: str | None = None
    org_uid: str | None = None
    id: str | None = None
    name: str | None = None
    description: str | None = None
    token_kind: TokenKind | str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    creator_email: str | None = None
    scope: TokenScope | str | None = None
    role: AuthRole | None = None
    permissions: AuthPermissions | None = None
    project_restrictions: ProjectRestrictions | None = None
    workload: AuthWorkload | None = None
    workload_identity: AuthWorkloadIdentity | None = None
