"""Tables for people: local times with ages, sizes in human units, statuses in color."""

import calendar
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import frozen
from rich.console import Console, JustifyMethod
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from northflank_async.errors import DecodeError, printable
from northflank_async.records import structure

_STATUS_STYLES = {
    "completed": "green",
    "running": "green",
    "scheduled": "cyan",
    "in-progress": "cyan",
    "aborting": "yellow",
    "aborted": "yellow",
    "failed": "bold red",
    "error": "bold red",
    "not-supported": "dim",
}
_WIDEST = 1000
"""Columns of output that is not a terminal."""
_GAP = 2
_DATE_WIDTH, _TEXT_WIDTH = 16, 12
"""Minimum widths: an age may wrap below its date, and a text onto the next line."""
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
    in_listings: bool = True

    def cell(self, item: Any) -> Text:
        """Show the value of an item."""
        for name in self.path.split("."):
            item = item.get(name) if isinstance(item, dict) else None
        return self.show(item)

    @property
    def least_width(self) -> int:
        """The width that it needs if its values are longer. Ids do not wrap: they are there to be copied."""
        if self.show is time:
            return _DATE_WIDTH
        return _TEXT_WIDTH if self.show is text and self.path not in ("id", "backupId") else _WIDEST


TABLES = {
    "projects": [Column("ID", "id"), Column("Name", "name"), Column("Description", "description")],
    "addons": [
        Column("ID", "id"),
        Column("Type", "spec.type"),
        Column("Status", "status", status),
        Column("Name", "name"),
        Column("Description", "description"),
    ],
    "backups": [
        Column("ID", "id"),
        Column("Status", "status", status),
        Column("Created", "createdAt", time),
        Column("Completed", "completedAt", time, in_listings=False),
        Column("Size", "config.size", size),
        Column("Source", "config.source.type"),
        Column("Compression", "config.compressionType", in_listings=False),
        Column("Addon version", "config.addonVersion", in_listings=False),
        Column("Destination", "customDestinationId", in_listings=False),
        Column("Additional destinations", "config.additionalDestinations", destinations, in_listings=False),
        Column("Name", "name", in_listings=False),
        Column("UID", "uid", in_listings=False),
        Column("Last restore", "lastRestore.status", status),
        Column("Restore started", "lastRestore.restoreTimestamp", time, in_listings=False),
        Column("Restore completed", "lastRestore.completedAt", time, in_listings=False),
    ],
    "restores": [
        Column("ID", "id"),
        Column("Status", "status", status),
        Column("Started", "restoreTimestamp", time),
        Column("Completed", "completedAt", time),
        Column("Backup", "backupId"),
    ],
    "schedules": [
        Column("ID", "id"),
        Column("Type", "backupType"),
        Column("Interval", "scheduling.interval"),
        Column("Day", "scheduling.day", weekdays),
        Column("Hour", "scheduling.hour"),
        Column("Minute", "scheduling.minute"),
        Column("Retention", "retentionTime", days),
        Column("Compression", "backupCompressionType"),
        Column("Destination", "customDestinationId"),
        Column("Additional destinations", "additionalDestinations", destinations),
        Column("Updated", "updatedAt", time),
    ],
}
"""The columns of each listing, by the name that the API gives its items."""


def print_items(items: list[Any], key: str) -> None:
    """Print a row for each item, or a paragraph if rows do not fit. Empty columns are omitted."""
    console = _console()
    columns = [column for column in TABLES[key] if column.in_listings]
    cells = {column: [column.cell(item) for item in items] for column in columns}
    filled = {column: shown for column, shown in cells.items() if any(cell.plain for cell in shown)}
    if not filled:
        console.print("none")
    elif table := _rows(filled, console.width):
        console.print(table)
    else:
        for number, item in enumerate(items):
            if number:
                console.print()
            console.print(_paragraph(item, columns))


def print_item(item: Any, key: str) -> None:
    """Print an item, one line for each value."""
    _console().print(_paragraph(item, TABLES[key]))


def _rows(cells: dict[Column, list[Text]], width: int) -> Table | None:
    """Build a row for each item; `None` if ids, statuses or dates would wrap."""
    widest = {column: max(len(column.title), *(cell.cell_len for cell in cells[column])) for column in cells}
    least = {column: min(most, column.least_width) for column, most in widest.items()}
    gaps = _GAP * (len(cells) - 1)
    if sum(least.values()) + gaps > width:
        return None
    fits = sum(widest.values()) + gaps <= width
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for column in cells:
        justify: JustifyMethod = "right" if column.show is size else "left"
        fixed = fits or column.show is time or least[column] == widest[column]
        table.add_column(
            column.title,
            justify=justify,
            overflow="fold",
            width=(widest if fits else least)[column] if fixed else None,
        )
    for row in zip(*cells.values(), strict=True):
        table.add_row(*row)
    return table


def _paragraph(item: Any, columns: list[Column]) -> Table:
    """Build a line for each value of an item."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for column in columns:
        if (cell := column.cell(item)).plain:
            table.add_row(column.title, cell)
    return table


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Let the command end as usual; rich would exit by itself."""
        raise BrokenPipeError


def _console() -> Console:
    """Open standard output; without a terminal, as wide as the table."""
    return _Output(highlight=False, width=None if sys.stdout.isatty() else _WIDEST)
