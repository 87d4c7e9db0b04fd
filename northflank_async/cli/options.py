"""Declares and parses the options that commands share. Each option is declared once."""

import functools
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict, field, fields_dict, frozen
from click.shell_completion import CompletionItem

from northflank_async import validation
from northflank_async.cli.login import find_contexts, find_login
from northflank_async.cli.streams import at_terminal
from northflank_async.errors import ConfigurationError, DecodeError
from northflank_async.http.request import MAX_PER_PAGE
from northflank_async.records import BackupDestination, BackupType, CompressionType, RunStatus, structure
from northflank_async.validation import check_seconds, did_you_mean

if TYPE_CHECKING:  # only export and plan need an inventory
    from northflank_async.client import Account, Northflank
    from northflank_async.fleet import AccountEntry
    from northflank_async.inventory import Query
    from northflank_async.inventory.store.stored_backup import StoredRow
    from northflank_async.resources import AddonResource, BackupResource

    Client = tuple[AccountEntry | None, Northflank]
    """An open client, with its entry if it is one of several."""

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

FORMATS = ("json", "yaml", "table", "jsonl")
_API_PER_PAGE = 50
"""Items on a page by default, as the API documents it."""
_MAX_CONCURRENCY = 100
_DATABASE_SUFFIX = ".db"
_TIME_UNITS = {"s": 1, "m": 60, "h": 3600}


def combined(*options: Decorator) -> Decorator:
    """Combine options into one decorator; help pages list them in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def grouped(cls: type[Any], argument: str, *options: Decorator) -> Decorator:
    """Combine options, and pass them to the command as one argument of type `cls`, by the names of its fields."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_group(**values: Any) -> Any:
            fields = {name: values.pop(name) for name in fields_dict(cls) if name in values}
            return command(**{argument: cls(**fields)}, **values)

        return combined(*options)(with_group)

    return decorate


class Choice(click.Choice[str]):
    """One of several words; a mistyped one is an error that suggests the most similar."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Name the words, and suggest one."""
        return f"{super().get_invalid_choice_message(value, ctx)}{did_you_mean(str(value), self.choices)}"


def parse_seconds(text: str) -> float:
    """Parse a number of seconds, or one with a unit: `30`, `0.5`, `30s`, `5m`, `2h`."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _TIME_UNITS else (text, "s")
    try:
        seconds = float(number) * _TIME_UNITS[unit]
        check_seconds("it", seconds)
    except ValueError:  # ConfigurationError is one
        raise click.BadParameter(
            f"{text!r} is not a time greater than 0, such as 30 (seconds), 30s, 5m or 2h"
        ) from None
    return seconds


def choice_of(enum: type[StrEnum]) -> Choice:
    """Accept the values of an enumeration."""
    return Choice([member.value for member in enum])


def parse_time(text: str, or_else: str = "") -> datetime:
    """Parse a date or a time, in UTC unless it has a zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is not a date or time such as 2026-11-01 or 2026-11-01T09:30:00+01:00{or_else}"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def parse_since(text: str) -> datetime | timedelta:
    """Parse a date, a time, or a time span before now."""
    return parse_span(text) if validation.is_span(text) else parse_time(text, ", or a time span such as 7d, 12h or 30m")


def parse_span(text: str) -> timedelta:
    """Parse a number of minutes, hours, days or weeks: `30m`, `12h`, `7d`, `2w`."""
    try:
        return validation.parse_span(text)
    except ConfigurationError as error:
        raise click.BadParameter(f"{error}") from None


# Login, messages and output


@frozen(kw_only=True)
class ConnectionOptions:
    """How a command connects, and how much it writes to standard error."""

    context: str | None = None
    deadline: float | None = None
    proxy: str | None = field(default=None, repr=False)
    verbose: bool = False
    quiet: bool = False

    @property
    def client_arguments(self) -> dict[str, Any]:
        """The arguments of the client, besides its login."""
        return {"proxy": self.proxy}


