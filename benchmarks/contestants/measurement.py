"""The measurement that every contestant prints."""

import gc
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

Reader = Callable[[], Awaitable[int]]
"""Reads everything and returns the number of records."""


async def measure(read: Reader, warm_up: Reader | None = None, repeats: int = 1) -> None:
    """Read `repeats` times; print the number of records, the time, the CPU time (both in seconds) and the peak memory.

    The peak is that of the whole process in bytes, including Python, all packages and the warm-up.
    """
    if warm_up:
        await warm_up()
    gc.collect()  # garbage of the warm-up is not measured
    started, cpu_started = time.perf_counter(), time.process_time()
    records = sum([await read() for _ in range(repeats)])
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_UNIT
    print(json.dumps({"records": records, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak_bytes}))
