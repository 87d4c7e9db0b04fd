import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.logging import RichHandler

from northflank_async.cli.failure import ExitCode, fail, fail_file, fail_request
from northflank_async.cli.progress import ExportProgress
from northflank_async.client import Northflank
from northflank_async.errors import NorthflankError
from northflank_async.inventory import Export, export
from northflank_async.simulator import Simulator

_SHOWN = 20
"""Unreadable records that are named; the rest is counted."""


@click.command("export")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--project", "projects", metavar="ID", multiple=True, help="Only this project; repeatable.")
@click.option("--team", metavar="ID", help="Use this team's routes.")
@click.option("--simulate", is_flag=True, help="Export the simulator's inventory; no token is needed.")
def export_command(out: Path, projects: tuple[str, ...], team: str | None, simulate: bool) -> None:
    """Write the backup inventory to OUT, one JSON object a line.

    Each line holds project, addon, addonType, and backup as the API sent it. OUT appears whole or not at all.
    """
    if str(out) == "-":
        raise click.UsageError("OUT is a file that appears whole or not at all, which standard output cannot.")
    console = Console(stderr=True, force_terminal=sys.stderr.isatty())  # whatever FORCE_COLOR says
    _log_to(console)
    try:
        done = asyncio.run(_run(out, projects or None, team, simulate, console))
    except NorthflankError as error:
        fail_request(error)
    except OSError as error:
        fail_file(out, error)
    except KeyboardInterrupt:
        fail(f"interrupted; {out} was not written", ExitCode.INTERRUPTED)
    except asyncio.CancelledError:
        fail(f"terminated; {out} was not written", ExitCode.TERMINATED)
    _summarize(done, out)


async def _run(
    out: Path, projects: tuple[str, ...] | None, team: str | None, simulate: bool, console: Console
) -> Export:
    task = asyncio.current_task()
    if task and sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with _open_client(simulate) as nf:
        account = nf if team is None else nf.team(team)
        with ExportProgress(console, lambda: nf.rate_limit) as progress:
            return await export(account, out, projects=projects, on_progress=progress.show)


@asynccontextmanager
async def _open_client(simulate: bool) -> AsyncIterator[Northflank]:
    if simulate:
        async with Simulator(latency=0.03) as sim, Northflank(sim.token, base_url=sim.url) as nf:
            yield nf
    else:
        async with Northflank() as nf:
            yield nf


def _log_to(console: Console) -> None:
    """Show on a terminal, and only there, what an export waits for."""
    if console.is_terminal:
        log = logging.getLogger("northflank_async")
        log.addHandler(RichHandler(console=console, show_path=False))
        log.setLevel(logging.INFO)


def _summarize(done: Export, out: Path) -> None:
    click.echo(f"{done.backups} backups of {done.addons} addons in {done.projects} projects: {out}")
    if not done.unreadable:
        return
    for name in done.unreadable[:_SHOWN]:
        click.echo(f"northflank-async: not as documented: {name}", err=True)
    more = f", {_SHOWN} of them above" if len(done.unreadable) > _SHOWN else ""
    fail(
        f"{len(done.unreadable)} records are not as documented{more}; backups among them were written as they came",
        ExitCode.UNREADABLE_RECORDS,
    )
