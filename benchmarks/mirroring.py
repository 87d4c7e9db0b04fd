"""Dumps that are mirrored to a folder, compared with curl, which downloads the same links two at a time.

The mirror also hashes the files, waits until they are on the disk, and writes a manifest; curl does not. Peak memory is
compared between dumps of 5 MB and of 50 MB.
"""

import shutil

from benchmarks.process import Contestant, Measurement, python_contestant, run_server
from benchmarks.results import DIFFERENCE, Row, Sample, make_row, run_rounds
from benchmarks.settings import Settings

GROUP = "mirroring"
ROUNDS = 3
LARGE, SMALL = 50_000_000, 5_000_000
MIRROR, CURL = "mirror to a folder", "curl --parallel"
PEAK_LARGE, PEAK_SMALL = "mirror, dumps of 50 MB", "mirror, dumps of 5 MB"


def run(settings: Settings) -> list[Row]:
    dumps = 2 if settings.quick else settings.dumps
    large, small = (200_000, 100_000) if settings.quick else (LARGE, SMALL)
    rounds = settings.rounds_or(ROUNDS)
    with (
        run_server("dump_server", dumps=dumps, size=large) as server,
        run_server("dump_server", dumps=dumps, size=small) as other,
    ):
        contestants = {
            MIRROR: python_contestant("mirroring", "mirror", server.url, dumps, records=dumps),
            CURL: python_contestant("mirroring", "curl", server.url, dumps, records=dumps)
            if shutil.which("curl", path="/usr/local/bin:/usr/bin:/bin")
            else Contestant(missing="curl is not installed"),
        }
        speeds = run_rounds(GROUP, contestants, rounds, lambda measurement: _speed(measurement, dumps * large))
        contestants = {
            PEAK_LARGE: contestants[MIRROR],
            PEAK_SMALL: python_contestant("mirroring", "mirror", other.url, dumps, records=dumps),
        }
        peaks = run_rounds(GROUP, contestants, rounds, _peak)
    rows = [make_row(GROUP, name, "MB/s", speeds, (CURL,)) for name in speeds]
    if CURL not in speeds:
        rows.append(Row(GROUP, CURL, "MB/s", missing="curl is not installed"))
    return [*rows, *(make_row(GROUP, name, "MB", peaks, (PEAK_SMALL,), kind=DIFFERENCE) for name in peaks)]


def _speed(measurement: Measurement, size: int) -> Sample:
    details = {"s": measurement.seconds, "s CPU": measurement.cpu_seconds, "GB": size / 1e9}
    return Sample(size / 1e6 / measurement.seconds, details)


def _peak(measurement: Measurement) -> Sample:
    return Sample(measurement.peak_bytes / 2**20, {"dumps": measurement.records})
