from datetime import UTC, datetime
from pathlib import Path

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
from northflank_async.errors import ConfigurationError, UnknownName
from northflank_async.inventory.extras import require_extra
from northflank_async.inventory.names import check_known


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
    file (.jsonl, .csv or .parquet; append .gz or .zst to .jsonl or .csv for a compressed file). No request is sent.
    Deleted backups are not included.

    \b
    northflank-async convert inventory.db backups.parquet
    northflank-async convert inventory.db failed.csv --status failed --since 7d
    """
    check_schema_option(schema, source)
    check_csv_option(csv_raw, target)
    shown = without_password(source)
    try:
        written = run_coroutine(_convert(source, target, query, schema, allow_empty=allow_empty, csv_raw=csv_raw))
    except UnknownName as error:
        fail(f"{error}", ExitCode.NOT_FOUND)
    except ConfigurationError as error:
        fail(f"{error}", ExitCode.CONFIGURATION)
    except OSError as error:
        is_source = error.filename in (None, shown)
        fail_target(shown if is_source else target, error, access="read" if is_source else "write")
    click.echo(f"{count(written, 'backup')} written to {target}")


async def _convert(
    source: str, target: str, query: QueryOptions, schema: str | None, *, allow_empty: bool, csv_raw: bool
) -> int:
    with require_extra():
        from northflank_async.inventory.inventory import Inventory
    path, now = Path(target), datetime.now(UTC)
    async with Inventory(source, schema=schema) if schema else Inventory(source) as inventory:
        addons = await inventory.addons()
        check_known("project", query.projects, await inventory.project_ids())
        check_known("team", query.team_ids, {addon.team_id for addon in addons if addon.team_id})
        check_known("addon of type", query.addon_types, {addon.addon_type for addon in addons if addon.addon_type})
        return await inventory.export(
            path,
            restores=query.restores,
            matches=lambda row: query.matches_stored(row, now),
            allow_empty=allow_empty,
            csv_raw=csv_raw,
            on_unwritten=lambda restore: notify(f"restore {restore} is not in the file: its backup is not listed"),
        )
