import asyncio
import shlex
import signal

import click

from northflank_async.cli.exits import ExitCode, fail
from northflank_async.cli.runner import run_coroutine
from northflank_async.simulator import Faults, Simulator


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
def serve_simulator(
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
    """Serve a simulated Northflank API.

    It serves until it is interrupted. The first line of output is its URL; the next lines are shell commands that
    point clients to it.

    These faults are rates from 0 to 1: errors (5xx), html (a proxy's error page), drops (no response), truncations
    (half a response), bursts (429 without rate-limit headers), slow (responses that take slow_seconds), runs (backups
    and restores that fail). jitter is a delay in seconds.

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
        run_coroutine(_serve(simulator))
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
