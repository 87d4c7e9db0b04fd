"""Many accounts in one process: at once, and one after the other.

The accounts are tenants of one simulator in another process, each with its own token, rate limit and inventory. A run
fails unless each account takes the least possible requests: one for the account, one for its projects, one for the
addons of each project, and one for the backups of each addon.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.process import ENVIRONMENT, ROOT, Measurement, python_contestant
from benchmarks.results import Row, Sample, make_row, run_rounds
from benchmarks.settings import Settings

GROUP = "accounts"
ROUNDS = 3
ACCOUNTS = 200
PROJECTS, ADDONS, BACKUPS = 2, 5, 20
REQUESTS = 1 + 1 + PROJECTS + PROJECTS * ADDONS
LATENCY = 0.02


def run(settings: Settings) -> list[Row]:
    number = 5 if settings.quick else ACCOUNTS
    at_once, in_turn, scan = f"sync {number} accounts at once", "one after the other", f"scan {number} accounts at once"
    one = "sync 1 account"
    compare_to = {one: (), at_once: (in_turn, one), in_turn: (one,), scan: (at_once,)}
    numbers = {one: 1, at_once: number, in_turn: number, scan: number}

    def sample(measurement: Measurement) -> Sample:
        requests = measurement.records // (PROJECTS * ADDONS * BACKUPS) * REQUESTS
        details = {"requests": requests, "MB": measurement.peak_bytes / 2**20}
        return Sample(measurement.seconds, {**details, "ms CPU/request": measurement.cpu_seconds / requests * 1000})

    with simulating(number, LATENCY, PROJECTS, ADDONS, BACKUPS) as file:
        contestants = {
            name: python_contestant(
                *("accounts", kind, file, numbers[name], settings.concurrency, REQUESTS),
                records=numbers[name] * PROJECTS * ADDONS * BACKUPS,
            )
            for name, kind in {one: "sync", at_once: "sync", in_turn: "turns", scan: "scan"}.items()
        }
        samples = run_rounds(GROUP, contestants, settings.rounds_or(ROUNDS), sample)
    return [make_row(GROUP, name, "s", samples, compare_to[name]) for name in samples]


@contextmanager
def simulating(tenants: int, latency: float, projects: int, addons: int, backups: int) -> Iterator[Path]:
    """Run a simulator of many tenants for the duration of the block, and return its accounts file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "accounts.toml")
        options = {
            "tenants": tenants, "accounts": file, "latency": latency, "rate-limit": 1_000_000,
            "projects": projects, "addons": addons, "backups": backups,
        }  # fmt: skip
        command = [sys.executable, "-m", "northflank_async.cli", "simulate"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                if not process.stdout.readline():
                    raise SystemExit("the simulator did not start")
                yield file
            finally:
                process.terminate()
