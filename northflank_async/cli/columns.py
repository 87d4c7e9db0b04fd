"""Tables for people: local times with ages, sizes in human units, statuses in color."""

import calendar
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from attrs import evolve, frozen
from rich.console import Console, JustifyMethod
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from northflank_async.cli.streams import at_terminal
from northflank_async.errors import DecodeError, printable
from northflank_async.records import structure

_STATUS_STYLES = {
    "completed": "green",
    "valid": "green",
    "running": "green",
    "scheduled": "cyan",
    "in-progress": "cyan",
    "aborting": "yellow",
    "aborted": "yellow",
    "failed": "bold red",
    "rejected": "bold red",
    "error": "bold red",
    "not-supported": "dim",
}
_WIDEST = 1000
"""Columns of output that is not a terminal."""
_GAP = 2
_TEXT_WIDTH = 12
"""A text may wrap at this width."""
_UNITS = ((365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def text(value: Any) -> Text:
    """Show any value as the API sent it, on one line."""
    if isinstance(value, list):
        return Text(", ".join(text(item).plain for item in value))
    return Text("" if value is None else printable(str(value)))


def status(value: Any) -> Text:
    """Show a status in its color."""
    return Text(text(value).plain, style=_STATUS_STYLES.get(str(value), ""))


def size(value: Any) -> Text:
    """Show bytes in human units."""
    try:
        return Text(decimal(int(value)))
    except (TypeError, ValueError):
        return text(value)


def time(value: Any) -> Text:
    """Show a time in the local zone, and its age."""
    try:
        moment = structure(value, datetime, "time")
        return Text.assemble(f"{moment.astimezone():%Y-%m-%d %H:%M} ", (f"({age(datetime.now(UTC) - moment)})", "dim"))
    except (DecodeError, OverflowError):
        return text(value)


def date(value: Any) -> Text:
    """Show a time in the local zone, without its age."""
    shown = time(value)
    return Text(shown.plain.partition(" (")[0])


def age(span: timedelta) -> str:
    """Format a time span in its largest unit: `3 h ago`, `in 1 min`."""
    seconds = round(span.total_seconds())
    length, unit = next(((length, unit) for length, unit in _UNITS if abs(seconds) >= length), (1, "s"))
    number = f"{abs(seconds) // length} {unit}"
    return f"{number} ago" if seconds >= 0 else f"in {number}"


def days(value: Any) -> Text:
    """Show a number of days."""
    return text(value) if value is None else text(f"{value} d")


def weekdays(value: Any) -> Text:
    """Show days of the week; the API's 0 is Monday."""
    try:
        return Text(", ".join(calendar.day_abbr[number] for number in value))
    except (TypeError, IndexError):
        return text(value)


def destinations(value: Any) -> Text:
    """Show the ids of additional destinations."""
    try:
        return text([destination["destinationId"] for destination in value])
    except (TypeError, KeyError):
        return text(value)


@frozen
class Column:
    """A column: its title, the path of its value in an item's JSON (`config.size`), and how to show it."""

    title: str
    path: str
    show: Callable[[Any], Text] = text
    rank: int | None = 0
    """The columns of the highest rank are omitted first if a listing is too wide; `None` is not part of listings."""

    def cell(self, item: Any) -> Text:
        """Show the value of an item."""
        for name in self.path.split("."):
            item = item.get(name) if isinstance(item, dict) else None
        return self.show(item)

    @property
    def wraps(self) -> bool:
        """Whether values may wrap. Ids do not: they are there to be copied."""
        return self.show in (text, destinations) and self.path not in ("id", "backupId")


TABLES = {
    "projects": [Column("ID", "id"), Column("Name", "name"), Column("Description", "description", rank=1)],
    "addons": [
        Column("ID", "id"),
        Column("Type", "spec.type", rank=1),
        Column("Status", "status", status),
        Column("Name", "name", rank=2),
        Column("Description", "description", rank=3),
    ],
    "backups": [
        Column("ID", "id"),
        Column("Status", "status", status),
        Column("Created", "createdAt", time, rank=1),
        Column("Completed", "completedAt", time, rank=None),
        Column("Size", "config.size", size, rank=2),
        Column("Source", "config.source.type", rank=4),
        Column("Compression", "config.compressionType", rank=None),
        Column("Addon version", "config.addonVersion", rank=None),
        Column("Destination", "customDestinationId", rank=None),
        Column("Additional destinations", "config.additionalDestinations", destinations, rank=None),
        Column("Name", "name", rank=None),
        Column("UID", "uid", rank=None),
        Column("Last restore", "lastRestore.status", status, rank=3),
        Column("Restore started", "lastRestore.restoreTimestamp", time, rank=None),
        Column("Restore completed", "lastRestore.completedAt", time, rank=None),
    ],
    "restores": [
        Column("ID", "id"),
        Column("Status", "status", status),
        Column("Started", "restoreTimestamp", time, rank=1),
        Column("Completed", "completedAt", time, rank=3),
        Column("Backup", "backupId", rank=2),
    ],
    "schedules": [
        Column("ID", "id"),
        Column("Type", "backupType", rank=1),
        Column("Interval", "scheduling.interval"),
        Column("Day", "scheduling.day", weekdays, rank=2),
        Column("Hour", "scheduling.hour", rank=2),
        Column("Minute", "scheduling.minute", rank=2),
        Column("Retention", "retentionTime", days, rank=3),
        Column("Compression", "backupCompressionType", rank=6),
        Column("Destination", "customDestinationId", rank=4),
        Column("Additional destinations", "additionalDestinations", destinations, rank=5),
        Column("Updated", "updatedAt", time, rank=7),
    ],
    "addonTypes": [
        Column("Type", "type"),
        Column("Name", "name", rank=1),
        Column("Versions", "versions"),
        Column("Scope", "scope", rank=2),
        Column("Description", "description", rank=3),
    ],
    "backupDestinations": [
        Column("ID", "id"),
        Column("Name", "name", rank=2),
        Column("Usage", "usage", rank=1),
        Column("Bucket", "credentials.bucketName"),
        Column("Prefix", "prefix", rank=3),
        Column("Description", "description", rank=5),
        Column("Created", "createdAt", time, rank=4),
    ],
    "auth": [
        Column("Account", "entityId"),
        Column("Account type", "entityType"),
        Column("Token", "id"),
        Column("Name", "name"),
        Column("Token kind", "tokenKind"),
        Column("Role", "role.name"),
        Column("Projects", "projectRestrictions.projects"),
        Column("Restriction", "projectRestrictions.restrictionMode"),
        Column("Created", "createdAt", time),
        Column("Expires", "expiresAt", time),
    ],
    "checkups": [
        Column("Account", "account", status),
        Column("Token", "token", status),
        Column("Kind", "kind", status, rank=3),
        Column("Role", "role", rank=2),
        Column("Expires", "expires", time),
        Column("Commands", "commands", rank=1),
        Column("Projects", "projects", rank=4),
        Column("Requests left", "left", status, rank=5),
        Column("Clock", "clock", status, rank=6),
    ],
    "states": [
        Column("Account", "account", status),
        Column("State", "state", status),
        Column("Last success", "lastSuccessAt", time),
        Column("Next", "nextRunAt", time, rank=1),
        Column("Running on", "runningOn", status, rank=2),
        Column("Failures", "failures", status),
        Column("Error", "error", rank=3),
    ],
}
"""The columns of each listing, by the name that the API gives its items."""


@frozen(eq=False)
class _Filled:
    """A column with its cells, and the widths that it needs at most and at least."""

    column: Column
    cells: list[Text]
    most: int
    least: int

    @classmethod
    def of(cls, column: Column, items: list[Any]) -> Self:
        """Fill a column with the values of items."""
        cells = [column.cell(item) for item in items]
        most = max([len(column.title), *(cell.cell_len for cell in cells)])
        return cls(column, cells, most, min(most, max(_TEXT_WIDTH, len(column.title))) if column.wraps else most)


def print_items(items: list[Any], key: str) -> list[str]:
    """Print a row for each item. Return the titles of the columns that are omitted because they do not fit.

    Empty columns are omitted, too. If not even the most important columns fit, each item is a paragraph.
    """
    console = _console()
    columns = [column for column in TABLES[key] if column.rank is not None]
    filled = [shown for shown in (_Filled.of(column, items) for column in columns) if any(shown.cells)]
    if not filled:
        console.print("none")
    elif fitting := _fit(filled, items, console.width):
        console.print(_rows(fitting, console.width))
        titles = {shown.column.title for shown in fitting}
        return [shown.column.title for shown in filled if shown.column.title not in titles]
    else:
        for number, item in enumerate(items):
            if number:
                console.print()
            _print_paragraph(console, item, columns)
    return []


def print_item(item: Any, key: str) -> None:
    """Print an item, one line for each value."""
    _print_paragraph(_console(), item, TABLES[key])


def _fit(filled: list[_Filled], items: list[Any], width: int) -> list[_Filled]:
    """Make columns fit: times lose their ages and texts wrap, then columns are omitted; all if that is not enough."""
    if _total(shown.most for shown in filled) <= width:
        return filled
    kept = [
        _Filled.of(evolve(shown.column, show=date), items) if shown.column.show is time else shown for shown in filled
    ]
    while _total(shown.least for shown in kept) > width:
        least_important = max(reversed(kept), key=lambda shown: shown.column.rank or 0)
        if not least_important.column.rank:
            return []
        kept.remove(least_important)
    return kept


def _total(widths: Iterable[int]) -> int:
    each = list(widths)
    return sum(each) + _GAP * (len(each) - 1)


def _rows(filled: list[_Filled], width: int) -> Table:
    """Build a row for each item. Ids, statuses and dates do not wrap."""
    fits = _total(shown.most for shown in filled) <= width
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for shown in filled:
        justify: JustifyMethod = "right" if shown.column.show is size else "left"
        fixed = shown.most if fits or shown.most == shown.least else None
        table.add_column(shown.column.title, justify=justify, overflow="fold", width=fixed)
    for row in zip(*(shown.cells for shown in filled), strict=True):
        table.add_row(*row)
    return table


def _print_paragraph(console: Console, item: Any, columns: list[Column]) -> None:
    """Print a line for each value of an item. An id is not broken, even if it is wider than the terminal."""
    cells = [(column, column.cell(item)) for column in columns]
    filled = [(column, cell) for column, cell in cells if cell.plain]
    indent = _GAP + max((len(column.title) for column, _ in filled), default=0)
    for column, cell in filled:
        fits = indent + cell.cell_len <= console.width
        lines = [cell] if fits or not column.wraps else cell.wrap(console, console.width - indent, overflow="fold")
        title = column.title.ljust(indent) if fits or column.wraps else f"{column.title} "
        for line in lines:
            console.print(Text.assemble((title, "bold"), line), soft_wrap=True)
            title = " " * indent


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Let the command end as usual; rich would exit by itself."""
        raise BrokenPipeError


def _console() -> Console:
    """Open standard output; without a terminal, as wide as the table."""
    return _Output(highlight=False, width=None if at_terminal(sys.stdout) else _WIDEST)
