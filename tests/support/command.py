"""The command line, as a user runs it: in a process of its own."""

import asyncio
import os
import subprocess
import sys
from typing import Any

from northflank_async.simulator import Simulator

COMMAND = [sys.executable, "-W", "error", "-m", "northflank_async.cli"]


async def start(*arguments: object, **environment: str) -> asyncio.subprocess.Process:
    """Start the command, with its outputs to be read."""
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *map(str, arguments),
        env={**os.environ, "HOME": os.devnull, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def run(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """Run the command; its exit code, standard output and standard error."""
    process = await start(*arguments, **environment)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def reaching(sim: Simulator, token: str | None = None) -> dict[str, Any]:
    """The environment of a command that is to reach the simulator."""
    return {"NORTHFLANK_API_TOKEN": token or sim.token, "NORTHFLANK_API_BASE_URL": sim.url}
