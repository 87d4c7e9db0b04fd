"""Start-up: the time of a whole process that imports a package or prints the command's help."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.results import Row, Sample, interleave, make_row
from benchmarks.settings import Settings

GROUP = "startup"
ROUNDS = 15

AIOHTTP = "import aiohttp"
COMMANDS: dict[str, Sequence[str]] = {
    "bare Python": [sys.executable, "-c", "pass"],
    AIOHTTP: [sys.executable, "-c", "import aiohttp"],
    "import northflank_async": [sys.executable, "-c", "import northflank_async"],
    "northflank-async --help": [str(Path(sys.executable).with_name("northflank-async")), "--help"],
}


def run(settings: Settings) -> list[Row]:
    runs = {name: _timed(command) for name, command in COMMANDS.items()}
    for warm_up in runs.values():
        warm_up()  # compiles the modules
    samples = interleave(GROUP, runs, settings.rounds_or(ROUNDS))
    return [make_row(GROUP, name, "ms", samples, (AIOHTTP,)) for name in COMMANDS]


def _timed(command: Sequence[str]) -> Callable[[], Sample]:
    # Installed packages are compiled; without this variable, the first run compiles this one, too.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def timed() -> Sample:
        started = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
        return Sample((time.perf_counter() - started) * 1000)

    return timed
