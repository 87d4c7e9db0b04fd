"""Structuring alone: what a record takes when its JSON has been read, beside reading that JSON."""

from benchmarks.answers import PER_PAGE
from benchmarks.process import Measure, python
from benchmarks.rows import Row, Sample, rounds, row
from benchmarks.settings import Settings

GROUP = "structuring"
ROUNDS = 7
TURNS = 1000

JSON, ORJSON, RECORDS = "json.loads", "orjson.loads", "this client's records from dicts"


def measure(settings: Settings) -> list[Row]:
    turns = 5 if settings.quick else TURNS
    contestants = {
        name: python(GROUP, contestant, turns, records=turns * PER_PAGE)
        for name, contestant in {ORJSON: "orjson", JSON: "json", RECORDS: "records"}.items()
    }
    samples = rounds(GROUP, contestants, settings.rounds_or(ROUNDS), _sample)
    compared_to = {ORJSON: (), JSON: (ORJSON,), RECORDS: (ORJSON, JSON)}
    return [row(GROUP, name, "µs/record", samples, compared_to[name]) for name in contestants]


def _sample(measure: Measure) -> Sample:
    return Sample(measure.seconds / measure.records * 1e6)
