"""The command line, `northflank-async`. It needs the extra `northflank-async[cli]`."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from northflank_async.cli.app import NAME, program
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        print("northflank-async: click and rich are missing: pip install 'northflank-async[cli]'", file=sys.stderr)
        sys.exit(3)  # as the other commands end where something is not installed
    program(prog_name=NAME)  # also where it was started with python -m
