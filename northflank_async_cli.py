"""Starts the command line. It is outside the package, whose import takes longer than an impatient Ctrl-C."""

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line.

    Ctrl-C ends the process at once, except in what `northflank_async.cli.runner` runs: a `KeyboardInterrupt` in the
    middle of an import, or while Python ends, would be a traceback, or be lost.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # nohup and & may have it ignored
        signal.signal(signal.SIGINT, _end)
    try:
        from northflank_async.cli.app import NAME, program
        from northflank_async.cli.streams import prepare_streams
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        print(
            "northflank-async: the command line needs click and rich: pip install 'northflank-async[cli]'",
            file=sys.stderr,
        )
        sys.exit(3)  # ExitCode.CONFIGURATION, which cannot be imported without click
    prepare_streams()
    program(prog_name=NAME)  # the same name with python -m


def _end(number: int, frame: object) -> None:
    with suppress(OSError):
        show_cursor = b"\x1b[?25h" if os.isatty(2) else b""  # a progress bar hides it
        os.write(2, show_cursor + b"northflank-async: interrupted\n")
    os._exit(128 + number)