@frozen(kw_only=True)
class ApiOptions(ConnectionOptions):
    """The options of every command that calls the API and writes its response."""

    team_id: str | None = None
    output: str | None

    @property
    def format(self) -> str:
        """The output format: by default a table at a terminal and JSON elsewhere."""
        return self.output or ("table" if at_terminal(sys.stdout) else "json")


_deadline_option = click.option(
    "--deadline",
    type=parse_seconds,
    metavar="SECONDS",
    help="Stop after this time, waits for the rate limit included: 90, 30s, 5m, 2h.",
)
_proxy_option = click.option("--proxy", metavar="URL", help="Use this HTTP proxy; defaults to HTTPS_PROXY.")
_message_options = (
    click.option("--verbose", is_flag=True, help="Log every request and how many remain."),
    click.option("--quiet", is_flag=True, help="Print only the result."),
)
_connection_options = (
    click.option("--context", metavar="NAME", is_eager=True, help="Use this context of the northflank CLI."),
    _deadline_option,
    _proxy_option,
    *_message_options,
)
_team_option = click.option("--teamId", "--team", "team_id", metavar="ID", help="Use this team's routes.")


def _output_option_of(formats: Sequence[str]) -> Decorator:
    return click.option("-o", "--output", type=Choice(formats), help="Defaults to table at a terminal, else json.")


def api_options_with(formats: Sequence[str]) -> Decorator:
    """The options of a command that calls the API and writes its result in formats of its own."""
    return grouped(ApiOptions, "options", _team_option, _output_option_of(formats), *_connection_options)


_output_option = _output_option_of(FORMATS)
_api_options = (_team_option, _output_option, *_connection_options)
api_options = grouped(ApiOptions, "options", *_api_options)


# Several accounts


@frozen(kw_only=True)
class AccountsOptions:
    """Which accounts a command reads; by default the one that other commands use."""

    file: Path | None
    contexts: tuple[str, ...]
    all_contexts: bool

    def __attrs_post_init__(self) -> None:
        if (self.file is not None) + bool(self.contexts) + self.all_contexts > 1:
            raise click.UsageError("--accounts, --context and --all-contexts cannot be combined.")

    @property
    def are_named(self) -> bool:
        """Whether any option names accounts."""
        return self.file is not None or bool(self.contexts) or self.all_contexts

    @property
    def context(self) -> str | None:
        """The only context that is named."""
        return self.contexts[0] if len(self.contexts) == 1 else None

    def find_several(self) -> "list[AccountEntry]":
        """Find the accounts, unless the options name one context at most: that is the login of one account.

        Raises:
            ConfigurationError: the accounts file or a context cannot be used.
        """
        return self.find() if self.file is not None or self.all_contexts or len(self.contexts) > 1 else []

    def find(self) -> "list[AccountEntry]":
        """Find the accounts; none if the options name none.

        Raises:
            ConfigurationError: the accounts file or a context cannot be used.
        """
        if self.file is not None:
            from northflank_async.fleet import load_accounts

            return load_accounts(self.file)
        return find_contexts(None if self.all_contexts else self.contexts)


_report_output_option = click.option("-o", "--output", type=Choice(FORMATS), default="table", help="Defaults to table.")
report_options = grouped(ApiOptions, "options", _report_output_option, _proxy_option, *_message_options)
"""The options of a command that reports about accounts."""
message_options = grouped(ConnectionOptions, "options", _proxy_option, *_message_options)
"""The options of a command that writes messages only."""
accounts_file_option = click.option(
    "--accounts",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read the accounts of this TOML file, which names where their tokens are.",
)
accounts_options = grouped(
    AccountsOptions,
    "accounts",
    accounts_file_option,
    click.option(
        "--context",
        "contexts",
        metavar="NAME",
        multiple=True,
        help="Use this context of the northflank CLI; repeatable.",
    ),
    click.option("--all-contexts", is_flag=True, help="Use all contexts of the northflank CLI."),
)


