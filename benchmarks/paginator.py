"""One paginator: all backups of one addon, 100 per page, one page after another, on one connection.

The work differs: this client creates validated records, while the official clients return a list of plain JSON. With
default settings, the Python SDK creates an HTTP client for each page (most of that is loading TLS certificates) and the
JavaScript client opens a connection for each page; both can also be given one to reuse.
"""

import shutil

from benchmarks.process import ROOT, Contestant, Measurement, python_contestant, run_server
from benchmarks.responses import PER_PAGE, addon_id, project_id
from benchmarks.results import Row, Sample, make_row, run_rounds
from benchmarks.settings import Settings

GROUP = "paginator"
ROUNDS = 7
PAGES, FEW_PAGES = 200, 4  # few for a slow contestant
REPEATS = 5

BODY, FLOOR = "aiohttp, bodies discarded", "aiohttp + orjson (the floor)"
TYPED, DATA = "this client, typed records", "this client, page.data"
SDK, SDK_DEFAULT = "Python SDK, one httpx client", "Python SDK, default settings"
JS, JS_DEFAULT = "JavaScript client, keep-alive", "JavaScript client, default settings"

COMPARE_TO = {
    BODY: (FLOOR, SDK),
    FLOOR: (SDK,),
    TYPED: (FLOOR, SDK, SDK_DEFAULT, JS, JS_DEFAULT),
    DATA: (FLOOR, SDK),
    SDK: (FLOOR,),
    SDK_DEFAULT: (FLOOR, SDK),
    JS: (FLOOR, SDK),
    JS_DEFAULT: (FLOOR, SDK),
}


def run(settings: Settings) -> list[Row]:
    pages, few = (4, 2) if settings.quick else (PAGES, FEW_PAGES)
    with run_server(projects=1, addons=2, backups=f"{pages * PER_PAGE},{few * PER_PAGE}", latency=0) as server:
        contestants = {
            BODY: _python("body", server.url, pages),
            FLOOR: _python("floor", server.url, pages),
            TYPED: _python("typed", server.url, pages),
            DATA: _python("data", server.url, pages),
            SDK: _python("sdk", server.url, pages),
            SDK_DEFAULT: _python("sdk_default", server.url, few, addon=1),
            JS: _javascript("keep-alive", server.url, pages),
            JS_DEFAULT: _javascript("default", server.url, pages),
        }
        samples = run_rounds(GROUP, contestants, settings.rounds_or(ROUNDS), _sample)
    return [
        Row(GROUP, name, "records/s", missing=contestant.missing)
        if contestant.missing
        else make_row(GROUP, name, "records/s", samples, COMPARE_TO[name])
        for name, contestant in contestants.items()
    ]


def _sample(measurement: Measurement) -> Sample:
    return Sample(measurement.records_per_second, {"ms CPU/page": measurement.cpu_ms_per_page})


def _python(name: str, url: str, pages: int, addon: int = 0) -> Contestant:
    return python_contestant(GROUP, name, url, addon, pages, REPEATS, records=pages * PER_PAGE * REPEATS)


def _javascript(connections: str, url: str, pages: int) -> Contestant:
    folder = ROOT / "benchmarks"
    node = shutil.which("node")
    if node is None:
        return Contestant(missing="node is not installed")
    if not (folder / "node_modules" / "@northflank" / "js-client").is_dir():
        return Contestant(missing="@northflank/js-client is not installed; `make bench` installs it with npm")
    script = str(folder / "contestants" / "javascript_client.mjs")
    command = [node, script, connections, url, project_id(0), addon_id(0), str(PER_PAGE), str(REPEATS)]
    return Contestant(command, records=pages * PER_PAGE * REPEATS)
