"""The whole way from the API into a database or a file, beside a scan of the same inventory, which keeps nothing."""

from benchmarks.answers import PER_PAGE
from benchmarks.process import Measure, python, server
from benchmarks.rows import Row, Sample, rounds, row
from benchmarks.settings import Settings

GROUP = "inventory"
ROUNDS = 5
PROJECTS, ADDONS, PAGES = 10, 10, 3

SCAN = "scan"
CONTESTANTS = {
    SCAN: "scan",
    "sync into SQLite (.db)": ".db",
    "export to .jsonl": ".jsonl",
    "export to .csv": ".csv",
    "export to .parquet": ".parquet",
}


def measure(settings: Settings) -> list[Row]:
    projects, addons = (1, 2) if settings.quick else (PROJECTS, ADDONS)
    records = projects * addons * PAGES * PER_PAGE
    with server(projects=projects, addons=addons, backups=PAGES * PER_PAGE, latency=0) as running:
        contestants = {
            name: python("inventory", contestant, running.url, settings.concurrency, "warm", records=records)
            for name, contestant in CONTESTANTS.items()
        }
        samples = rounds(GROUP, contestants, settings.rounds_or(ROUNDS), _sample)
    return [row(GROUP, name, "records/s", samples, (SCAN,)) for name in contestants]


def _sample(measure: Measure) -> Sample:
    return Sample(measure.speed, {"ms CPU/page": measure.processor_a_page})
