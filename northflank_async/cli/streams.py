"""Standard streams as a command needs them: open, and able to write every text."""

import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO


def prepare_streams() -> None:
    """Replace closed streams, and make those that are open accept every character.

    Whatever happens to standard error, a command runs: its messages are lost then, its result is not. Standard output
    stays `None` if it is closed; see `check_stdout`.
    """
    for descriptor in range(3):  # else a database could be opened as one, and receive messages
        with contextlib.suppress(OSError):
            os.close(os.dup(descriptor))
            continue
        os.open(os.devnull, os.O_RDONLY if descriptor == 0 else os.O_WRONLY)  # the lowest that is free: this one
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name, or a text that the encoding does not have
    sys.stderr = _open_stderr(sys.stderr)


def check_stdout() -> None:
    """Check that there is a standard output, for a command whose result goes there.

    Raises:
        OSError: it is closed.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "it is closed")


def at_terminal(stream: TextIO | None) -> bool:
    """Whether somebody can see the stream, or type there. A closed one is `None`."""
    return stream is not None and not stream.closed and stream.isatty()


def can_show(stream: TextIO | None, text: str) -> bool:
    """Whether the stream's encoding has every character of a text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _open_stderr(stderr: TextIO | None) -> TextIO:
    encoding = "utf-8" if stderr is None else stderr.encoding
    return io.TextIOWrapper(
        io.BufferedWriter(_Unfailing(2, "wb", closefd=False)),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=True,
    )


class _Unfailing(io.FileIO):
    """A file that loses what cannot be written: its disk is full, or its reader has gone."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)
