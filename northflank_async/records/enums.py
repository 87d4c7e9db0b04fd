"""The documented values of enumerated fields.

The enums are open: a value that is not listed here is kept as plain text, which is why the records' fields are typed
`RunStatus | str` and so on. The members are strings themselves, so both compare with `==` to the API's own words.
"""

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a backup or a restore stands."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    ABORTING = "aborting"
    ABORTED = "aborted"
    FAILED = "failed"
    NOT_SUPPORTED = "not-supported"


class SourceType(StrEnum):
    """What a backup was made from."""

    FILE_UPLOAD = "fileUpload"
    LIVE_INSTANCE = "liveInstance"
    SNAPSHOT = "snapshot"
    EXTERNAL_DUMP = "externalDump"
    SAME_ADDON = "sameAddon"
    GLOBAL = "global"


class BackupType(StrEnum):
    """How a backup is made: as a native dump, or as a snapshot of the disk."""

    DUMP = "dump"
    SNAPSHOT = "snapshot"


class CompressionType(StrEnum):
    """How a dump is compressed."""

    GZ = "gz"
    ZSTD = "zstd"


class DestinationType(StrEnum):
    """The kind of a backup destination."""

    CUSTOM = "custom"


class StorageType(StrEnum):
    """What a backup destination speaks."""

    S3 = "s3"


class ScheduleInterval(StrEnum):
    """How often a backup schedule comes round."""

    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


class AccessMode(StrEnum):
    """Whether one or many may write to a volume."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_MANY = "ReadWriteMany"


class AttachedType(StrEnum):
    """What a volume is attached to."""

    SERVICE = "service"
    JOB = "job"


class AddonStatus(StrEnum):
    """Where an addon stands."""

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
    """Whether an addon's version is still maintained."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    DISCONTINUED = "discontinued"


class IpPolicyAction(StrEnum):
    """What an IP policy does with an address."""

    DENY = "DENY"
    ALLOW = "ALLOW"


class ServiceType(StrEnum):
    """The kind of a service."""

    COMBINED = "combined"
    BUILD = "build"
    DEPLOYMENT = "deployment"


class JobType(StrEnum):
    """The kind of a job."""

    MANUAL = "manual"
    CRON = "cron"


class RegistryProvider(StrEnum):
    """Who runs a container registry."""

    ACR = "acr"
    ECR = "ecr"
    GAR = "gar"
    DOCKERHUB = "dockerhub"
    DHI = "dhi"
    GITHUB = "github"
    GITLAB = "gitlab"
    CUSTOM = "custom"
    LEGACY = "legacy"
