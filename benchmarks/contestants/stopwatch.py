"""What a contestant reports."""

import gc
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

Reader = Callable[[], Awaitable[int]]
"""Reads all there is and says how many records that were."""


async def report(read: Reader, warm_up: Reader | None = None, turns: int = 1) -> None:
    """Read so many times; print the records, the seconds, the processor seconds, and the bytes of memory at the peak.

    The peak is that of the process, with Python and all packages, and with the warming up.
    """
    if warm_up:
        await warm_up()
    gc.collect()  # nobody pays for what the warming up left behind
    clock, processor = time.perf_counter(), time.process_time()
    records = sum([await read() for _ in range(turns)])
    seconds, processor = time.perf_counter() - clock, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
    print(json.dumps({"records": records, "seconds": seconds, "processor": processor, "peak": peak}))
