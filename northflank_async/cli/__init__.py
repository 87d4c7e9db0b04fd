"""The command line, `northflank-async`. It needs the extra `northflank-async[cli]`."""

from northflank_async_cli import main

__all__ = ["main"]
