"""Where a mirror's copies are: the path of a folder, or the URL of a bucket."""

from pathlib import Path
from urllib.parse import urlsplit

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.extras import require_extra
from northflank_async.mirror.destination import Destination
from northflank_async.mirror.folder import Folder

SCHEMES = ("s3", "gs", "az")


def parse_destination(target: str) -> Destination:
    """Find the folder or bucket of a mirror: a path, or `s3://`, `gs://` or `az://` with a bucket and a prefix.

    Raises:
        ConfigurationError: it is neither, or a package it needs is not installed.
    """
    if "://" not in target:
        if not target:
            raise ConfigurationError("the destination is empty")
        return Folder(Path(target))
    try:
        url = urlsplit(target)
        is_plain = not (url.username or url.password or url.query or url.fragment or url.port)
    except ValueError:
        raise ConfigurationError("the destination is not a URL such as s3://bucket/prefix") from None
    if url.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ConfigurationError(f"the destination must be a folder, or start with {known}, not {url.scheme}://")
    if not url.hostname or not is_plain:
        raise ConfigurationError(
            f"the destination must be like {url.scheme}://bucket/prefix: credentials come from the environment"
        )
    with require_extra():
        from northflank_async.mirror.object_store import Bucket
    return Bucket(target.rstrip("/"))
