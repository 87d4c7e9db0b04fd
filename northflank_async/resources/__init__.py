"""The operations at each URL, in a tree that mirrors the URLs.

Arguments are checked before a request is sent: an invalid one raises `ConfigurationError`, which is a `ValueError` too.
"""

from northflank_async.resources.account import AccountResource
from northflank_async.resources.addon import AddonResource
from northflank_async.resources.backup import BackupResource
from northflank_async.resources.destination import DestinationResource
from northflank_async.resources.logs import LogFilters
from northflank_async.resources.project import ProjectResource
from northflank_async.resources.volume import VolumeBackupResource, VolumeResource

__all__ = [
    "AccountResource",
    "AddonResource",
    "BackupResource",
    "DestinationResource",
    "LogFilters",
    "ProjectResource",
    "VolumeBackupResource",
    "VolumeResource",
]
