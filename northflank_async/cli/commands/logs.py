from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import click
from attrs import asdict, frozen

from northflank_async.cli.options import (
    ApiOptions,
    BackupAddress,
    Choice,
    api_options,
    backup_options,
    grouped,
    parse_time,
    restore_option,
)
from northflank_async.cli.output import notify, write_data
from northflank_async.cli.runner import Operation, run
from northflank_async.client import Account
from northflank_async.errors import printable
from northflank_async.records import LogLine, unstructure


@frozen(kw_only=True)
class LogFilter:
    """Which lines are wanted."""

    start_time: datetime | None
    end_time: datetime | None
    duration: int | None
    line_limit: int | None
    direction: str | None
    text_includes: str | None
    text_not_includes: str | None
    regex_includes: str | None
    regex_not_includes: str | None
    container_name: str | None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the library."""
        return asdict(self)


filter_options = grouped(
    LogFilter,
    "filter",
    click.option(
        "--startTime",
        "start_time",
        type=parse_time,
        metavar="TIME",
        help="Only lines after this time, in UTC unless it has a zone.",
    ),
    click.option("--endTime", "end_time", type=parse_time, metavar="TIME", help="Only lines before this time."),
    click.option(
        "--duration",
        type=click.IntRange(min=1),
        metavar="SECONDS",
        help="Length of the period that starts at --startTime or ends at --endTime.",
    ),
    click.option(
        "-l",
        "--lineLimit",
        "line_limit",
        type=click.IntRange(min=1),
        metavar="NUMBER",
        help="Maximum number of lines.",
    ),
    click.option("-d", "--direction", type=Choice(["backward", "forward"]), help="Newest lines first, or oldest."),
    click.option("--textIncludes", "text_includes", metavar="TEXT", help="Only lines that contain this text."),
    click.option(
        "--textNotIncludes", "text_not_includes", metavar="TEXT", help="Only lines that do not contain this text."
    ),
    click.option("--regexIncludes", "regex_includes", metavar="REGEX", help="Only lines that match this expression."),
    click.option("--regexNotIncludes", "regex_not_includes", metavar="REGEX", help="Only lines that do not match it."),
    click.option("--containerName", "container_name", metavar="NAME", help="Only lines of this container."),
)


@click.command()
@backup_options
@filter_options
@api_options
def backup_logs(options: ApiOptions, address: BackupAddress, filter: LogFilter) -> None:
    """Get the logs of a backup.

    Only dumps have logs. By default, lines are text with local times, oldest first; --output selects JSON or YAML.

    \b
    northflank-async get addon backup logs --project default-project --addon example-addon --backup example-backup
    """
    _write_logs(options, filter, lambda account: address.backup(account).logs(**filter.arguments))


@click.command()
@backup_options
@restore_option
@filter_options
@api_options
def restore_logs(options: ApiOptions, address: BackupAddress, restore_id: str, filter: LogFilter) -> None:
    """Get the logs of a restore.

    By default, lines are text with local times, oldest first; --output selects JSON or YAML.

    \b
    northflank-async get addon restore logs --project default-project --addon example-addon --backup example-backup \\
      --restore 668596c647fed81696a8a82c
    """
    _write_logs(options, filter, lambda account: address.backup(account).restore_logs(restore_id, **filter.arguments))


def _write_logs(options: ApiOptions, filter: LogFilter, read: Callable[[Account], Awaitable[list[LogLine]]]) -> None:
    """Write log lines. Unlike other results, they are text everywhere unless another format is requested."""
    lines = run(options, read, Operation(permission="Project > Addons > Deployment > View Instance Logs"))
    if not lines and not options.quiet:
        notify("no log lines; snapshots have none")
    if filter.direction is None:
        lines = sorted(lines, key=lambda line: line.ts)
    if options.output in (None, "table"):
        for line in lines:
            click.echo(f"{line.ts.astimezone():%Y-%m-%d %H:%M:%S}  {printable(str(line.log))}")
    elif options.output == "jsonl":
        for line in lines:
            write_data(unstructure(line), options.output)
    else:
        write_data([unstructure(line) for line in lines], options.format)
