"""Structuring: creating records from parsed JSON, compared with parsing that JSON."""

from benchmarks.process import Measurement, python_contestant
from benchmarks.responses import PER_PAGE
from benchmarks.results import Row, Sample, make_row, run_rounds
from benchmarks.settings import Settings

GROUP = "structuring"
ROUNDS = 7
REPEATS = 1000

JSON, ORJSON, RECORDS = "json.loads", "orjson.loads", "this client, dicts to records"


def run(settings: Settings) -> list[Row]:
    repeats = 5 if settings.quick else REPEATS
    contestants = {
        name: python_contestant(GROUP, contestant, repeats, records=repeats * PER_PAGE)
        for name, contestant in {ORJSON: "orjson", JSON: "json", RECORDS: "records"}.items()
    }
    samples = run_rounds(GROUP, contestants, settings.rounds_or(ROUNDS), _sample)
    compare_to = {ORJSON: (), JSON: (ORJSON,), RECORDS: (ORJSON, JSON)}
    return [make_row(GROUP, name, "µs/record", samples, compare_to[name]) for name in contestants]


def _sample(measurement: Measurement) -> Sample:
    return Sample(measurement.seconds / measurement.records * 1e6)