# Listings


@frozen(kw_only=True)
class ListingOptions(ApiOptions):
    """The options of every command that writes a listing: also which of its pages are fetched."""

    per_page: int | None
    page: int | None
    cursor: str | None
    load_all: bool

    def __attrs_post_init__(self) -> None:
        if self.load_all and self._is_one_page:
            raise click.UsageError("--loadAll cannot be combined with --page or --cursor.")
        if self.page is not None and self.cursor is not None:
            raise click.UsageError("--page cannot be combined with --cursor.")

    @property
    def _is_one_page(self) -> bool:
        return self.page is not None or self.cursor is not None

    @property
    def all_pages(self) -> bool:
        """Whether all pages are fetched. A table shows one page by default."""
        return self.load_all or (self.format != "table" and not self._is_one_page)

    @property
    def paging(self) -> dict[str, Any]:
        """The paging arguments of the library."""
        per_page = self.per_page or (MAX_PER_PAGE if self.all_pages else _API_PER_PAGE)
        return {"per_page": per_page, "page": self.page, "cursor": self.cursor}


listing_options = grouped(
    ListingOptions,
    "options",
    click.option("--per_page", type=click.IntRange(1, MAX_PER_PAGE), metavar="NUMBER", help="Items per request."),
    click.option("--page", type=click.IntRange(min=1), metavar="NUMBER", help="Fetch only this page."),
    click.option("--cursor", metavar="CURSOR", help="Fetch only the page at this cursor."),
    click.option("--loadAll", "load_all", is_flag=True, help="Fetch all pages, for a table as well."),
    *_api_options,
)


# Addresses


@frozen(kw_only=True)
class AddonAddress:
    """The ids of an addon."""

    project_id: str
    addon_id: str

    def addon(self, account: "Account") -> "AddonResource":
        return account.project(self.project_id).addon(self.addon_id)


@frozen(kw_only=True)
class BackupAddress(AddonAddress):
    """The ids of a backup."""

    backup_id: str

    def backup(self, account: "Account") -> "BackupResource":
        return self.addon(account).backup(self.backup_id)


