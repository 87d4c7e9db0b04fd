"""A scan of many addons with many requests in flight, each answer after some latency.

The least possible is one latency for the projects, one for their addons, and one for each round of as many pages as
there may be in flight. Not measured: TLS, a real network.
"""

from benchmarks.answers import PER_PAGE
from benchmarks.process import Measure, python, server
from benchmarks.rows import Row, Sample, rounds, row
from benchmarks.settings import Settings

GROUP = "scanning"
ROUNDS = 5
PROJECTS, ADDONS, PAGES = 10, 20, 3


def measure(settings: Settings) -> list[Row]:
    latencies = (0, 50) if settings.quick else settings.latencies
    return [found for latency in latencies for found in _at(latency, settings)]


def _at(latency: int, settings: Settings) -> list[Row]:
    projects, addons = (1, 2) if settings.quick else (PROJECTS, ADDONS)
    pages = projects * addons * PAGES
    count = settings.rounds_or(ROUNDS)
    ours, bare, least = (f"{name}, {latency} ms" for name in ("this client", "bare aiohttp + orjson", "least possible"))
    with server(projects=projects, addons=addons, backups=PAGES * PER_PAGE, latency=latency / 1000) as running:
        contestants = {
            name: python("inventory", contestant, running.url, settings.concurrency, "warm", records=pages * PER_PAGE)
            for name, contestant in {ours: "scan", bare: "bare"}.items()
        }
        samples = rounds(GROUP, contestants, count, _sample)
    if latency:
        turns = max(PAGES, -(-pages // settings.concurrency))
        samples[least] = [Sample(latency / 1000 * (2 + turns))] * count
    compared_to = {ours: (least, bare), bare: (least,), least: ()}
    return [row(GROUP, name, "s", samples, compared_to[name]) for name in samples]


def _sample(measure: Measure) -> Sample:
    return Sample(measure.seconds, {"ms CPU/page": measure.processor_a_page})
