import sys
from pathlib import Path

import click

from northflank_async.cli.call import Call, call_options
from northflank_async.cli.options import BackupAddress, backup_options
from northflank_async.cli.runner import READ, Failing
from northflank_async.client import Account


@click.command("backup")
@backup_options
@click.argument("file", type=click.Path(path_type=Path))
@call_options
def download_backup(call: Call, backup: BackupAddress, file: Path) -> None:
    """Download a dump into FILE.

    FILE appears when it is complete, and takes the place of what is there. A transfer that breaks off is gone on with.

    \b
    northflank-async download addon backup --project default-project --addon example-addon --backup example-backup \\
      example.dump
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    terminal = sys.stderr.isatty()
    console = Console(stderr=True, force_terminal=terminal)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())

    async def work(view: Account) -> Path:
        with Progress(*columns, console=console, disable=call.quiet or not terminal) as bar:
            task = bar.add_task("", total=None)
            return await backup.of_backup(view).download(
                file, progress=lambda done, total: bar.update(task, completed=done, total=total)
            )

    path = call.run_work(work, Failing(if_stopped="no file is written", permission=READ, target=str(file)))
    size = path.stat().st_size
    call.done(f"{size} bytes: {path}", {"path": str(path), "bytes": size})
