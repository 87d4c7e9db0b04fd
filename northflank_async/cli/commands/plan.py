from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import click

from northflank_async.cli.exits import ExitCode
from northflank_async.cli.reading import Reading, end_with, reading_options
from northflank_async.inventory import OnStart, Plan, Query, plan


@click.command("plan")
@reading_options
def plan_command(reading: Reading) -> None:
    """Say what an export will take.

    It takes one pass over projects and addons to know.

    \b
    northflank-async plan
    northflank-async plan --addon-type postgresql
    """

    def work(query: Query, _: OnStart) -> Coroutine[Any, Any, Plan]:
        return plan(query, concurrency=reading.concurrency)

    found = reading.run(work, if_stopped="nothing is lost")
    seconds = max(0, round((found.done_at - datetime.now(UTC)).total_seconds()))
    click.echo(f"projects   {found.projects}")
    click.echo(f"addons     {found.addons}")
    click.echo(f"requests   {found.requests} at least: addons with more than 100 backups take more")
    if found.remaining is not None:
        limit = "" if found.limit is None else f" of {found.limit}"
        click.echo(f"left       {found.remaining}{limit} in this hour")
    click.echo(
        f"done at    {found.done_at.astimezone():%Y-%m-%d %H:%M:%S}, {_duration(seconds)} from now, at the earliest"
    )
    end_with(found.failures, ExitCode.FAILURES, "the plan leaves it out")


def _duration(seconds: int) -> str:
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
