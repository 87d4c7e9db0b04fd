"""How long it takes until Python has imported a package, or said what the command can do: whole processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.rows import Row, Sample, interleave, row
from benchmarks.settings import Settings

GROUP = "startup"
ROUNDS = 15

AIOHTTP = "import aiohttp"
COMMANDS: dict[str, Sequence[str]] = {
    "python alone": [sys.executable, "-c", "pass"],
    AIOHTTP: [sys.executable, "-c", "import aiohttp"],
    "import northflank_async": [sys.executable, "-c", "import northflank_async"],
    "northflank-async --help": [str(Path(sys.executable).with_name("northflank-async")), "--help"],
}


def measure(settings: Settings) -> list[Row]:
    runs = {name: _timed(command) for name, command in COMMANDS.items()}
    for run in runs.values():
        run()  # leaves the compiled modules behind
    samples = interleave(GROUP, runs, settings.rounds_or(ROUNDS))
    return [row(GROUP, name, "ms", samples, (AIOHTTP,)) for name in COMMANDS]


def _timed(command: Sequence[str]) -> Callable[[], Sample]:
    # An installed package is compiled: so is this one by its first run, whatever the environment says of that.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run() -> Sample:
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
        return Sample((time.perf_counter() - began) * 1000)

    return run
