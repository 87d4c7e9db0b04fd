"""Subprocesses: the server and the contestants."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from benchmarks.responses import PER_PAGE

ROOT = Path(__file__).parent.parent
# Some clients would use a proxy that others ignore.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


@frozen
class Measurement:
    """One run of one contestant: wall-clock time, CPU time and peak memory."""

    records: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int

    @property
    def records_per_second(self) -> float:
        return self.records / self.seconds

    @property
    def cpu_ms_per_page(self) -> float:
        return self.cpu_seconds / self.records * PER_PAGE * 1000


@frozen
class Contestant:
    """A program that prints a `Measurement`, or the reason why it cannot run (`missing`)."""

    command: Sequence[str] = ()
    records: int = 0
    """The number of records that it must read."""
    missing: str | None = None

    def run(self) -> Measurement:
        """Run the program once."""
        done = subprocess.run(self.command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(self.command[1:])} failed with exit code {done.returncode}")
        measurement = Measurement(**json.loads(done.stdout))
        if measurement.records != self.records:
            raise SystemExit(f"{' '.join(self.command[1:])}: {measurement.records} records instead of {self.records}")
        return measurement


def python_contestant(module: str, *arguments: object, records: int) -> Contestant:
    """Return the contestant in a module of `contestants`."""
    command = [sys.executable, "-m", f"benchmarks.contestants.{module}", *map(str, arguments)]
    return Contestant(command, records)


@frozen
class Server:
    """A running `benchmarks.server`."""

    url: str

    def requests(self) -> tuple[int, int]:
        """Return the number of requests answered so far, and the minimum that reads everything."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/requests") as response:
            counted = json.load(response)
        return counted["sent"], counted["minimum"]


@contextmanager
def run_server(module: str = "server", **options: object) -> Iterator[Server]:
    """Run a server of `benchmarks` with these options for the duration of the block."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *(f"--{name}={value}" for name, value in options.items())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit("the server did not start")
            yield Server(url)
        finally:
            process.terminate()
