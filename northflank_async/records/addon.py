from datetime import datetime
from typing import Any

from attrs import frozen

from northflank_async.records.cluster import Cluster
from northflank_async.records.enums import AddonStatus, IpPolicyAction, LifecycleStatus


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
class Addon:
    """An addon of a project. Listings leave out `created_at`, `cluster` and most of `spec`.

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
