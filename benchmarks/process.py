"""What the measurements share: servers in processes of their own, and numbers from the command line."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


@contextmanager
def server_process(module: str, *arguments: str, **options: object) -> Iterator[str]:
    """Run `python -m module arguments --option=value` as long as the block lasts; its first line is its URL.

    A server in this process would share its processor time.
    """
    command = [sys.executable, "-m", module, *arguments]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit(f"{module} did not start")
            yield url
        finally:
            process.terminate()


class Run(NamedTuple):
    """One way of reading, once: seconds on the clock, and seconds of this process's processor time."""

    clock: float
    processor: float


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number
