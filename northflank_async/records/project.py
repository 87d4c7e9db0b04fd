from datetime import datetime

from attrs import frozen

from northflank_async.records.addon import AddonSpec
from northflank_async.records.cluster import Cluster
from northflank_async.records.enums import JobType, ProjectLifecycleStatus, RegistryProvider, ServiceType


@frozen(kw_only=True)
class ProjectDeployment:
    """The region of a project."""

    region: str | None = None


@frozen(kw_only=True)
class ProjectService:
    """A service of a project, as in the project's details."""

    id: str
    uid: str | None = None
    app_id: str | None = None
    stage_id: str | None = None
    name: str | None = None
    description: str | None = None
    service_type: ServiceType | str | None = None


@frozen(kw_only=True)
class ProjectJob:
    """A job of a project, as in the project's details."""

    id: str
    uid: str | None = None
    app_id: str | None = None
    stage_id: str | None = None
    name: str | None = None
    description: str | None = None
    job_type: JobType | str | None = None


@frozen(kw_only=True)
class ProjectAddon:
    """An addon of a project, as in the project's details."""

    id: str
    uid: str | None = None
    app_id: str | None = None
    stage_id: str | None = None
    name: str | None = None
    description: str | None = None
    spec: AddonSpec | None = None


@frozen(kw_only=True)
class RegistryConfiguration:
    """The credential and provider of a custom registry."""

    credential_id: str | None = None
    provider: RegistryProvider | str | None = None


@frozen(kw_only=True)
class CustomRegistry:
    """The container registry that a project's builds are pushed to."""

    enabled: bool | None = None
    configuration: RegistryConfiguration | None = None


@frozen(kw_only=True)
class Project:
    """A project. Listings include `id`, `name`, `uid`, `description` and `lifecycle_status` only.

    https://northflank.com/docs/v1/api/team/projects/list-projects
    https://northflank.com/docs/v1/api/team/projects/get-project
    """

    id: str
    name: str | None = None
    uid: str | None = None
    description: str | None = None
    lifecycle_status: ProjectLifecycleStatus | str | None = None
    deployment: ProjectDeployment | None = None
    created_at: datetime | None = None
    services: tuple[ProjectService, ...] | None = None
    custom_registry: CustomRegistry | None = None
    jobs: tuple[ProjectJob, ...] | None = None
    addons: tuple[ProjectAddon, ...] | None = None
    cluster: Cluster | None = None
