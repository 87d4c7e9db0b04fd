import asyncio
import json
import shlex
import signal
from pathlib import Path
from typing import Any

import click

from northflank_async.atomic_write import atomic_write, check_writable
from northflank_async.cli.exits import ExitCode, fail
from northflank_async.cli.runner import handle_signals, run_coroutine
from northflank_async.simulator import SCENARIOS, Faults, Simulator, Tenant


@click.command()
@click.option("--port", default=0, show_default="any free port", help="Port on 127.0.0.1.")
@click.option("--token", default="simulator-token", show_default=True, help="Token to accept.")
@click.option("--seed", default=0, show_default=True, help="Seed of the simulated inventory.")
@click.option("--projects", default=5, show_default=True, help="Number of projects.")
@click.option("--addons", default=4, show_default=True, help="Addons per project.")
@click.option("--backups", default=150, show_default=True, help="Average number of backups per addon.")
@click.option("--latency", default=0.0, show_default=True, help="Delay of each response, in seconds.")
@click.option("--rate-limit", default=1000, show_default=True, help="Requests per window.")
@click.option("--window", default=3600.0, show_default=True, help="Length of the window, in seconds.")
@click.option("--speed", default=1.0, show_default=True, help="Simulated seconds per second.")
@click.option("--faults", metavar="NAME=RATE,…", help="Faults to inject, such as errors=0.05,drops=0.02,seed=7.")
@click.option("--scenario", type=click.Choice(SCENARIOS), help="Backups over 90 days, with faults that an audit finds.")
@click.option("--addon-size", type=click.IntRange(0), metavar="BYTES", help="Data in every addon; varies by default.")
@click.option("--tenants", type=click.IntRange(1), metavar="N", help="Serve N accounts; requires --accounts.")
@click.option(
    "--accounts",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Accounts file to write for --tenants.",
)
def serve_simulator(
    port: int,
    latency: float,
    speed: float,
    tenants: int | None,
    accounts: Path | None,
    **account: Any,
) -> None:
    """Serve a simulated Northflank API.

    It serves until it is interrupted. The first line of output is its URL; the next lines are shell commands that
    point clients to it.

    These faults are rates from 0 to 1: errors (5xx), html (a proxy's error page), drops (no response), truncations
    (half a response), bursts (429 without rate-limit headers), slow (responses that take slow_seconds), runs (backups
    and restores that fail). jitter is a delay in seconds.

    With --scenario, the simulator starts at the current time, with addons that have had backups by schedule for 90
    days. In `audit`, some of the first twenty have one fault each, and all others none. The others name the fault of
    every addon: stale (no backup at the last times), failing (the last three), stuck (in progress for hours),
    shrinking and empty (the last dump), unscheduled, untested (no restore), unbacked (no backup), few (one backup),
    short-retention, restore-failed, paused, unreadable; healthy has no fault. --backups has no effect.

    With --tenants, each account has its own token, rate limit and inventory, with equal project and addon ids. The
    accounts file names them tenant-1, tenant-2 and so on; the tokens start with --token and are in private files in
    the folder FILE.tokens.

    \b
    northflank-async simulate --port 8080 --latency 0.05 --faults errors=0.05,seed=7
    """
    if (tenants is None) is not (accounts is None):
        raise click.UsageError("--tenants and --accounts require each other.")
    try:
        account["faults"] = Faults.parse(account["faults"] or "")
        described = account if tenants is None else {"tenants": Tenant.many(tenants, **account)}
        simulator = Simulator(port=port, latency=latency, speed=speed, **described)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if accounts is not None:
        try:
            check_writable(accounts)
        except OSError as error:
            fail(f"cannot write {accounts}: {error.strerror or error}", ExitCode.CONFIGURATION)
    try:
        run_coroutine(_serve(simulator, accounts))
    except OSError as error:
        fail(f"cannot listen on port {port}: {error.strerror or error}", ExitCode.CONFIGURATION)


async def _serve(simulator: Simulator, accounts: Path | None) -> None:
    stopped = asyncio.Event()
    handle_signals((signal.SIGINT, signal.SIGTERM), stopped.set)
    async with simulator:
        if accounts is not None:
            _write_accounts(accounts, simulator)
        click.echo(simulator.url)
        if accounts is None:
            click.echo(f"export NORTHFLANK_API_TOKEN={shlex.quote(simulator.token)}")
        click.echo(f"export NORTHFLANK_API_BASE_URL={simulator.url}")
        await stopped.wait()


def _write_accounts(path: Path, simulator: Simulator) -> None:
    """Write the accounts file, and each token to a file that only its owner can read."""
    folder = path.absolute().with_name(path.name + ".tokens")
    folder.mkdir(mode=0o700, exist_ok=True)
    entries = []
    for tenant in simulator.tenants:
        token_file = folder / tenant.name
        token_file.touch(mode=0o600)
        token_file.write_text(tenant.token, encoding="utf-8")
        settings = {"name": tenant.name, "token_file": str(token_file), "base_url": simulator.url}
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        entries.append("\n".join(["[[accounts]]", *lines, ""]))
    path.touch(mode=0o600)
    with atomic_write(path) as file:
        file.write("\n".join(entries).encode())
