"""The command line at a terminal."""

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.support.command import COMMAND


class Shown(NamedTuple):
    """A command's exit code, and everything the terminal showed."""

    code: int
    text: str


def run_at_terminal(*arguments: object, typed: str = "", **environment: str) -> Shown:
    """Run the command with all of its streams at a terminal; `typed` is in its input before it starts."""
    with terminal() as (ours, theirs):
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120", **environment},
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        os.write(ours, typed.encode())
        text = read_all(ours)
    return Shown(process.wait(), text)


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Open a terminal: the test's end, and the command's end, which the test closes."""
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def read_all(terminal: int) -> str:
    """Read until the other end is closed."""
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # what Linux raises when the other end is closed
            chunk = b""
        if not chunk:
            return shown.decode()
        shown += chunk
