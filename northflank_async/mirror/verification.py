"""Whether a mirror still is what its manifest says."""

import asyncio
import os
from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

from northflank_async.errors import DecodeError
from northflank_async.mirror.address import parse_destination
from northflank_async.mirror.manifest import Copy
from northflank_async.mirror.mirroring import Manifest
from northflank_async.validation import check_integer, plain_callback

OnVerified: TypeAlias = Callable[[int, int], None]
"""Called after each copy, with the bytes that were hashed and those of all copies."""


@frozen(kw_only=True)
class Verification:
    """How a mirror differs from its manifest.

    Args:
        intact: the copies whose files have the size and the hash of the manifest.
        missing: the copies whose files do not exist.
        changed: the copies whose files have another size or hash.
        damaged: entries of the manifest that cannot be read.
        extra: files that the manifest does not have, such as unfinished downloads.
    """

    intact: list[Copy]
    missing: list[Copy]
    changed: list[Copy]
    damaged: list[DecodeError]
    extra: list[str]

    @property
    def is_intact(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.changed or self.damaged or self.extra)


async def verify(
    destination: str | os.PathLike[str], *, concurrency: int = 2, on_verified: OnVerified | None = None
) -> Verification:
    """Hash all files of a mirror, and compare them with its manifest. Sends no request to the API, and writes nothing.

    Args:
        destination: a folder, or `s3://`, `gs://` or `az://` with a bucket and a prefix.
        concurrency: files at a time, 1 to 100.
        on_verified: called after each copy.

    Raises:
        ConfigurationError: an argument is invalid, or a package it needs is not installed.
        OSError: the destination cannot be read.
    """
    check_integer("concurrency", concurrency, 1, 100)
    on_verified = None if on_verified is None else plain_callback("on_verified", on_verified)
    store, manifest = parse_destination(os.fspath(destination)), Manifest()
    await manifest.read(store)
    copies = sorted(manifest.copies.values(), key=lambda copy: copy.path)
    total, done = sum(copy.size for copy in copies), 0
    left = iter(copies)
    states: dict[str, list[Copy]] = {"intact": [], "missing": [], "changed": []}

    async def judge(copy: Copy) -> str:
        if manifest.files.get(copy.path, copy.size) != copy.size:
            return "changed"
        try:
            return "intact" if await store.digest(copy.path) == (copy.size, copy.sha256) else "changed"
        except FileNotFoundError:
            return "missing"

    async def work() -> None:
        nonlocal done
        for copy in left:
            states[await judge(copy)].append(copy)
            done += copy.size
            if on_verified:
                on_verified(done, total)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(concurrency):
                tasks.create_task(work())
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    known = {copy.path for copy in copies} | set(manifest.entries.values())
    known |= {error.place for error in manifest.damaged}
    return Verification(
        **{name: sorted(found, key=lambda copy: copy.path) for name, found in states.items()},
        damaged=manifest.damaged,
        extra=[path for path in sorted(manifest.files) if path not in known],
    )
