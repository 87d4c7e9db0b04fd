"""One paginator: all backups of one addon, 100 a page, page after page, on one connection.

Not the same work: this client makes checked records, the official ones leave what the JSON was and keep all of it in a
list. As they come, the Python SDK makes a client for each page (most of that is reading the certificates that https
would need), the JavaScript client a connection; both can be given one to keep.
"""

import shutil

from benchmarks.answers import PER_PAGE, addon_id, project_id
from benchmarks.process import ROOT, Contestant, Measure, python, server
from benchmarks.rows import Row, Sample, rounds, row
from benchmarks.settings import Settings

GROUP = "paginator"
ROUNDS = 7
PAGES, FEW_PAGES = 200, 4  # few for what takes long for each
TURNS = 5

BODY, FLOOR = "aiohttp, bodies thrown away", "aiohttp + orjson (the floor)"
TYPED, DATA = "this client, typed records", "this client, page.data"
SDK, SDK_AS_IT_COMES = "Python SDK, one httpx client", "Python SDK as it comes"
JS, JS_AS_IT_COMES = "JavaScript client, kept alive", "JavaScript client as it comes"

COMPARED_TO = {
    BODY: (FLOOR, SDK),
    FLOOR: (SDK,),
    TYPED: (FLOOR, SDK, SDK_AS_IT_COMES, JS, JS_AS_IT_COMES),
    DATA: (FLOOR, SDK),
    SDK: (FLOOR,),
    SDK_AS_IT_COMES: (FLOOR, SDK),
    JS: (FLOOR, SDK),
    JS_AS_IT_COMES: (FLOOR, SDK),
}


def measure(settings: Settings) -> list[Row]:
    pages, few = (4, 2) if settings.quick else (PAGES, FEW_PAGES)
    with server(projects=1, addons=2, backups=f"{pages * PER_PAGE},{few * PER_PAGE}", latency=0) as running:
        contestants = {
            BODY: _python("body", running.url, pages),
            FLOOR: _python("floor", running.url, pages),
            TYPED: _python("typed", running.url, pages),
            DATA: _python("data", running.url, pages),
            SDK: _python("sdk", running.url, pages),
            SDK_AS_IT_COMES: _python("sdk_as_it_comes", running.url, few, addon=1),
            JS: _javascript("kept-alive", running.url, pages),
            JS_AS_IT_COMES: _javascript("as-it-comes", running.url, pages),
        }
        samples = rounds(GROUP, contestants, settings.rounds_or(ROUNDS), _sample)
    return [
        Row(GROUP, name, "records/s", missing=contestant.missing)
        if contestant.missing
        else row(GROUP, name, "records/s", samples, COMPARED_TO[name])
        for name, contestant in contestants.items()
    ]


def _sample(measure: Measure) -> Sample:
    return Sample(measure.speed, {"ms CPU/page": measure.processor_a_page})


def _python(name: str, url: str, pages: int, addon: int = 0) -> Contestant:
    return python(GROUP, name, url, addon, pages, TURNS, records=pages * PER_PAGE * TURNS)


def _javascript(connections: str, url: str, pages: int) -> Contestant:
    folder = ROOT / "benchmarks"
    node = shutil.which("node")
    if node is None:
        return Contestant(missing="there is no node")
    if not (folder / "node_modules" / "@northflank" / "js-client").is_dir():
        return Contestant(missing="@northflank/js-client is not there; `make bench` installs it, where there is npm")
    script = str(folder / "contestants" / "javascript_client.mjs")
    command = [node, script, connections, url, project_id(0), addon_id(0), str(PER_PAGE), str(TURNS)]
    return Contestant(command, records=pages * PER_PAGE * TURNS)
