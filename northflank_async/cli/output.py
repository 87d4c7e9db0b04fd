"""Writes results to standard output and messages to standard error.

JSON and YAML are what Northflank's own command line prints.
"""

import json
import re
import sys
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import click

from northflank_async.cli.streams import can_show
from northflank_async.errors import ConfigurationError, RunFailed, printable
from northflank_async.inventory.extras import require_extra
from northflank_async.paging import Paginator
from northflank_async.records import Backup, Restore, unstructure

if TYPE_CHECKING:
    from northflank_async.cli.options import ApiOptions, ListingOptions


_NOT_TEXT_IN_YAML = re.compile(
    r"""
    [-+]? (\d[\d_]*)? (\.[\d_]*)? (e[-+]?\d*)?           # 08, 1_000, .5, 1e3
    | [-+]? 0 (x[\da-f_]* | o[0-7_]* | b[01_]*)            # 0x1F, 0o17
    | [-+]? \d[\d_]* (:\d+)+ (\.[\d_]*)?                   # 12:30:45
    | \d{4}-\d\d?-\d\d? ([t\ \t].*)?                      # 2026-01-01
    | [-+]? \.(inf|nan)
    | null | ~ | true | false | yes | no | on | off | y | n
    | = | <<
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
"""Plain words that are not text to some parser of YAML 1.1 or 1.2."""
_NEEDS_ESCAPES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
"""Characters that a parser drops, refuses, or takes for a line break, unless they are escaped."""


def notify(message: str) -> None:
    """Write a line to standard error."""
    click.echo(f"northflank-async: {message}", err=True)


def count(number: int, noun: str) -> str:
    """Format a number with its noun: `1 addon`, `1,204 backups`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Format a duration in its two largest units: `2 h 59 min`, `1 min 5 s`."""
    hours, rest = divmod(round(seconds), 3600)
    if hours:
        return f"{hours} h {rest // 60} min"
    return f"{rest // 60} min {rest % 60} s" if rest >= 60 else f"{rest} s"


def is_database(target: str) -> bool:
    """Whether the target of an export is a database, not a file of another format or standard output."""
    return "://" in target or target.lower().endswith(".db")


def without_password(target: str) -> str:
    """Show a target without its secrets."""
    if "://" not in target:
        return target
    try:
        with require_extra():
            from northflank_async.inventory.store.target import Target
        return str(Target.parse(target))
    except ConfigurationError:
        return "the database"  # whoever uses the URL reports what is wrong with it


async def write_listing(listing: Paginator[Any], key: str, options: "ListingOptions") -> None:
    """Write a listing's items, which the API sends at `key`: all pages or one, as the options say."""
    pages = listing.raw().pages()
    collected: dict[str, Any] | None = None
    async for page in pages:
        data = {**page.data, key: list(page.items)}
        if options.format == "jsonl":
            write_items(data, key, options.format)  # page by page: a large listing need not fit into memory
        elif collected is None:
            collected = data
        else:
            collected[key] += data[key]
        if not options.all_pages:
            break
    if collected is not None:
        omitted = write_items(collected, key, options.format)
        if omitted and not options.quiet:
            notify(f"not shown: {', '.join(omitted)}; use a wider terminal, or --output json")
    if not pages.ended and not options.quiet:
        place = f"--page {pages.page}" if pages.cursor is None else f"--cursor {printable(pages.cursor)}"
        notify(f"there are more pages: continue with {place}, or fetch all with --loadAll")


async def write_run(ending: Awaitable[Backup | Restore], key: str, format: str) -> None:
    """Write the record of a backup or a restore once it has ended, even if it failed.

    Raises:
        RunFailed: it did not complete.
    """
    try:
        record = await ending
    except RunFailed as error:
        write_item(unstructure(error.record), key, format)
        raise
    write_item(unstructure(record), key, format)


def write_change(message: str, data: dict[str, Any], format: str) -> None:
    """Write what was changed: a message instead of a table, the API's response in other formats."""
    if format == "table":
        click.echo(message)
    else:
        write_data(data, format)


def write_reports(
    reports: list[dict[str, Any]], key: str, options: "ApiOptions", rows: list[dict[str, Any]] | None = None
) -> None:
    """Write an array of objects. A table shows the `rows` instead, if they differ."""
    if options.format == "table":
        omitted = write_items({key: rows or reports}, key, options.format)
        if omitted and not options.quiet:
            notify(f"not shown: {', '.join(omitted)}; use a wider terminal, or --output json")
    elif options.format == "jsonl":
        write_items({key: reports}, key, options.format)
    else:
        write_data(reports, options.format)


def write_items(data: dict[str, Any], key: str, format: str) -> list[str]:
    """Write the array at `key`; JSON and YAML include what surrounds it. Return the columns that a table omits."""
    if format == "table":
        from northflank_async.cli.columns import print_items

        return print_items(data[key], key)
    if format == "jsonl":
        for item in data[key]:
            write_data(item, format)
    else:
        write_data(data, format)
    return []


def write_item(item: Any, key: str, format: str) -> None:
    """Write one item of a listing whose items the API sends at `key`."""
    if format == "table":
        from northflank_async.cli.columns import print_item

        print_item(item, key)
    else:
        write_data(item, format)


def write_data(data: Any, format: str) -> None:
    """Write JSON, one line of it (`jsonl`), or YAML."""
    if format == "yaml":
        click.echo(_yaml(data))  # followed by an empty line, as `northflank` prints it
    elif format == "jsonl":
        click.echo(_json(data, indent=None))
    else:
        click.echo(_json(data, indent=1))


def _json(data: Any, indent: int | None) -> str:
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    if can_show(sys.stdout, text):
        return text
    return json.dumps(data, indent=indent)  # escapes, also for half of a surrogate pair


def _yaml(data: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Indents arrays below their names, and writes no references."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_str(self, data: str) -> yaml.ScalarNode:
            style = '"' if _NEEDS_ESCAPES.search(data) else "'" if _NOT_TEXT_IN_YAML.fullmatch(data) else None
            return self.represent_scalar("tag:yaml.org,2002:str", data, style)

    Dumper.add_representer(str, Dumper.represent_str)

    def dumped(*, allow_unicode: bool) -> str:
        return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=allow_unicode, width=sys.maxsize)

    text = dumped(allow_unicode=True)
    return text if can_show(sys.stdout, text) else dumped(allow_unicode=False)
