"""What the API answers, as attrs classes."""

from northflank_async.records.addon import (
    Addon,
    AddonConfig,
    AddonDeployment,
    AddonNetworking,
    AddonSpec,
    IpPolicy,
    PendingAction,
    TypeSpecificSettings,
)
from northflank_async.records.backup import Backup, BackupConfig, BackupDestination, BackupSource, LastRestore
from northflank_async.records.cluster import Cluster
from northflank_async.records.converter import structure, structure_all, unstructure
from northflank_async.records.enums import (
    AddonStatus,
    CompressionType,
    DestinationType,
    IpPolicyAction,
    JobType,
    LifecycleStatus,
    RegistryProvider,
    RunStatus,
    ServiceType,
    SourceType,
)
from northflank_async.records.pagination import Pagination
from northflank_async.records.project import (
    CustomRegistry,
    Project,
    ProjectAddon,
    ProjectDeployment,
    ProjectJob,
    ProjectService,
    RegistryConfiguration,
)
from northflank_async.records.restore import Restore

__all__ = [
    "Addon",
    "AddonConfig",
    "AddonDeployment",
    "AddonNetworking",
    "AddonSpec",
    "AddonStatus",
    "Backup",
    "BackupConfig",
    "BackupDestination",
    "BackupSource",
    "Cluster",
    "CompressionType",
    "CustomRegistry",
    "DestinationType",
    "IpPolicy",
    "IpPolicyAction",
    "JobType",
    "LastRestore",
    "LifecycleStatus",
    "Pagination",
    "PendingAction",
    "Project",
    "ProjectAddon",
    "ProjectDeployment",
    "ProjectJob",
    "ProjectService",
    "RegistryConfiguration",
    "RegistryProvider",
    "Restore",
    "RunStatus",
    "ServiceType",
    "SourceType",
    "TypeSpecificSettings",
    "structure",
    "structure_all",
    "unstructure",
]
