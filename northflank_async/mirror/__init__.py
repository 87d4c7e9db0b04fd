"""Copies of dumps outside the platform, with a manifest, in a folder or in a bucket."""

from northflank_async.mirror.manifest import Copy
from northflank_async.mirror.mirroring import (
    Dump,
    MirrorOutcome,
    MirrorProgress,
    OnMirrorStart,
    Snapshots,
    mirror,
)
from northflank_async.mirror.verification import OnVerified, Verification, verify

__all__ = [
    "Copy",
    "Dump",
    "MirrorOutcome",
    "MirrorProgress",
    "OnMirrorStart",
    "OnVerified",
    "Snapshots",
    "Verification",
    "mirror",
    "verify",
]
