import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Open a text file that appears under its name when the block ends, and not at all if it fails.

    Raises:
        OSError: it cannot be written there; before the block, as far as that can be known.
    """
    target = Path(os.path.realpath(path))  # a link keeps pointing where it points
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a directory", str(path))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path))
    part = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}.part")
    # Half a surrogate pair, which JSON can hold and UTF-8 cannot, comes out as JSON's own \uXXXX.
    file = part.open("x", encoding="utf-8", errors="backslashreplace", newline="\n")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
