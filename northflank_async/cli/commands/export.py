import sys
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

import click
from attrs import evolve

from northflank_async.cli.exits import ExitCode
from northflank_async.cli.reading import Reading, end_with, reading_options
from northflank_async.cli.times import parse_time
from northflank_async.errors import ConfigurationError
from northflank_async.inventory import OnStart, Outcome, Query
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.stream import stream
from northflank_async.records import RunStatus

_STRICT_END = "no file is written: the same command reads what is missing, and without --strict writes what there is"


@click.command("export")
@click.argument("target")
@reading_options
@click.option(
    "--since",
    type=parse_time,
    metavar="TIME",
    help="Only backups made since then: a date or a time, in UTC or with its zone.",
)
@click.option(
    "--status",
    "statuses",
    metavar="STATUS",
    multiple=True,
    help=f"Only such backups ({', '.join(RunStatus)}); repeatable.",
)
@click.option("--strict", is_flag=True, help="Fail if anything could not be read.")
def export_command(
    target: str, reading: Reading, since: datetime | None, statuses: tuple[str, ...], strict: bool
) -> None:
    """Write the backup inventory to TARGET.

    TARGET is a file (.jsonl, .csv, .parquet, or .db for SQLite), postgresql://USER:PASSWORD@HOST/DATABASE, or - for
    JSON Lines on standard output. Interrupted or killed, the same command goes on where it was. A file appears whole
    or not at all; a database is brought up to date, with what is gone marked so, and what --status and --since leave
    out is not added to it. Only --project, --team and --addon-type save requests.

    \b
    northflank-async export inventory.jsonl
    northflank-async export failed.csv --status failed --since 2026-11-01
    """
    for status in set(statuses) - set(RunStatus):
        click.echo(f"northflank-async: {status!r} is no documented status: {', '.join(RunStatus)}", err=True)
    streams = target == "-"
    if streams and (strict or reading.restores):
        raise click.UsageError("--strict and --restores need a file or a database.")
    reading = evolve(reading, since=since, statuses=statuses)

    def work(query: Query, on_start: OnStart) -> Coroutine[Any, Any, Outcome]:
        if streams:
            return stream(sys.stdout.buffer, query, concurrency=reading.concurrency, on_start=on_start)
        with require_extra():
            from northflank_async.inventory.export import export
        return export(target, query, concurrency=reading.concurrency, strict=strict, on_start=on_start)

    if_stopped = "what was written is not gone on with" if streams else "the same command goes on where it was"
    shown = _without_password(target)
    outcome = reading.run(work, target=None if streams else shown, if_stopped=if_stopped)
    if strict:
        end_with(outcome.failures, ExitCode.STRICT, _STRICT_END)
    done, resumed = outcome.progress, ", going on with what was there" if outcome.resumed else ""
    click.echo(
        f"{outcome.backups} backups of {done.addons} addons in {done.projects} projects:"
        f" {shown} ({done.requests} requests{resumed})",
        err=streams,
    )
    end_with(outcome.failures, ExitCode.FAILURES, "all else is complete")


def _without_password(target: str) -> str:
    if "://" not in target:
        return target
    try:
        with require_extra():
            from northflank_async.inventory.store.database import display_name, parse_target
        return display_name(parse_target(target))
    except ConfigurationError:
        return "the database"  # what is wrong with it is said by the export itself
