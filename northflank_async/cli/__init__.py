"""The command line, `northflank-async`. It needs the extra `northflank-async[cli]`."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from northflank_async.cli.app import NAME, program
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        print(
            "northflank-async: the command line needs click and rich: pip install 'northflank-async[cli]'",
            file=sys.stderr,
        )
        sys.exit(3)  # ExitCode.CONFIGURATION, which cannot be imported without click
    program(prog_name=NAME)  # the same name with python -m