def _or_default_project(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The given project, or the context's."""
    if value is not None or ctx.resilient_parsing:
        return value
    project = find_login(ctx.params.get("context")).project
    if project is None:
        raise click.MissingParameter(ctx=ctx, param=parameter)
    return project


project_option = click.option(
    "--projectId",
    "--project",
    "project_id",
    metavar="ID",
    callback=_or_default_project,
    help="Project ID; defaults to the context's project.",
)
_addon_option = click.option("--addonId", "--addon", "addon_id", metavar="ID", required=True, help="Addon ID.")
_backup_option = click.option("--backupId", "--backup", "backup_id", metavar="ID", required=True, help="Backup ID.")
addon_options = grouped(AddonAddress, "address", project_option, _addon_option)
backup_options = grouped(BackupAddress, "address", project_option, _addon_option, _backup_option)
restore_option = click.option("--restoreId", "--restore", "restore_id", metavar="ID", required=True, help="Restore ID.")
schedule_option = click.option(
    "--scheduleId", "--schedule", "schedule_id", metavar="ID", required=True, help="Schedule ID."
)


@frozen(kw_only=True)
class Source:
    """The addon that made a global backup."""

    source_project_id: str | None
    source_addon_id: str | None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the library."""
        return asdict(self)


source_options = grouped(
    Source,
    "source",
    click.option("--sourceProjectId", "source_project_id", metavar="ID", help="Source project of a global backup."),
    click.option("--sourceAddonId", "source_addon_id", metavar="ID", help="Source addon of a global backup."),
)


# Changes


def _only_with_wait(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not ctx.params.get("wait"):
        raise click.UsageError("--timeout requires --wait.")
    return value


yes_option = click.option("--yes", "--force", "yes", is_flag=True, help="Skip the confirmation prompt.")
wait_options = combined(
    click.option("--wait", is_flag=True, is_eager=True, help="Wait until it ends; exit with code 11 if it fails."),
    click.option(
        "--timeout",
        type=parse_seconds,
        metavar="SECONDS",
        callback=_only_with_wait,
        help="Stop waiting after this time.",
    ),
)


@frozen(kw_only=True)
class Body:
    """A request body in the documented JSON, as text or in a file; both are `None` without one."""

    input: str | None
    file: Path | None

    def arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Merge the body with options, which take precedence, into the arguments of the library.

        Raises:
            click.UsageError: the body cannot be read, or has a field that no option matches.
        """
        body = self._read()
        body |= body.pop("scheduling", None) or {}
        fields = {re.sub("_([a-z])", lambda letter: letter[1].upper(), name): name for name in options}
        if unknown := sorted(body.keys() - fields.keys() - options.keys()):
            suggestion = did_you_mean(unknown[0], fields)
            raise click.UsageError(f"The input has unknown fields: {', '.join(unknown)}.{suggestion}")
        arguments = {fields.get(name, name): value for name, value in body.items()}
        if destinations := arguments.get("additional_destinations"):
            arguments["additional_destinations"] = _structure_destinations(destinations)
        return {**arguments, **{name: value for name, value in options.items() if value not in (None, ())}}

    def _read(self) -> dict[str, Any]:
        if self.input is None and self.file is None:
            return {}
        import yaml

        try:
            text = self.file.read_text(encoding="utf-8") if self.input is None and self.file else self.input
            content = yaml.safe_load(text or "")
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
            raise click.UsageError("The input is neither JSON nor YAML.") from None
        if not isinstance(content, dict) or not isinstance(content.get("scheduling", {}), dict):
            raise click.UsageError("The input is not an object of the documented shape.")
        return {str(name): value for name, value in content.items()}


def _structure_destinations(raw: Any) -> tuple[BackupDestination, ...]:
    try:
        return structure(raw, tuple[BackupDestination, ...], "additionalDestinations")
    except DecodeError as error:
        raise click.UsageError(f"{error}") from None


def _parse_destinations(
    ctx: click.Context, parameter: click.Parameter, values: Iterable[str]
) -> tuple[BackupDestination, ...]:
    """Parse `ID` or `ID:DAYS`."""
    destinations = []
    for value in values:
        name, colon, days = value.partition(":")
        if colon and not days.isdecimal():
            raise click.BadParameter(f"{value!r} is not like offsite-bucket or offsite-bucket:30", ctx, parameter)
        destinations.append(BackupDestination(destination_id=name, retention_time=int(days) if colon else None))
    return tuple(destinations)


body_options = grouped(
    Body,
    "body",
    click.option("-i", "--input", metavar="JSON", help="Request body as JSON; options override it."),
    click.option(
        "-f",
        "--file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Read the request body from a JSON or YAML file.",
    ),
)
storage_options = combined(
    click.option("--backupType", "backup_type", type=choice_of(BackupType), help="Defaults to snapshot."),
    click.option("--compressionType", "compression_type", type=choice_of(CompressionType), help="Only for dumps."),
    click.option("--customDestinationId", "custom_destination_id", metavar="ID", help="Destination of a dump."),
    click.option(
        "--additionalDestination",
        "additional_destinations",
        metavar="ID[:DAYS]",
        multiple=True,
        callback=_parse_destinations,
        help="Additional destination of a snapshot; repeatable.",
    ),
)
"""How and where a backup is stored."""


# Inventories


def complete_target(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a file that exists, or the ending of a new one."""
    from northflank_async.inventory.formats import ENDINGS

    path = Path(incomplete)
    if incomplete.endswith("/") or not path.name or any(path.parent.glob(f"{escape(path.name)}*")):
        return [CompletionItem(incomplete, type="file")]  # the shell lists them
    endings = [*ENDINGS, _DATABASE_SUFFIX]
    stems = [incomplete[: dot.start()] for dot in re.finditer(r"\.", incomplete)]
    names = [stem + ending for stem in stems for ending in endings if (stem + ending).startswith(incomplete)]
    return [CompletionItem(name) for name in names or [incomplete + ending for ending in endings]]


target_argument = click.argument("target", shell_complete=complete_target)
optional_target_argument = click.argument("target", required=False, shell_complete=complete_target)


@frozen(kw_only=True)
class QueryOptions:
    """Which part of an inventory is wanted."""

    projects: tuple[str, ...]
    team_ids: tuple[str, ...]
    addon_types: tuple[str, ...]
    restores: bool = False
    schedules: bool = False
    since: datetime | timedelta | None = None
    statuses: tuple[str, ...] = ()

    def of_each(self, clients: "Iterable[Client]") -> "list[Query]":
        """Build the query of each open client.

        Raises:
            click.UsageError: projects or teams are named for several accounts.
        """
        from northflank_async.inventory import Query

        filters: dict[str, Any] = {
            "addon_types": self.addon_types,
            "statuses": self.statuses,
            "since": self.since,
            "restores": self.restores,
            "schedules": self.schedules,
        }
        queries = []
        for entry, nf in clients:
            if entry is None:
                teams = [nf.team(team_id) for team_id in self.team_ids]
                queries.append(Query(teams or nf, projects=self.projects or None, **filters))
            elif self.projects or self.team_ids:
                raise click.UsageError("--project and --team are for one account: name them in the accounts file.")
            else:
                queries.append(entry.query(nf, **filters))
        return queries

    def matches_stored(self, row: "StoredRow", now: datetime) -> bool:
        """Whether a row of an inventory is wanted. What cannot be judged is."""
        if self.projects and row.project_id not in self.projects:
            return False
        if self.team_ids and row.team_id not in self.team_ids:
            return False
        if self.addon_types and row.addon_type is not None and row.addon_type not in self.addon_types:
            return False
        status, created_at = getattr(row, "status", None), getattr(row, "created_at", None)
        since = now - self.since if isinstance(self.since, timedelta) else self.since
        if since is not None and created_at is not None and created_at < since:
            return False
        return not self.statuses or status is None or status in self.statuses


_place_options = (
    click.option(
        "--projectId", "--project", "projects", metavar="ID", multiple=True, help="Only this project; repeatable."
    ),
    click.option(
        "--teamId", "--team", "team_ids", metavar="ID", multiple=True, help="Use this team's routes; repeatable."
    ),
    click.option(
        "--addon-type", "addon_types", metavar="TYPE", multiple=True, help="Only addons of this type; repeatable."
    ),
)
_query_options = (*_place_options, click.option("--restores", is_flag=True, help="Include restores."))
_filter_options = (
    click.option(
        "--since",
        type=parse_since,
        metavar="TIME",
        help="Only backups created since this date or time, in UTC unless it has a zone, or in the last 7d, 12h, …",
    ),
    click.option(
        "--status",
        "statuses",
        type=choice_of(RunStatus),
        metavar="STATUS",
        multiple=True,
        help=f"Only backups with this status ({', '.join(RunStatus)}); repeatable.",
    ),
)
_schedules_option = click.option("--schedules", is_flag=True, help="Include backup schedules; requires a database.")
place_options = grouped(QueryOptions, "query", *_place_options)
query_options = grouped(QueryOptions, "query", *_query_options, _schedules_option)
filtered_query_options = grouped(QueryOptions, "query", *_query_options, *_filter_options)
"""For what is stored."""
export_query_options = grouped(QueryOptions, "query", *_query_options, _schedules_option, *_filter_options)
schema_option = click.option(
    "--schema", metavar="NAME", help="Schema of the tables in PostgreSQL.", show_default="northflank"
)


policy_option = click.option(
    "--policy",
    "policy_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Rules, overrides and waivers, as TOML.",
)
max_data_age_option = click.option(
    "--max-data-age", type=parse_span, metavar="SPAN", help="The oldest data that can be judged.  [default: 26h]"
)


def check_schema_option(schema: str | None, target: str | None) -> None:
    """Refuse a schema for what has none.

    Raises:
        click.UsageError: a schema is given, and the target is not in PostgreSQL.
    """
    if schema is not None and "://" not in (target or ""):
        raise click.UsageError("--schema requires a postgresql:// URL.")


allow_empty_option = click.option(
    "--allow-empty", is_flag=True, help="Let a file with backups be replaced by one without any."
)
csv_raw_option = click.option(
    "--csv-raw", is_flag=True, help="Write CSV text unchanged, even if a spreadsheet takes it for a formula."
)


def check_csv_option(csv_raw: bool, target: str) -> None:
    """Refuse an option of CSV for another format.

    Raises:
        click.UsageError: the option is given, and the target is not a CSV file.
    """
    if csv_raw and not target.lower().endswith((".csv", ".csv.gz", ".csv.zst")):
        raise click.UsageError("--csv-raw requires a .csv file.")


@frozen(kw_only=True)
class StoreOptions:
    """How an inventory is stored."""

    strict: bool
    schema: str | None
    resume_max_age: timedelta
    allow_mass_deletion: bool
    allow_empty: bool
    csv_raw: bool

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of the library."""
        given = asdict(self)
        return {name: value for name, value in given.items() if value is not None}


store_options = grouped(
    StoreOptions,
    "store",
    click.option(
        "--strict",
        is_flag=True,
        help="If anything could not be read, write no file, or leave a database's export unfinished.",
    ),
    schema_option,
    click.option(
        "--resume-max-age",
        type=parse_span,
        metavar="SPAN",
        default="24h",
        show_default=True,
        help="Resume an interrupted export only if it started within this time.",
    ),
    click.option(
        "--allow-mass-deletion",
        is_flag=True,
        help="Mark projects and addons as deleted even if all or most of them are gone.",
    ),
    allow_empty_option,
    csv_raw_option,
)


@frozen(kw_only=True)
class CrawlOptions(ConnectionOptions):
    """The options of every command that reads many addons: how it connects, and how fast it reads."""

    simulate: bool = False
    concurrency: int
    reserve: int
    timeout: float
    attempts: int

    @property
    def client_arguments(self) -> dict[str, Any]:
        """The arguments of the client, besides its login."""
        return {
            **super().client_arguments,
            "reserve": self.reserve,
            "timeout": self.timeout,
            "attempts": self.attempts,
        }


def _concurrency_option(default: int, help: str) -> Decorator:
    return click.option(
        "--concurrency",
        type=click.IntRange(1, _MAX_CONCURRENCY),
        metavar="NUMBER",
        default=default,
        show_default=True,
        help=help,
    )


_request_options = (
    click.option(
        "--reserve",
        type=click.IntRange(min=0),
        metavar="NUMBER",
        default=0,
        show_default=True,
        help="Requests of each rate limit window to leave to others.",
    ),
    click.option(
        "--timeout",
        type=parse_seconds,
        metavar="SECONDS",
        default="30",
        show_default=True,
        help="Time for one attempt of a request.",
    ),
    click.option(
        "--attempts",
        type=click.IntRange(min=1),
        metavar="NUMBER",
        default=5,
        show_default=True,
        help="Attempts of a request, including the first.",
    ),
)
crawl_options = grouped(
    CrawlOptions,
    "options",
    _concurrency_option(16, "Requests in flight."),
    *_request_options,
    click.option("--simulate", is_flag=True, help="Read a simulated inventory; needs no token."),
    _deadline_option,
    _proxy_option,
    *_message_options,
)
mirror_options = grouped(
    CrawlOptions,
    "options",
    _concurrency_option(2, "Downloads at a time."),
    *_request_options,
    _deadline_option,
    _proxy_option,
    *_message_options,
)
