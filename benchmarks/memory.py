"""Peak memory, including Python and all packages, with a small and a large inventory.

Each project has 50 addons, with 100 backups on average: 0, 150, 50, 200 and 100 in turn. The run fails unless the
server counts the minimum number of requests: one for every 100 projects, every 100 addons of a project and every 100
backups of an addon, one for an empty listing, and one for the account of an inventory.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from benchmarks.inventory import CONTESTANTS
from benchmarks.process import Server, python_contestant, run_server
from benchmarks.results import DIFFERENCE, Row, Sample, interleave, make_row
from benchmarks.settings import Settings

GROUP = "memory"
ROUNDS = 3
SMALL = 10_000
ADDONS = 50
BACKUPS = (0, 150, 50, 200, 100)
BACKUPS_PER_PROJECT = ADDONS * sum(BACKUPS) // len(BACKUPS)
"""Every inventory consists of whole projects."""


def run(settings: Settings) -> list[Row]:
    sizes = (BACKUPS_PER_PROJECT, 2 * BACKUPS_PER_PROJECT) if settings.quick else (SMALL, settings.large_inventory)
    contestants = dict(list(CONTESTANTS.items())[:2]) if settings.quick else CONTESTANTS
    with _server(sizes[0]) as small, _server(sizes[1]) as large:
        runs = {
            f"{name}, {label}": _contestant(server, contestant, size, settings.concurrency)
            for name, contestant in contestants.items()
            for label, server, size in (("small", small, sizes[0]), ("large", large, sizes[1]))
        }
        samples = interleave(GROUP, runs, settings.rounds_or(ROUNDS))
    return [
        make_row(GROUP, f"{name}, {label}", "MB", samples, compare_to, kind=DIFFERENCE)
        for name in contestants
        for label, compare_to in (("small", ()), ("large", (f"{name}, small",)))
    ]


def _server(size: int) -> AbstractContextManager[Server]:
    return run_server(
        projects=size // BACKUPS_PER_PROJECT, addons=ADDONS, backups=",".join(map(str, BACKUPS)), latency=0
    )


def _contestant(server: Server, name: str, size: int, concurrency: int) -> Callable[[], Sample]:
    cold = python_contestant("inventory", name, server.url, concurrency, "cold", records=size)

    def run_once() -> Sample:
        before, minimum = server.requests()
        minimum += name.startswith(".")
        measurement = cold.run()
        requests = server.requests()[0] - before
        if requests != minimum:
            raise SystemExit(f"{name}: {requests} requests instead of {minimum}")
        return Sample(measurement.peak_bytes / 2**20, {"backups": size, "requests": requests, "s": measurement.seconds})

    return run_once
