"""Where the files of a mirror are. Ids come from the API: none can lead outside of the mirror, or to another's file."""

import hashlib
import re
from datetime import UTC, datetime

from northflank_async.records import CompressionType

MANIFEST = "manifest"
"""The folder of the manifest's entries."""
ENTRY = ".json"
PENDING = ".pending"
"""The ending of an entry that is written before its dump appears, and becomes the manifest's after that."""

_PLAIN = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_MOST = 100
"""Characters of a segment; the longest name of a file has two, and stays below the 255 bytes of file systems."""
_RESERVED = re.compile(rf"{MANIFEST}|con|prn|aux|nul|(?:com|lpt)[0-9]|(?:con|prn|aux|nul|com[0-9]|lpt[0-9])\..*")
"""The manifest's own folder, and what Windows takes for a device."""
_PATH = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]*/)+[A-Za-z0-9][A-Za-z0-9._-]*")
_SUFFIXES: dict[str, str] = {CompressionType.GZ: ".gz", CompressionType.ZSTD: ".zst"}


def segment(text: str) -> str:
    """Turn an id into one segment of a path.

    An id of lowercase letters, digits, and single dots or hyphens between them stays as it is. Any other one, which a
    file system might refuse, or not tell apart from another one, gets a hash, before which there is an underscore.
    """
    if len(text) <= _MOST and _PLAIN.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    readable = re.sub("[^a-z0-9]+", "-", text[:_MOST].lower()).strip("-")[:40]
    return f"{readable or 'id'}_{_hash(text)}"


def addon_path(account_id: str | None, team_id: str | None, project_id: str, addon_id: str) -> str:
    """The folder of an addon: `account/team/project/addon`; parts that are `None` are left out."""
    return "/".join(segment(part) for part in (account_id, team_id, project_id, addon_id) if part is not None)


def dump_name(created_at: datetime, backup_id: str, compression: str | None) -> str:
    """The name of a dump's file, which sorts by its creation: `20261101T093000.000Z_nightly.gz`."""
    time = created_at.astimezone(UTC)
    stamp = f"{time.year:04}{time:%m%dT%H%M%S}.{time.microsecond // 1000:03}Z"
    return f"{stamp}_{segment(backup_id)}{_SUFFIXES.get(compression or '', '.dump')}"


def distinct(path: str, identity: object) -> str:
    """Another path, for a file whose path is taken by another one."""
    folder, _, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    return f"{folder}/{stem}_{_hash(repr(identity))}{dot}{suffix}"


def is_safe(path: str) -> bool:
    """Whether a path that a manifest has is one below the mirror, and not of the manifest itself."""
    return bool(_PATH.fullmatch(path)) and not path.startswith(f"{MANIFEST}/")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
