"""The command line at a terminal."""

import asyncio
import os
import pty
import subprocess
from typing import NamedTuple

from northflank_async.simulator import Simulator
from tests.support.command import COMMAND, reaching


class Shown(NamedTuple):
    """What came of a command at a terminal: its exit code, and all that was shown."""

    code: int
    text: str


async def run_at_terminal(sim: Simulator, *arguments: str, typed: str = "", **environment: str) -> Shown:
    """Run the command with all of its streams at a terminal, on which something is typed beforehand."""
    return await asyncio.to_thread(_run, sim, arguments, typed, environment)


def _run(sim: Simulator, arguments: tuple[str, ...], typed: str, environment: dict[str, str]) -> Shown:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        env={**os.environ, **reaching(sim), "TERM": "xterm", "COLUMNS": "120", **environment},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, typed.encode())
    text = read_all(ours)
    return Shown(process.wait(), text)


def read_all(terminal: int) -> str:
    """Read until the other end is closed."""
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # what Linux answers when the other end is closed
            chunk = b""
        if not chunk:
            os.close(terminal)
            return shown.decode()
        shown += chunk
