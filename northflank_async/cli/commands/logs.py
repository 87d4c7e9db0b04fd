from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import click
from attrs import asdict, frozen

from northflank_async.cli.call import Call, call_options
from northflank_async.cli.options import BackupAddress, backup_options, collected, restore_option
from northflank_async.cli.output import write_data
from northflank_async.cli.runner import VIEW_LOGS
from northflank_async.cli.times import parse_time
from northflank_async.client import Account
from northflank_async.errors import printable
from northflank_async.records import LogLine, unstructure


@frozen(kw_only=True)
class LogQuery:
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
        """As the library takes them."""
        return asdict(self)


log_options = collected(
    LogQuery,
    "query",
    click.option(
        "--startTime",
        "start_time",
        type=parse_time,
        metavar="TIME",
        help="Only lines after it, in UTC or with its zone.",
    ),
    click.option("--endTime", "end_time", type=parse_time, metavar="TIME", help="Only lines before it, the same."),
    click.option("--duration", type=click.IntRange(min=1), metavar="SECONDS", help="From the start, or until the end."),
    click.option(
        "-l", "--lineLimit", "line_limit", type=click.IntRange(min=1), metavar="NUMBER", help="Lines at the most."
    ),
    click.option("-d", "--direction", type=click.Choice(["backward", "forward"]), help="Newest line first, or oldest."),
    click.option("--textIncludes", "text_includes", metavar="TEXT", help="Only lines with it."),
    click.option("--textNotIncludes", "text_not_includes", metavar="TEXT", help="Only lines without it."),
    click.option("--regexIncludes", "regex_includes", metavar="REGEX", help="Only lines that match."),
    click.option("--regexNotIncludes", "regex_not_includes", metavar="REGEX", help="Only lines that do not."),
    click.option("--containerName", "container_name", metavar="NAME", help="Only lines of this container."),
)


@click.command("logs")
@backup_options
@log_options
@call_options
def backup_logs(call: Call, backup: BackupAddress, query: LogQuery) -> None:
    """Read what a backup has logged.

    Only a dump logs. The lines are text with local times, unless --output asks for JSON or YAML. The last one comes
    last, unless --direction says otherwise.

    \b
    northflank-async get addon backup logs --project default-project --addon example-addon --backup example-backup
    """
    _write(call, query, lambda view: backup.of_backup(view).logs(**query.arguments))


@click.command("logs")
@backup_options
@restore_option
@log_options
@call_options
def restore_logs(call: Call, backup: BackupAddress, restore_id: str, query: LogQuery) -> None:
    """Read what a restore has logged.

    The lines are text with local times, unless --output asks for JSON or YAML. The last one comes last, unless
    --direction says otherwise.

    \b
    northflank-async get addon restore logs --project default-project --addon example-addon --backup example-backup \\
      --restore 668596c647fed81696a8a82c
    """
    _write(call, query, lambda view: backup.of_backup(view).restore_logs(restore_id, **query.arguments))


def _write(call: Call, query: LogQuery, read: Callable[[Account], Awaitable[list[LogLine]]]) -> None:
    """Write the lines, as text unless another format is asked for: a log is to be read, or searched."""
    lines = call.read(read, permission=VIEW_LOGS)
    if not lines:
        call.say("there are no lines; a snapshot logs nothing")
    if query.direction is None:
        lines = sorted(lines, key=lambda line: line.ts)
    if call.output in (None, "table"):
        for line in lines:
            click.echo(f"{line.ts.astimezone():%Y-%m-%d %H:%M:%S}  {printable(str(line.log))}")
    elif call.output == "jsonl":
        for line in lines:
            write_data(unstructure(line), call.output)
    else:
        write_data([unstructure(line) for line in lines], call.format)
