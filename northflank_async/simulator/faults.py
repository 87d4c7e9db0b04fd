"""Faults: requests and runs that fail on purpose."""

import asyncio
import math
from collections import Counter
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import attrs
from aiohttp import web

RATES = ("errors", "html", "drops", "truncations", "bursts", "slow")
PIECES = 10  # the number of pieces of a slow body
PAGE = """<html>
<head><title>{status} {reason}</title></head>
<body><center><h1>{status} {reason}</h1></center><hr><center>proxy</center></body>
</html>
"""


@attrs.frozen(kw_only=True)
class Faults:
    """How often requests fail: at most one fault for each request, and the same faults in every run.

    A rate is a share of the requests, from 0.0 to 1.0; all rates add up to at most 1.0. Which request fails depends on
    the seed, the method, the path with its query, and the number of such requests before, but not on the order in
    which different requests arrive. A request without a valid token gets a 401 and no fault.

    - `seed`: an integer; another seed selects other requests.
    - `jitter`: maximum extra latency of every request, in seconds.
    - `errors`: rate of 500, 502, 503 and 504 with a JSON body; a 503 sometimes has `Retry-After: 1`.
    - `html`: rate of responses that are a proxy's HTML page, with status 502, 504 or 200 and no rate limit headers.
    - `drops`: rate of connections closed without a response.
    - `truncations`: rate of responses whose body ends early, followed by the end of the connection.
    - `bursts`: rate of 429 without rate limit headers; each also affects up to two of the next requests.
    - `slow`: rate of bodies sent in small pieces over `slow_seconds` seconds.
    - `runs`: a separate rate, of started backups and restores that end as failed.
    """

    seed: int = 0
    jitter: float = 0.0
    errors: float = 0.0
    html: float = 0.0
    drops: float = 0.0
    truncations: float = 0.0
    bursts: float = 0.0
    slow: float = 0.0
    slow_seconds: float = 1.0
    runs: float = 0.0

    def __attrs_post_init__(self) -> None:
        rates = {name: getattr(self, name) for name in RATES}
        for name, rate in {**rates, "runs": self.runs}.items():
            if not 0.0 <= rate <= 1.0:
                raise ValueError(f"{name} must be a rate from 0.0 to 1.0, not {rate}")
        # Rates that should add up to 1.0 can come out slightly above it.
        if math.fsum(rates.values()) > 1.0 + 1e-9:
            raise ValueError(f"the rates {', '.join(RATES)} add up to more than 1.0")
        for name in ("jitter", "slow_seconds"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be at least 0.0 seconds, not {getattr(self, name)}")

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """Parse text such as `errors=0.05,drops=0.02,seed=7`."""
        known = [field.name for field in attrs.fields(cls)]
        values: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, number = (word.strip() for word in part.partition("="))
            if name not in known:
                raise ValueError(f"unknown fault {name!r}; choose from {', '.join(known)}")
            if name in values:
                raise ValueError(f"{name} is given twice")
            try:
                values[name] = int(number) if name == "seed" else float(number)
            except ValueError:
                raise ValueError(f"{name} must be a number, not {number!r}; choose from {', '.join(known)}") from None
        return cls(**values)


@attrs.frozen
class Fault:
    """The fault of one request: the name of its rate, or an empty string, and a delay in seconds."""

    kind: str = ""
    delay: float = 0.0
    variant: int = 0
    seconds: float = 0.0

    @property
    def is_counted(self) -> bool:
        """Whether the request counts toward the rate limit."""
        return self.kind not in ("html", "bursts")


@attrs.define
class FaultGenerator:
    """Chooses the fault of each request, and counts the requests by method and path."""

    faults: Faults
    _counts: Counter[str] = attrs.field(factory=Counter)
    _burst: int = 0

    def next(self, method: str, path: str) -> Fault:
        """The fault of the request that has just arrived; `path` includes its query."""
        faults = self.faults
        request = f"{method} {path}"
        key = f"{faults.seed}/{self._counts[request]}/{request}"
        self._counts[request] += 1
        random = blake2b(key.encode("utf-8", "surrogateescape"), digest_size=17).digest()
        kind = self._kind(_share(random[:8]))
        if self._burst:
            self._burst, kind = self._burst - 1, "bursts"
        elif kind == "bursts":
            self._burst = random[16] % 3
        return Fault(kind, faults.jitter * _share(random[8:16]), random[16], faults.slow_seconds)

    def _kind(self, share: float) -> str:
        for name in RATES:
            rate: float = getattr(self.faults, name)
            if share < rate:
                return name
            share -= rate
        return ""


def html_page(fault: Fault) -> web.Response:
    """The HTML page of a proxy."""
    status, reason = ((502, "Bad Gateway"), (504, "Gateway Time-out"), (200, "Please wait"))[fault.variant % 3]
    return web.Response(status=status, text=PAGE.format(status=status, reason=reason), content_type="text/html")


async def deliver(request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
    """Send the response, or the part of it that the fault allows."""
    transport = request.transport
    if fault.kind not in ("drops", "truncations", "slow") or transport is None:
        return response
    if fault.kind == "drops":
        transport.abort()
        return response
    body = response.body if isinstance(response, web.Response) else None
    assert isinstance(body, bytes)
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = len(body)
    with suppress(ConnectionResetError):  # the client may leave before the end
        await stream.prepare(request)
        if fault.kind == "truncations":
            await stream.write(body[: len(body) // 2])
            transport.close()
            return stream
        size = -(-len(body) // PIECES)
        for start in range(0, len(body), size):
            await stream.write(body[start : start + size])
            await asyncio.sleep(fault.seconds / PIECES)
    return stream


def _share(random: bytes) -> float:
    return int.from_bytes(random, "big") / 256.0 ** len(random)
