"""Sync and export to a database or a file, compared with a scan of the same inventory, which stores nothing."""

from benchmarks.process import Measurement, python_contestant, run_server
from benchmarks.responses import PER_PAGE
from benchmarks.results import Row, Sample, make_row, run_rounds
from benchmarks.settings import Settings

GROUP = "inventory"
ROUNDS = 5
PROJECTS, ADDONS, PAGES = 10, 10, 3

SCAN = "scan"
CONTESTANTS = {
    SCAN: "scan",
    "sync to SQLite (.db)": ".db",
    "export to .jsonl": ".jsonl",
    "export to .csv": ".csv",
    "export to .parquet": ".parquet",
}


def run(settings: Settings) -> list[Row]:
    projects, addons = (1, 2) if settings.quick else (PROJECTS, ADDONS)
    records = projects * addons * PAGES * PER_PAGE
    with run_server(projects=projects, addons=addons, backups=PAGES * PER_PAGE, latency=0) as server:
        contestants = {
            name: python_contestant("inventory", contestant, server.url, settings.concurrency, "warm", records=records)
            for name, contestant in CONTESTANTS.items()
        }
        samples = run_rounds(GROUP, contestants, settings.rounds_or(ROUNDS), _sample)
    return [make_row(GROUP, name, "records/s", samples, (SCAN,)) for name in contestants]


def _sample(measurement: Measurement) -> Sample:
    return Sample(measurement.records_per_second, {"ms CPU/page": measurement.cpu_ms_per_page})
