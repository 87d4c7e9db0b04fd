import asyncio
import shlex
import signal

import click

from northflank_async.cli.exits import ExitCode, fail
from northflank_async.cli.runner import run
from northflank_async.simulator import Faults, Simulator


@click.command("simulate")
@click.option("--port", default=0, show_default="any free one", help="Port on 127.0.0.1.")
@click.option("--token", default="simulator-token", show_default=True, help="The token that is accepted.")
@click.option("--seed", default=0, show_default=True, help="Another seed makes another inventory.")
@click.option("--projects", default=5, show_default=True, help="Number of projects.")
@click.option("--addons", default=4, show_default=True, help="Addons of each project.")
@click.option("--backups", default=150, show_default=True, help="Backups of each addon, on average.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds before each answer.")
@click.option("--rate-limit", default=1000, show_default=True, help="Requests a window.")
@click.option("--window", default=3600.0, show_default=True, help="Seconds until the requests are there again.")
@click.option("--speed", default=1.0, show_default=True, help="Simulated seconds for each second.")
@click.option("--faults", metavar="NAME=RATE,…", help="Faults to inject, such as errors=0.05,drops=0.02,seed=7.")
def simulate_command(
    port: int,
    token: str,
    seed: int,
    projects: int,
    addons: int,
    backups: int,
    latency: float,
    rate_limit: int,
    window: float,
    speed: float,
    faults: str | None,
) -> None:
    """Serve a simulated Northflank.

    It serves until it is interrupted. The first line of the output is its URL; the others set the environment so that
    clients reach it.

    Faults are rates from 0 to 1 of: errors (5xx), html (a proxy's page), drops (no answer), truncations (half an
    answer), bursts (429 without a word of the limit), slow (over slow_seconds), runs (backups and restores that fail);
    and jitter, in seconds.

    \b
    northflank-async simulate --port 8080 --latency 0.05 --faults errors=0.05,seed=7
    """
    try:
        simulator = Simulator(
            port=port,
            token=token,
            seed=seed,
            projects=projects,
            addons=addons,
            backups=backups,
            latency=latency,
            rate_limit=rate_limit,
            window=window,
            speed=speed,
            faults=Faults.parse(faults) if faults else None,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        run(_serve(simulator))
    except OSError as error:
        fail(f"cannot listen on port {port}: {error.strerror or error}", ExitCode.CONFIGURATION)


async def _serve(simulator: Simulator) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with simulator:
        click.echo(simulator.url)
        click.echo(f"export NORTHFLANK_API_TOKEN={shlex.quote(simulator.token)}")
        click.echo(f"export NORTHFLANK_API_BASE_URL={simulator.url}")
        await stopped.wait()
