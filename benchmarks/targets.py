"""The targets: how one row should compare with another in the same run. A missed target is reported, nothing more."""

from collections.abc import Mapping

from attrs import frozen


@frozen
class Target:
    """A lower or an upper bound."""

    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        return f"at most {self.at_most:g}" if self.at_least is None else f"at least {self.at_least:g}"

    def is_met(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


TARGETS: Mapping[tuple[str, str, str], Target] = {
    ("paginator", "this client, typed records", "Python SDK, one httpx client"): Target(at_least=1.5),
    ("paginator", "this client, typed records", "JavaScript client, keep-alive"): Target(at_least=1.5),
    ("paginator", "this client, typed records", "JavaScript client, default settings"): Target(at_least=1.5),
    ("paginator", "this client, typed records", "Python SDK, default settings"): Target(at_least=25),
    ("paginator", "this client, typed records", "aiohttp + orjson (the floor)"): Target(at_least=0.4),
    ("paginator", "this client, page.data", "aiohttp + orjson (the floor)"): Target(at_least=0.8),
    ("structuring", "this client, dicts to records", "orjson.loads"): Target(at_most=4),
    ("scanning", "this client, 50 ms", "theoretical minimum, 50 ms"): Target(at_most=1.15),
    ("inventory", "sync to SQLite (.db)", "scan"): Target(at_least=0.5),
    ("memory", "scan, large", "scan, small"): Target(at_most=20),
    ("mirroring", "mirror to a folder", "curl --parallel"): Target(at_least=0.5),
    ("mirroring", "mirror, dumps of 50 MB", "mirror, dumps of 5 MB"): Target(at_most=10),
    ("startup", "import northflank_async", "import aiohttp"): Target(at_most=1.25),
    ("startup", "northflank-async --help", "import aiohttp"): Target(at_most=2),
}
"""By group, row, and the row to compare with: a difference in MB for memory, a ratio for everything else."""
