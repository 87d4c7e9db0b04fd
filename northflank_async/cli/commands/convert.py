import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from northflank_async.cli.exits import ExitCode, fail, fail_target
from northflank_async.cli.options import (
    QueryOptions,
    allow_empty_option,
    check_csv_option,
    check_schema_option,
    complete_target,
    csv_raw_option,
    filtered_query_options,
    schema_option,
    target_argument,
)
from northflank_async.cli.output import count, notify, without_password
from northflank_async.cli.runner import run_coroutine
from northflank_async.cli.streams import check_stdout
from northflank_async.errors import ConfigurationError, UnknownName
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.names import check_known

if TYPE_CHECKING:
    from northflank_async.inventory.store.stored_backup import StoredRow


@click.command()
@click.argument("source", shell_complete=complete_target)
@target_argument
@filtered_query_options
@schema_option
@allow_empty_option
@csv_raw_option
def convert_inventory(
    source: str, target: str, query: QueryOptions, schema: str | None, allow_empty: bool, csv_raw: bool
) -> None:
    """Write the backups of the database SOURCE to the file TARGET.

    SOURCE is a database that an export wrote: a .db file or postgresql://USER:PASSWORD@HOST/DATABASE. TARGET is a
    file (.jsonl, .csv or .parquet; append .gz or .zst to .jsonl or .csv for a compressed file), or - for JSON Lines on
    standard output. No request is sent. Deleted backups are not included.

    \b
    northflank-async convert inventory.db backups.parquet
    northflank-async convert inventory.db failed.csv --status failed --since 7d
    """
    check_schema_option(schema, source)
    check_csv_option(csv_raw, target)
    if target == "-":
        check_stdout()
    shown = without_password(source)
    try:
        written = run_coroutine(_convert(source, target, query, schema, allow_empty=allow_empty, csv_raw=csv_raw))
    except UnknownName as error:
        fail(f"{error}", ExitCode.NOT_FOUND)
    except ConfigurationError as error:
        fail(f"{error}", ExitCode.CONFIGURATION)
    except OSError as error:
        if target == "-" and error.filename is None:
            raise  # of standard output
        is_source = error.filename in (None, shown)
        fail_target(shown if is_source else target, error, access="read" if is_source else "write")
    to_stdout = target == "-"
    click.echo(f"{count(written, 'backup')} written to {'standard output' if to_stdout else target}", err=to_stdout)


async def _convert(
    source: str, target: str, query: QueryOptions, schema: str | None, *, allow_empty: bool, csv_raw: bool
) -> int:
    with require_extra():
        from northflank_async.inventory.inventory import Inventory
    now = datetime.now(UTC)

    def matches(row: "StoredRow") -> bool:
        return query.matches_stored(row, now)

    async with Inventory(source, schema=schema) if schema else Inventory(source) as inventory:
        addons = await inventory.addons()
        check_known("project", query.projects, await inventory.project_ids())
        check_known("team", query.team_ids, {addon.team_id for addon in addons if addon.team_id})
        check_known("addon of type", query.addon_types, {addon.addon_type for addon in addons if addon.addon_type})
        if target == "-":
            return await inventory.write_lines(sys.stdout.buffer, restores=query.restores, matches=matches)
        return await inventory.export(
            target,
            restores=query.restores,
            matches=matches,
            allow_empty=allow_empty,
            csv_raw=csv_raw,
            on_unwritten=lambda restore: notify(f"restore {restore} is not in the file: its backup is not listed"),
        )
