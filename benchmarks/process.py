"""Programs in processes of their own: the server, and what is measured."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from benchmarks.answers import PER_PAGE

ROOT = Path(__file__).parent.parent
# No client may take the way through a proxy that another does not look for.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


@frozen
class Measure:
    """One run of one contestant: seconds on the clock, seconds of its processor time, bytes of memory at the peak."""

    records: int
    seconds: float
    processor: float
    peak: int

    @property
    def speed(self) -> float:
        """Records a second."""
        return self.records / self.seconds

    @property
    def processor_a_page(self) -> float:
        """Milliseconds of processor time for one page."""
        return self.processor / self.records * PER_PAGE * 1000


@frozen
class Contestant:
    """A program that reports a `Measure`, or why it cannot take part."""

    command: Sequence[str] = ()
    records: int = 0
    """That it must find."""
    missing: str | None = None

    def measure(self) -> Measure:
        """Run it once."""
        done = subprocess.run(self.command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(self.command[1:])} has failed")
        measure = Measure(**json.loads(done.stdout))
        if measure.records != self.records:
            raise SystemExit(f"{' '.join(self.command[1:])}: {measure.records} records instead of {self.records}")
        return measure


def python(module: str, *arguments: object, records: int) -> Contestant:
    """One of the modules in `contestants`."""
    command = [sys.executable, "-m", f"benchmarks.contestants.{module}", *map(str, arguments)]
    return Contestant(command, records)


@frozen
class Server:
    """A running `benchmarks.server`."""

    url: str

    def requests(self) -> tuple[int, int]:
        """How many it has answered so far, and how many it takes at least to read all there is."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/requests") as response:
            counted = json.load(response)
        return counted["sent"], counted["least"]


@contextmanager
def server(**options: object) -> Iterator[Server]:
    """Run `benchmarks.server` with these options as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.server", *(f"--{name}={value}" for name, value in options.items())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit("the server did not start")
            yield Server(url)
        finally:
            process.terminate()
