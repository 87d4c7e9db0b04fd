"""What goes wrong on purpose."""

import asyncio
import math
from collections import Counter
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import attrs
from aiohttp import web

RATES = ("errors", "html", "drops", "truncations", "bursts", "slow")
PIECES = 10  # of a slow body
PAGE = """<html>
<head><title>{status} {reason}</title></head>
<body><center><h1>{status} {reason}</h1></center><hr><center>proxy</center></body>
</html>
"""


@attrs.frozen(kw_only=True)
class Faults:
    """How often requests go wrong; at most one fault for each request, the same ones in every run.

    A rate is the share of requests, from 0.0 to 1.0; all rates together are at most 1.0. Which request goes wrong
    depends on the seed, the method, the path with its query, and how often these were asked for before, not on the
    order in which different requests come in. A request without the right token gets its 401 and no fault.

    - `seed`: a whole number; another seed draws other requests.
    - `jitter`: up to so many seconds of latency more, for every request.
    - `errors`: rate of 500, 502, 503 and 504 with a JSON body; a 503 sometimes says `Retry-After: 1`.
    - `html`: rate of answers that are a proxy's HTML page, with status 502, 504 or 200 and no rate limit headers.
    - `drops`: rate of connections closed without an answer.
    - `truncations`: rate of answers whose body ends early, after which the connection is closed.
    - `bursts`: rate of 429 without rate limit headers; each also hits up to two requests that come next.
    - `slow`: rate of bodies sent in small pieces, over `slow_seconds` seconds.
    - `runs`: rate, of its own, of backups and restores that are started and end as failed.
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
                raise ValueError(f"{name} is a rate from 0.0 to 1.0, not {rate}")
        # Rates that are meant to make 1.0 can come out a little above it.
        if math.fsum(rates.values()) > 1.0 + 1e-9:
            raise ValueError(f"the rates {', '.join(RATES)} add up to more than 1.0")
        for name in ("jitter", "slow_seconds"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is in seconds, 0.0 or more, not {getattr(self, name)}")

    @classmethod
    def parse(cls, text: str) -> "Faults":
        """Read `errors=0.05,drops=0.02,seed=7`."""
        known = [field.name for field in attrs.fields(cls)]
        values: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, number = (word.strip() for word in part.partition("="))
            if name not in known:
                raise ValueError(f"unknown fault {name!r}; there are {', '.join(known)}")
            if name in values:
                raise ValueError(f"{name} is given twice")
            try:
                values[name] = int(number) if name == "seed" else float(number)
            except ValueError:
                raise ValueError(f"{name} takes a number, not {number!r}; there are {', '.join(known)}") from None
        return cls(**values)


@attrs.frozen
class Fault:
    """What goes wrong with one request: the rate's name, or nothing but a delay in seconds."""

    kind: str = ""
    delay: float = 0.0
    variant: int = 0
    seconds: float = 0.0

    @property
    def counted(self) -> bool:
        """Whether the request gets as far as the rate limit."""
        return self.kind not in ("html", "bursts")


@attrs.define
class FaultDraw:
    """Draws the fault of each request, and remembers what was asked for."""

    faults: Faults
    _asked: Counter[str] = attrs.field(factory=Counter)
    _burst: int = 0

    def next(self, method: str, path: str) -> Fault:
        """The fault of the request that has just come in; `path` is with its query."""
        faults = self.faults
        request = f"{method} {path}"
        key = f"{faults.seed}/{self._asked[request]}/{request}"
        self._asked[request] += 1
        dice = blake2b(key.encode("utf-8", "surrogateescape"), digest_size=17).digest()
        kind = self._kind(_share(dice[:8]))
        if self._burst:
            self._burst, kind = self._burst - 1, "bursts"
        elif kind == "bursts":
            self._burst = dice[16] % 3
        return Fault(kind, faults.jitter * _share(dice[8:16]), dice[16], faults.slow_seconds)

    def _kind(self, share: float) -> str:
        for name in RATES:
            rate: float = getattr(self.faults, name)
            if share < rate:
                return name
            share -= rate
        return ""


def html_page(fault: Fault) -> web.Response:
    """The page of a proxy that stands in between."""
    status, reason = ((502, "Bad Gateway"), (504, "Gateway Time-out"), (200, "Please wait"))[fault.variant % 3]
    return web.Response(status=status, text=PAGE.format(status=status, reason=reason), content_type="text/html")


async def deliver(request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
    """Send the answer, or as much of it as the fault lets through."""
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
    with suppress(ConnectionResetError):  # the client may not wait for the end
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


def _share(dice: bytes) -> float:
    return int.from_bytes(dice, "big") / 256.0 ** len(dice)
