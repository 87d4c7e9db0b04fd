"""Tables that are good to read: local times with ages, sizes in human units, colours for what has failed."""

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

from northflank_async.cli.times import read_time
from northflank_async.errors import printable

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
"""Where there is no terminal."""
_GAP = 2
_DATE_WIDTH, _TEXT_WIDTH = 16, 12
"""The age goes below the date, and a text goes on in the next line, before a table is given up."""
_UNITS = ((365 * 86400, "y"), (30 * 86400, "mo"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def text(value: Any) -> Text:
    """Whatever it is, on one line, as it was sent."""
    if isinstance(value, list):
        return Text(", ".join(text(item).plain for item in value))
    return Text("" if value is None else printable(str(value)))


def status(value: Any) -> Text:
    """A status, in its colour."""
    return Text(text(value).plain, style=_STATUS_STYLES.get(str(value), ""))


def size(value: Any) -> Text:
    """Bytes, in human units."""
    try:
        return Text(decimal(int(value)))
    except (TypeError, ValueError):
        return text(value)


def time(value: Any) -> Text:
    """A time, in the local zone, and how long ago that is."""
    try:
        moment = read_time(value)
        return Text.assemble(f"{moment.astimezone():%Y-%m-%d %H:%M} ", (f"({age(datetime.now(UTC) - moment)})", "dim"))
    except (TypeError, ValueError, OverflowError):
        return text(value)


def age(span: timedelta) -> str:
    """How long ago something was, or how far ahead it is, in its largest unit."""
    seconds = round(span.total_seconds())
    length, unit = next(((length, unit) for length, unit in _UNITS if abs(seconds) >= length), (1, "s"))
    number = f"{abs(seconds) // length} {unit}"
    return f"{number} ago" if seconds >= 0 else f"in {number}"


def days(value: Any) -> Text:
    """A number of days."""
    return text(value) if value is None else text(f"{value} d")


def weekdays(value: Any) -> Text:
    """Days of the week, of which the API counts Monday as 0."""
    try:
        return Text(", ".join(calendar.day_abbr[number] for number in value))
    except (TypeError, IndexError):
        return text(value)


def destinations(value: Any) -> Text:
    """The ids of further destinations."""
    try:
        return text([destination["destinationId"] for destination in value])
    except (TypeError, KeyError):
        return text(value)


@frozen
class Column:
    """A column: its title, where its value stands in an item's JSON (`config.size`), and how it is shown."""

    title: str
    place: str
    show: Callable[[Any], Text] = text
    in_listings: bool = True

    def of(self, item: Any) -> Text:
        """The item's cell."""
        for name in self.place.split("."):
            item = item.get(name) if isinstance(item, dict) else None
        return self.show(item)

    @property
    def least_width(self) -> int:
        """What it needs at least, unless it has less to show: an id is to be copied."""
        if self.show is time:
            return _DATE_WIDTH
        return _TEXT_WIDTH if self.show is text and self.place not in ("id", "backupId") else _WIDEST


TABLES = {
    "projects": [Column("Id", "id"), Column("Name", "name"), Column("Description", "description")],
    "addons": [
        Column("Id", "id"),
        Column("Type", "spec.type"),
        Column("Status", "status", status),
        Column("Name", "name"),
        Column("Description", "description"),
    ],
    "backups": [
        Column("Id", "id"),
        Column("Status", "status", status),
        Column("Made", "createdAt", time),
        Column("Completed", "completedAt", time, in_listings=False),
        Column("Size", "config.size", size),
        Column("Source", "config.source.type"),
        Column("Compression", "config.compressionType", in_listings=False),
        Column("Addon version", "config.addonVersion", in_listings=False),
        Column("Destination", "customDestinationId", in_listings=False),
        Column("Also at", "config.additionalDestinations", destinations, in_listings=False),
        Column("Name", "name", in_listings=False),
        Column("Uid", "uid", in_listings=False),
        Column("Last restore", "lastRestore.status", status),
        Column("Begun", "lastRestore.restoreTimestamp", time, in_listings=False),
        Column("Ended", "lastRestore.completedAt", time, in_listings=False),
    ],
    "restores": [
        Column("Id", "id"),
        Column("Status", "status", status),
        Column("Begun", "restoreTimestamp", time),
        Column("Completed", "completedAt", time),
        Column("Backup", "backupId"),
    ],
    "schedules": [
        Column("Id", "id"),
        Column("Type", "backupType"),
        Column("Interval", "scheduling.interval"),
        Column("Day", "scheduling.day", weekdays),
        Column("Hour", "scheduling.hour"),
        Column("Minute", "scheduling.minute"),
        Column("Kept", "retentionTime", days),
        Column("Compression", "backupCompressionType"),
        Column("Destination", "customDestinationId"),
        Column("Also at", "additionalDestinations", destinations),
        Column("Changed", "updatedAt", time),
    ],
}
"""Of each listing, by its name in the API: the columns."""


def print_items(items: list[Any], key: str) -> None:
    """Print a row for each item, or a paragraph where that does not fit. A column with nothing in it is left out."""
    console = _console()
    columns = [column for column in TABLES[key] if column.in_listings]
    cells = {column: [column.of(item) for item in items] for column in columns}
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
    """Print a line for each of an item's values that there are."""
    _console().print(_paragraph(item, TABLES[key]))


def _rows(cells: dict[Column, list[Text]], width: int) -> Table | None:
    """A row for each item; nothing if that would break what has to be whole to be read, or copied."""
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
    """A line for each of an item's values that there are."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for column in columns:
        if (cell := column.of(item)).plain:
            table.add_row(column.title, cell)
    return table


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to who ends the command; rich would do that itself."""
        raise BrokenPipeError


def _console() -> Console:
    """A terminal's width, or as wide as need be."""
    return _Output(highlight=False, width=None if sys.stdout.isatty() else _WIDEST)
