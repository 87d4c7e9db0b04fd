"""What can be done at each URL: a tree that mirrors the URL tree."""

from northflank_async.resources.account import AccountResource
from northflank_async.resources.addon import AddonResource
from northflank_async.resources.backup import BackupResource
from northflank_async.resources.destination import DestinationResource
from northflank_async.resources.project import ProjectResource
from northflank_async.resources.volume import VolumeBackupResource, VolumeResource

__all__ = [
    "AccountResource",
    "AddonResource",
    "BackupResource",
    "DestinationResource",
    "ProjectResource",
    "VolumeBackupResource",
    "VolumeResource",
]
