"""The documented values of enumerated fields and arguments.

In records, the enums are open: a value that is not listed here stays plain text, so the fields are typed
`RunStatus | str` and so on. The members are strings, so either compares with `==` to the API's value.

Arguments are closed: they accept the listed values only, as text or as members (`BackupTypeName | BackupType`).
"""

from enum import StrEnum
from typing import Literal, TypeAlias


class RunStatus(StrEnum):
    """The status of a backup or a restore."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    ABORTING = "aborting"
    ABORTED = "aborted"
    FAILED = "failed"
    NOT_SUPPORTED = "not-supported"


class SourceType(StrEnum):
    """The source of a backup."""

    FILE_UPLOAD = "fileUpload"
    LIVE_INSTANCE = "liveInstance"
    SNAPSHOT = "snapshot"
    EXTERNAL_DUMP = "externalDump"
    SAME_ADDON = "sameAddon"
    GLOBAL = "global"


class SourceBackupType(StrEnum):
    """The kind of backup that a new addon is a copy of."""

    SNAPSHOT = "snapshot"
    GLOBAL = "global"


class BackupType(StrEnum):
    """The method of a backup: a native dump of the database, or a snapshot of the disk."""

    DUMP = "dump"
    SNAPSHOT = "snapshot"


BackupTypeName: TypeAlias = Literal["dump", "snapshot"]


class CompressionType(StrEnum):
    """The compression of a dump."""

    GZ = "gz"
    ZSTD = "zstd"


CompressionTypeName: TypeAlias = Literal["gz", "zstd"]


class DestinationType(StrEnum):
    """The type of an additional destination."""

    CUSTOM = "custom"


class StorageType(StrEnum):
    """The storage protocol of a backup destination."""

    S3 = "s3"


class DestinationUsage(StrEnum):
    """What a backup destination is for: global backups of addons, or snapshots of containers."""

    GLOBAL_BACKUPS = "globalBackups"
    CONTAINER_SNAPSHOTS = "containerSnapshots"


DestinationUsageName: TypeAlias = Literal["globalBackups", "containerSnapshots"]


class AuthMode(StrEnum):
    """How Northflank authenticates to a bucket: with access keys, or as a workload identity."""

    STATIC_CREDENTIALS = "staticCreds"
    WORKLOAD_IDENTITY = "workloadIdentity"


class ScheduleInterval(StrEnum):
    """The interval of a backup schedule."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


ScheduleIntervalName: TypeAlias = Literal["hourly", "daily", "weekly"]


class AccessMode(StrEnum):
    """The access mode of a volume: one writer or many."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_MANY = "ReadWriteMany"


class AttachedType(StrEnum):
    """The type of an object that a volume is attached to."""

    SERVICE = "service"
    JOB = "job"


class AddonStatus(StrEnum):
    """The status of an addon."""

    PRE_DEPLOYMENT = "preDeployment"
    TRIGGER_ALLOCATION = "triggerAllocation"
    ALLOCATING = "allocating"
    POST_DEPLOYMENT = "postDeployment"
    RUNNING = "running"
    PAUSED = "paused"
    SCALING = "scaling"
    UPGRADING = "upgrading"
    RESETTING = "resetting"
    BACKUP = "backup"
    RESTORE = "restore"
    FAILED = "failed"
    ERROR = "error"
    ERROR_ALLOCATING = "errorAllocating"
    DELETING = "deleting"
    DELETED = "deleted"


class LifecycleStatus(StrEnum):
    """The maintenance status of an addon's version."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    DISCONTINUED = "discontinued"


class AddonTypeScope(StrEnum):
    """Whether an addon of a type belongs to a project or to a cluster."""

    PROJECT = "project"
    CLUSTER = "cluster"


class ProjectLifecycleStatus(StrEnum):
    """The status of a project."""

    PENDING_INITIALIZATION = "pending_initialization"
    INITIALIZING = "initializing"
    CREATING = "creating"
    CREATED = "created"
    CREATION_FAILED = "creation_failed"
    UPGRADING = "upgrading"
    UPGRADE_FAILED = "upgrade_failed"
    MIGRATION_PENDING = "migration_pending"
    MIGRATING = "migrating"
    MIGRATION_FAILED = "migration_failed"
    TEARING_DOWN = "tearing_down"
    TEARDOWN_FAILED = "teardown_failed"
    DELETING = "deleting"
    DELETION_FAILED = "deletion_failed"
    DELETED = "deleted"
    CLUSTER_DELETED = "cluster_deleted"


class IpPolicyAction(StrEnum):
    """The action of an IP policy."""

    DENY = "DENY"
    ALLOW = "ALLOW"


class ServiceType(StrEnum):
    """The type of a service."""

    COMBINED = "combined"
    BUILD = "build"
    DEPLOYMENT = "deployment"


class JobType(StrEnum):
    """The type of a job."""

    MANUAL = "manual"
    CRON = "cron"


class RegistryProvider(StrEnum):
    """The provider of a container registry."""

    ACR = "acr"
    ECR = "ecr"
    GAR = "gar"
    DOCKERHUB = "dockerhub"
    DHI = "dhi"
    GITHUB = "github"
    GITLAB = "gitlab"
    CUSTOM = "custom"
    LEGACY = "legacy"


class EntityType(StrEnum):
    """The kind of an account."""

    TEAM = "team"
    ORG = "org"


class TokenKind(StrEnum):
    """How a token was issued."""

    API = "api"
    SESSION = "session"
    WORKLOAD = "workload"


class TokenScope(StrEnum):
    """Whether a token sees its workload's project only, or whatever its role allows."""

    OWN_PROJECT = "own-project"
    ROLE = "role"


class RestrictionMode(StrEnum):
    """Whether a token is restricted to projects, or excluded from them."""

    IN = "in"
    NOT_IN = "notIn"


class WorkloadType(StrEnum):
    """The kind of a workload."""

    HARNESS = "harness"
    SERVICE = "service"
    JOB = "job"
