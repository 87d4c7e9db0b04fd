"""The asyncio client for Northflank's addon backups and restores.

async with Northflank() as nf:
    async for backup in nf.project("default-project").addon("example-addon").backups():
        print(backup.id, backup.status)
"""

import logging

from northflank_async import records
from northflank_async.client import Account, Northflank
from northflank_async.errors import (
    ApiError,
    AuthenticationError,
    BadRequest,
    ConfigurationError,
    Conflict,
    DeadlineExceeded,
    DecodeError,
    InvalidEvent,
    MassDeletion,
    NorthflankError,
    NotFound,
    PaginationError,
    PermissionDenied,
    RateLimited,
    RunFailed,
    ServerError,
    TransportError,
    UnknownName,
)
from northflank_async.http.budget import Clock
from northflank_async.http.rate_limit import RateLimit
from northflank_async.http.response import Response
from northflank_async.paging import Page, Paginator
from northflank_async.records import *  # noqa: F403
from northflank_async.resources import (
    AccountResource,
    AddonResource,
    BackupResource,
    DestinationResource,
    LogFilters,
    ProjectResource,
    VolumeBackupResource,
    VolumeResource,
)
from northflank_async.version import __version__

__all__ = [
    "Account",
    "AccountResource",
    "AddonResource",
    "ApiError",
    "AuthenticationError",
    "BackupResource",
    "BadRequest",
    "Clock",
    "ConfigurationError",
    "Conflict",
    "DeadlineExceeded",
    "DecodeError",
    "DestinationResource",
    "InvalidEvent",
    "LogFilters",
    "MassDeletion",
    "Northflank",
    "NorthflankError",
    "NotFound",
    "Page",
    "PaginationError",
    "Paginator",
    "PermissionDenied",
    "ProjectResource",
    "RateLimit",
    "RateLimited",
    "Response",
    "RunFailed",
    "ServerError",
    "TransportError",
    "UnknownName",
    "VolumeBackupResource",
    "VolumeResource",
    "__version__",
]
__all__ += records.__all__

# Log lines appear only where a program sets up logging.
logging.getLogger(__name__).addHandler(logging.NullHandler())
