"""A scan of many addons with many requests in flight, at several latencies.

The theoretical minimum is one latency for the projects, one for their addons, and one for each batch of pages that can
be in flight together. TLS and a real network are not measured.
"""

from benchmarks.process import Measurement, python_contestant, run_server
from benchmarks.responses import PER_PAGE
from benchmarks.results import Row, Sample, make_row, run_rounds
from benchmarks.settings import Settings

GROUP = "scanning"
ROUNDS = 5
PROJECTS, ADDONS, PAGES = 10, 20, 3


def run(settings: Settings) -> list[Row]:
    latencies = (0, 50) if settings.quick else settings.latencies
    return [row for latency in latencies for row in _run_at(latency, settings)]


def _run_at(latency: int, settings: Settings) -> list[Row]:
    projects, addons = (1, 2) if settings.quick else (PROJECTS, ADDONS)
    pages = projects * addons * PAGES
    rounds = settings.rounds_or(ROUNDS)
    ours, bare, minimum = (
        f"{name}, {latency} ms" for name in ("this client", "bare aiohttp + orjson", "theoretical minimum")
    )
    with run_server(projects=projects, addons=addons, backups=PAGES * PER_PAGE, latency=latency / 1000) as server:
        contestants = {
            name: python_contestant(
                "inventory", contestant, server.url, settings.concurrency, "warm", records=pages * PER_PAGE
            )
            for name, contestant in {ours: "scan", bare: "bare"}.items()
        }
        samples = run_rounds(GROUP, contestants, rounds, _sample)
    if latency:
        batches = max(PAGES, -(-pages // settings.concurrency))
        samples[minimum] = [Sample(latency / 1000 * (2 + batches))] * rounds
    compare_to = {ours: (minimum, bare), bare: (minimum,), minimum: ()}
    return [make_row(GROUP, name, "s", samples, compare_to[name]) for name in samples]


def _sample(measurement: Measurement) -> Sample:
    return Sample(measurement.seconds, {"ms CPU/page": measurement.cpu_ms_per_page})
