from datetime import datetime
from typing import Any

from attrs import field, frozen

from northflank_async.records.cluster import Cluster
from northflank_async.records.enums import AddonStatus, IpPolicyAction, LifecycleStatus, SourceBackupType


@frozen(kw_only=True)
class AddonDeployment:
    """The resources that an addon runs on. `storage_size` is in megabytes."""

    replicas: int | None = None
    storage_class: str | None = None
    storage_size: float | None = None
    plan_id: str | None = None
    region: str | None = None


@frozen(kw_only=True)
class IpPolicy:
    """A rule that allows or denies connections to an addon from an IP address."""

    address: str
    action: IpPolicyAction | str | None = None


@frozen(kw_only=True)
class AddonNetworking:
    """An addon's network access: TLS, external access and IP policies."""

    tls_enabled: bool | None = None
    external_access_enabled: bool | None = None
    ip_policies: tuple[IpPolicy, ...] | None = None


@frozen(kw_only=True)
class TypeSpecificSettings:
    """Settings that exist for some addon types only."""

    postgresql_supabase_mode: bool | None = None
    postgresql_edb_mode: bool | None = None


@frozen(kw_only=True)
class AddonConfig:
    """An addon's version, deployment and networking.

    The API does not document the contents of `secret_rotation`.
    """

    version_tag: str | None = None
    lifecycle_status: LifecycleStatus | str | None = None
    deployment: AddonDeployment | None = None
    networking: AddonNetworking | None = None
    type_specific_settings: TypeSpecificSettings | None = None
    secret_rotation: dict[str, Any] | None = None
    template_values: str | None = None
    template_values_redacted: bool | None = None
    region: str | None = None


@frozen(kw_only=True)
class PendingAction:
    """An action that an addon has not carried out yet."""

    type: str | None = None
    created_at: datetime | None = None


@frozen(kw_only=True)
class AddonSpec:
    """An addon's type, such as `postgresql`, and its configuration. Listings send the type only."""

    type: str | None = None
    config: AddonConfig | None = None
    pending_actions: tuple[PendingAction, ...] | None = None


@frozen(kw_only=True)
class AddonSource:
    """The backup that a new addon is a copy of: `addon_id` and `backup_id`, or `backup_uid` alone.

    `project_id` defaults to the project of the new addon. A snapshot can only be copied to addons of the same type and
    major version, in the same region; a global one (`backup_type="global"`) to any region.
    """

    addon_id: str | None = None
    backup_id: str | None = None
    project_id: str | None = None
    backup_type: SourceBackupType | str | None = None
    backup_uid: str | None = None


@frozen(kw_only=True)
class AddonCredentials:
    """How to connect to an addon: `secrets` has its users, passwords, hosts and connection strings by their names.

    `envs` has what is not secret. The API documents neither names nor values; their reprs are hidden.

    https://northflank.com/docs/v1/api/project/addons/get-addon-credentials
    """

    secrets: dict[str, Any] = field(repr=False)
    envs: dict[str, Any] | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Addon:
    """An addon of a project. Listings omit `created_at`, `cluster` and most of `spec`; a new addon has no `spec`.

    https://northflank.com/docs/v1/api/project/addons/create-addon
    https://northflank.com/docs/v1/api/project/addons/list-addons
    https://northflank.com/docs/v1/api/project/addons/get-addon
    """

    id: str
    name: str | None = None
    uid: str | None = None
    app_id: str | None = None
    stage_id: str | None = None
    tags: tuple[str, ...] | None = None
    description: str | None = None
    created_at: datetime | None = None
    status: AddonStatus | str | None = None
    spec: AddonSpec | None = None
    cluster: Cluster | None = None
