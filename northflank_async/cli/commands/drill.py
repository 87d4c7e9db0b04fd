import json
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import click

from northflank_async.cli.exits import ExitCode, fail, fail_request
from northflank_async.cli.login import find_login
from northflank_async.cli.options import (
    ApiOptions,
    api_options_with,
    check_schema_option,
    complete_target,
    parse_seconds,
    schema_option,
    yes_option,
)
from northflank_async.cli.output import is_database, notify, without_password
from northflank_async.cli.permissions import PERMISSIONS
from northflank_async.cli.runner import Operation, confirm, run, while_interrupted
from northflank_async.client import Account
from northflank_async.drill import (
    CHECK_TIMEOUT,
    TIMEOUT,
    Drill,
    DrillOutcome,
    Leftover,
    drill,
    find_leftovers,
    remove_leftover,
)
from northflank_async.drill.report import FORMATS, how_to_remove, render
from northflank_async.errors import NorthflankError, printable
from northflank_async.inventory.extras import require_extra

_PERMISSION = f"of {', '.join(PERMISSIONS['drill'])}, what this request needs"
_INTERRUPTED = "interrupted: removing the scratch addon, if there is one. Please wait; another Ctrl-C changes nothing"
_IF_STOPPED = "the scratch addon was removed, unless a line above says otherwise; to look for it: drill --sweep"
_COSTS = "This creates an addon, which costs money"


@click.command()
@click.option(
    "--projectId", "--project", "project_id", metavar="ID", help="Project ID; defaults to the context's project."
)
@click.option("--addonId", "--addon", "addon_id", metavar="ID", help="Addon ID. With --sweep, remove only this addon.")
@click.option("--backupId", "--backup", "backup_id", metavar="ID", help="Defaults to the newest completed backup.")
@click.option("--scratch-project", "scratch_project_id", metavar="ID", help="Project for the scratch addon.")
@click.option("--check", metavar="COMMAND", help="Run this command in a shell; exit code 0 passes.")
@click.option(
    "--check-query", metavar="SQL", help="Run this query on PostgreSQL; its first value must not be 0 or false."
)
@click.option(
    "--check-timeout",
    type=parse_seconds,
    metavar="SECONDS",
    default=str(CHECK_TIMEOUT),
    show_default=True,
    help="Time for each of these checks.",
)
@click.option(
    "--timeout",
    type=parse_seconds,
    metavar="SECONDS",
    default=str(TIMEOUT),
    show_default=True,
    help="Time for the restore and all checks.",
)
@click.option(
    "--inventory", "target", metavar="TARGET", shell_complete=complete_target, help="Store the result in this database."
)
@schema_option
@click.option("--keep", is_flag=True, help="Leave the scratch addon, unless the drill is interrupted.")
@click.option("--allow-source-project", is_flag=True, help="Let the scratch project be the addon's own.")
@click.option("--sweep", is_flag=True, help="Remove what killed drills left, instead of a drill.")
@click.option("--include-running", is_flag=True, help="With --sweep, also addons whose drill may still be running.")
@yes_option
@api_options_with(FORMATS)
def drill_backup(
    options: ApiOptions,
    project_id: str | None,
    addon_id: str | None,
    backup_id: str | None,
    scratch_project_id: str | None,
    check: str | None,
    check_query: str | None,
    check_timeout: float,
    timeout: float,
    target: str | None,
    schema: str | None,
    keep: bool,
    allow_source_project: bool,
    sweep: bool,
    include_running: bool,
    yes: bool,
) -> None:
    """Restore a backup into a scratch addon, check it, and remove the addon.

    A snapshot is forked; a dump is imported into a blank addon and restored there. The scratch addon has the type,
    version, plan and storage of the original, one replica, no external access and no schedules. It costs money while it
    exists. It is removed however the drill ends, unless --keep is given; --sweep removes what a killed drill left.

    The command of --check finds in its environment how to connect: the addon's credentials by their names, such as
    DRILL_PASSWORD, and DRILL_SCRATCH_PROJECT_ID, DRILL_SCRATCH_ADDON_ID, DRILL_BACKUP_ID. It needs a network from which
    the scratch addon can be reached.

    Exit codes: 0 every check passed, 11 the backup could not be restored or a check failed, 12 not done within
    --timeout, 14 nothing was proven, 15 the scratch addon could not be removed; 4 to 8 and 13 a request or the
    inventory failed, as for other commands.

    \b
    northflank-async drill --project default-project --addon example-addon --scratch-project drills --yes
    northflank-async drill --sweep --scratch-project drills
    """
    check_schema_option(schema, target)
    if sweep:
        given: dict[str, object] = {
            "--backup": backup_id,
            "--project": project_id,
            "--check": check,
            "--check-query": check_query,
            "--inventory": target,
            "--keep": keep,
            "--allow-source-project": allow_source_project,
        }
        if wrong := [name for name, value in given.items() if value]:
            raise click.UsageError(f"{wrong[0]} cannot be combined with --sweep.")
        if addon_id is not None and scratch_project_id is None:
            raise click.UsageError("--sweep --addon requires --scratch-project.")
        _sweep(options, scratch_project_id, addon_id, include_running=include_running, yes=yes)
        return
    if include_running:
        raise click.UsageError("--include-running requires --sweep.")
    project_id = project_id or find_login(options.context).project
    for name, value in (("--project", project_id), ("--addon", addon_id), ("--scratch-project", scratch_project_id)):
        if not value:
            raise click.UsageError(f"Missing option '{name}'.")
    if target is not None and not is_database(target):
        raise click.UsageError("--inventory requires a .db file or a postgresql:// URL.")
    arguments = {
        "project_id": project_id,
        "addon_id": addon_id,
        "backup_id": backup_id,
        "scratch_project_id": scratch_project_id,
        "check": check,
        "check_query": check_query,
        "check_timeout": check_timeout,
        "timeout": timeout,
        "keep": keep,
        "allow_source_project": allow_source_project,
    }
    what = "the newest completed backup" if backup_id is None else f"the backup {backup_id}"
    if project_id != scratch_project_id or allow_source_project:  # else it is refused anyway
        question = f"Restore {what} of {addon_id} into a new addon in {scratch_project_id}, which costs money?"
        confirm(question, yes=yes, because=_COSTS)
    _drill(options, arguments, target, schema)


