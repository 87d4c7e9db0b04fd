"""The options that commands have in common. Each is declared here, and says the same wherever it is."""

import functools
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import attrs
import click

from northflank_async.cli.exits import ExitCode, fail
from northflank_async.cli.login import find_login
from northflank_async.client import Account
from northflank_async.errors import ConfigurationError
from northflank_async.http.request import MAX_PER_PAGE
from northflank_async.resources import AddonResource, BackupResource

Command = Callable[..., Any]
FORMATS = ("json", "yaml", "table", "jsonl")
_API_PAGE = 50
"""Items that the API sends where nobody says how many."""


def words(enum: type[StrEnum]) -> click.Choice[str]:
    """One of an enum's values."""
    return click.Choice([member.value for member in enum])


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Give a command several options, in this order on its page of help."""

    def decorate(command: Command) -> Command:
        for each in reversed(options):
            command = each(command)
        return command

    return decorate


def collected(cls: type[Any], argument: str, *options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Give a command several options, which reach it as one `cls`; their names are its fields."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_object(**given: Any) -> Any:
            fields = {name: given.pop(name) for name in attrs.fields_dict(cls) if name in given}
            return command(**{argument: cls(**fields)}, **given)

        return together(*options)(with_object)

    return decorate


def _or_default_project(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The project that was named, or the login's."""
    if value is not None or ctx.resilient_parsing:
        return value
    try:
        project = find_login(ctx.params.get("context")).project
    except ConfigurationError as error:
        fail(f"{error}", ExitCode.CONFIGURATION)
    if project is None:
        raise click.MissingParameter(ctx=ctx, param=parameter)
    return project


def _only_with_wait(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not ctx.params.get("wait"):
        raise click.UsageError("--timeout needs --wait.")
    return value


connection_options = (
    click.option("--context", metavar="NAME", is_eager=True, help="A login of Northflank's own command line."),
    click.option("--verbose", is_flag=True, help="Say each request, and what is left of the hour."),
    click.option("--quiet", is_flag=True, help="Nothing but the result."),
)

project_option = click.option(
    "--projectId", "--project", "project_id", metavar="ID", callback=_or_default_project,
    help="The project; else the login's.",
)  # fmt: skip
addon_option = click.option("--addonId", "--addon", "addon_id", metavar="ID", required=True, help="The addon.")
backup_option = click.option("--backupId", "--backup", "backup_id", metavar="ID", required=True, help="The backup.")
restore_option = click.option(
    "--restoreId", "--restore", "restore_id", metavar="ID", required=True, help="The restore."
)
schedule_option = click.option(
    "--scheduleId", "--schedule", "schedule_id", metavar="ID", required=True, help="The schedule."
)
team_option = click.option("--teamId", "--team", "team_id", metavar="ID", help="The team whose routes are used.")
output_option = click.option("-o", "--output", type=click.Choice(FORMATS), help="A table on a terminal, else JSON.")
yes_option = click.option("--yes", "--force", "yes", is_flag=True, help="Do not ask.")
wait_options = together(
    click.option("--wait", is_flag=True, is_eager=True, help="Wait until it has ended; exit code 11 if it has failed."),
    click.option(
        "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", callback=_only_with_wait,
        help="Wait no longer.",
    ),
)  # fmt: skip


@attrs.frozen(kw_only=True)
class AddonAddress:
    """An addon, as it was named."""

    project_id: str
    addon_id: str

    def of(self, view: Account) -> AddonResource:
        """The addon."""
        return view.project(self.project_id).addon(self.addon_id)


@attrs.frozen(kw_only=True)
class BackupAddress(AddonAddress):
    """A backup, as it was named."""

    backup_id: str

    def of_backup(self, view: Account) -> BackupResource:
        """The backup."""
        return self.of(view).backup(self.backup_id)


addon_options = collected(AddonAddress, "addon", project_option, addon_option)
backup_options = collected(BackupAddress, "backup", project_option, addon_option, backup_option)


@attrs.frozen(kw_only=True)
class Source:
    """For a global backup: whose addon made it."""

    source_project_id: str | None
    source_addon_id: str | None

    @property
    def arguments(self) -> dict[str, Any]:
        """As the library takes them."""
        return attrs.asdict(self)


source_options = collected(
    Source,
    "source",
    click.option(
        "--sourceProjectId", "source_project_id", metavar="ID", help="Of a global backup: the project it is of."
    ),
    click.option(
        "--sourceAddonId", "source_addon_id", metavar="ID", help="Of a global backup: the addon that made it."
    ),
)


@attrs.frozen(kw_only=True)
class Paging:
    """Which pages of a listing are read."""

    per_page: int | None
    page: int | None
    cursor: str | None
    load_all: bool

    def __attrs_post_init__(self) -> None:
        if self.load_all and self._begins_somewhere:
            raise click.UsageError("--loadAll does not go with --page or --cursor.")
        if self.page is not None and self.cursor is not None:
            raise click.UsageError("--page does not go with --cursor.")

    @property
    def _begins_somewhere(self) -> bool:
        return self.page is not None or self.cursor is not None

    def whole(self, output: str) -> bool:
        """Whether all pages are read: a table is of one page, unless all are asked for."""
        return self.load_all or (output != "table" and not self._begins_somewhere)

    def arguments(self, output: str) -> dict[str, Any]:
        """As the library takes them."""
        per_page = self.per_page or (MAX_PER_PAGE if self.whole(output) else _API_PAGE)
        return {"per_page": per_page, "page": self.page, "cursor": self.cursor}


paging_options = collected(
    Paging,
    "paging",
    click.option(
        "--per_page", type=click.IntRange(1, MAX_PER_PAGE), metavar="NUMBER",
        help=f"Items a request, {MAX_PER_PAGE} at the most.",
    ),
    click.option("--page", type=click.IntRange(min=1), metavar="NUMBER", help="Only this page."),
    click.option("--cursor", metavar="CURSOR", help="Only the page that begins there."),
    click.option("--loadAll", "load_all", is_flag=True, help="All pages, also in a table."),
)  # fmt: skip


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed, at a terminal; elsewhere it has to be said beforehand.

    Raises:
        click.UsageError: nobody can be asked.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("This destroys something, and there is no terminal to ask at: it needs --yes.")
    try:
        if click.confirm(question, err=True):
            return
    except click.Abort:  # Ctrl-C or Ctrl-D
        click.echo(err=True)
    fail("nothing was done", ExitCode.DECLINED)
