"""Peak memory, Python and all packages included, with 10,000 backups and with more.

Addons have 100 backups on average: 0, 150, 50, 200 and 100 in turn, 50 addons in a project. The requests that the
server has counted must be the least possible, or there is no table: one for each 100 projects, 100 addons of a project
and 100 backups of an addon, and one where there are none.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from benchmarks.inventory import CONTESTANTS
from benchmarks.process import Server, python, server
from benchmarks.rows import DIFFERENCE, Row, Sample, interleave, row
from benchmarks.settings import Settings

GROUP = "memory"
ROUNDS = 3
SMALL = 10_000
ADDONS = 50
BACKUPS = (0, 150, 50, 200, 100)
A_PROJECT = ADDONS * sum(BACKUPS) // len(BACKUPS)
"""Backups of a project, of which the inventories are made."""


def measure(settings: Settings) -> list[Row]:
    sizes = (A_PROJECT, 2 * A_PROJECT) if settings.quick else (SMALL, settings.larger_inventory)
    contestants = dict(list(CONTESTANTS.items())[:2]) if settings.quick else CONTESTANTS
    with _server(sizes[0]) as small, _server(sizes[1]) as large:
        runs = {
            f"{name}, {word}": _run(running, contestant, size, settings.concurrency)
            for name, contestant in contestants.items()
            for word, running, size in (("small", small, sizes[0]), ("large", large, sizes[1]))
        }
        samples = interleave(GROUP, runs, settings.rounds_or(ROUNDS))
    return [
        row(GROUP, f"{name}, {word}", "MB", samples, compared_to, kind=DIFFERENCE)
        for name in contestants
        for word, compared_to in (("small", ()), ("large", (f"{name}, small",)))
    ]


def _server(size: int) -> AbstractContextManager[Server]:
    return server(projects=size // A_PROJECT, addons=ADDONS, backups=",".join(map(str, BACKUPS)), latency=0)


def _run(running: Server, contestant: str, size: int, concurrency: int) -> Callable[[], Sample]:
    cold = python("inventory", contestant, running.url, concurrency, "cold", records=size)

    def run() -> Sample:
        before, least = running.requests()
        measure = cold.measure()
        requests = running.requests()[0] - before
        if requests != least:
            raise SystemExit(f"{contestant}: {requests} requests instead of {least}")
        return Sample(measure.peak / 2**20, {"backups": size, "requests": requests, "s": measure.seconds})

    return run
