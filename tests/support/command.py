"""The command line: in the test's process, or as a user runs it, in a process of its own."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from click.testing import CliRunner, Result

from northflank_async.cli.app import NAME, program
from northflank_async.simulator import Simulator

COMMAND = [sys.executable, "-W", "error", "-m", "northflank_async.cli"]


def invoke(*arguments: object) -> Result:
    """Run the command in this process, with this environment."""
    return CliRunner().invoke(program, [str(argument) for argument in arguments], prog_name=NAME)


def invoke_json(*arguments: object) -> Any:
    """Run the command in this process, check that it succeeds, and parse its output."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def start_process(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def start(*arguments: object, **environment: str) -> asyncio.subprocess.Process:
    """Start the command in a process of its own, for a test with an event loop."""
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *map(str, arguments),
        env={**os.environ, "HOME": os.devnull, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def run(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """Run the command in a process of its own; returns its exit code, standard output and standard error."""
    process = await start(*arguments, **environment)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def reaching(sim: Simulator, token: str | None = None) -> dict[str, str]:
    """The environment of a command that uses the simulator."""
    return {"NORTHFLANK_API_TOKEN": token or sim.token, "NORTHFLANK_API_BASE_URL": sim.url}
