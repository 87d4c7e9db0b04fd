"""Compressed files: gzip and Zstandard around another format."""

import gzip
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO, cast

from northflank_async.inventory.formats import Batches, Write, WriteOptions

Open = Callable[[BinaryIO], AbstractContextManager[BinaryIO]]

_GZIP_LEVEL = 6
"""The default of the gzip command: level 9 takes twice the time for one percent."""


def open_gzip(file: BinaryIO) -> AbstractContextManager[BinaryIO]:
    """Open a stream that is compressed into `file`. Neither name nor time is stored: equal content is equal bytes."""
    return cast(
        AbstractContextManager[BinaryIO],
        gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=file, mtime=0),
    )


def load_zstd() -> Open:
    """Return what `open_gzip` is for gzip, with a checksum, as the zstd command writes it.

    Raises:
        ModuleNotFoundError: Python is older than 3.14, and its backport is not installed.
    """
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        import backports.zstd as zstd
    options: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}
    return lambda file: cast(AbstractContextManager[BinaryIO], zstd.ZstdFile(file, "wb", options=options))


def compressed(write: Write, compression: str) -> Write:
    """Return a function that writes the same content, compressed with `gz` or `zst`."""
    open_stream = open_gzip if compression == "gz" else load_zstd()

    async def write_compressed(file: BinaryIO, batches: Batches, options: WriteOptions) -> int:
        with open_stream(file) as stream:
            stream.write(b"")  # otherwise, zstd would leave a file without content empty, which is not valid
            return await write(stream, batches, options)

    return write_compressed