def _drill(options: ApiOptions, arguments: dict[str, Any], target: str | None, schema: str | None) -> None:
    async def work(account: Account) -> Drill:
        if target is None:
            return await while_interrupted(drill(account, **arguments), _INTERRUPTED)
        with require_extra():
            from northflank_async.inventory.inventory import Inventory
        async with Inventory(target, schema=schema) if schema else Inventory(target) as inventory:
            return await while_interrupted(drill(account, **arguments, inventory=inventory), _INTERRUPTED)

    shown = None if target is None else without_password(target)
    operation = Operation(
        permission=_PERMISSION, if_stopped=_IF_STOPPED, if_refused="nothing was created", target=shown, access="use"
    )
    result = run(options, work, operation)
    click.echo(render(result, options.format), nl=False)
    _exit(result, shown)


def _exit(result: Drill, target: str | None) -> None:
    """End the command with the exit code of the result; what costs money comes first."""
    if result.unrecorded is not None:
        notify(f"the result is not in {target}: {result.unrecorded}")
    if result.left_behind is not None:
        fail(f"{result.left_behind}. It costs money; to remove it: {how_to_remove(result)}", ExitCode.LEFT_BEHIND)
    match result.outcome:
        case DrillOutcome.FAILED:
            fail(f"the drill failed: {result.reason}", ExitCode.RUN_FAILED)
        case DrillOutcome.TIMED_OUT:
            fail(f"the drill timed out: {result.reason}", ExitCode.TIMEOUT)
        case DrillOutcome.UNKNOWN:
            if result.error is not None:
                fail_request(result.error, state="the scratch addon was removed", permission=_PERMISSION)
            fail(f"the drill proves nothing: {result.reason}", ExitCode.UNPROVEN)
    if result.unrecorded is not None:
        fail(f"the drill passed, but {target} does not have the result", ExitCode.TARGET)


# Sweeps


def _sweep(
    options: ApiOptions, project_id: str | None, addon_id: str | None, *, include_running: bool, yes: bool
) -> None:
    if options.format == "junit":
        raise click.UsageError("--sweep has no JUnit output.")

    async def find(account: Account) -> list[Leftover]:
        return await find_leftovers(account, None if project_id is None else [project_id])

    found = run(options, find, Operation(permission=_PERMISSION, if_stopped="nothing was removed"))
    if addon_id is not None:
        found = [leftover for leftover in found if leftover.addon_id == addon_id]
        if not found:
            fail(f"no drill created an addon {addon_id} in {project_id}: it is left alone", ExitCode.NOT_FOUND)
    wanted = [
        leftover
        for leftover in found
        if leftover.is_abandoned or addon_id is not None or (include_running and leftover.may_be_running)
    ]
    if options.format == "table":
        _print(found, wanted)
    failures: list[str] = []
    if wanted:
        question = (
            "Delete this addon permanently?" if len(wanted) == 1 else f"Delete these {len(wanted)} addons permanently?"
        )
        confirm(question, yes=yes)

        async def remove(account: Account) -> None:
            for leftover in wanted:
                try:
                    await remove_leftover(account, leftover)
                except NorthflankError as error:
                    failures.append(leftover.addon_id)
                    notify(f"the addon {leftover.addon_id} in {leftover.project_id} could not be removed: {error}")

        run(options, remove, Operation(permission=_PERMISSION, if_stopped="run the same command to continue"))
    if options.format == "json":
        removed = {leftover.addon_id for leftover in wanted} - set(failures)
        click.echo(json.dumps([_as_json(leftover, leftover.addon_id in removed) for leftover in found], indent=1))
    if failures:
        fail(f"{len(failures)} of {len(wanted)} addons could not be removed", ExitCode.LEFT_BEHIND)
    if options.format == "table" and wanted:
        click.echo(f"{len(wanted)} removed")


def _print(found: Sequence[Leftover], wanted: Sequence[Leftover]) -> None:
    if not found:
        click.echo("no drill has left an addon")
    for leftover in found:
        state = "kept on request" if leftover.is_kept else "left by a drill that was killed"
        if leftover.may_be_running:
            state = "its drill may still be running"
        if leftover not in wanted:
            state += ", not removed"
        created = f"{leftover.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        click.echo(printable(f"{leftover.project_id}/{leftover.addon_id}  created {created}  {state}"))


def _as_json(leftover: Leftover, is_removed: bool) -> dict[str, object]:
    return {
        "projectId": leftover.project_id,
        "addonId": leftover.addon_id,
        "drillId": leftover.drill_id,
        "createdAt": leftover.created_at.isoformat(),
        "isKept": leftover.is_kept,
        "mayBeRunning": leftover.may_be_running,
        "isRemoved": is_removed,
    }
