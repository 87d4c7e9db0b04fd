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
_WIDEST, _DATE = 1000, 16
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
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
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
    """Print a row for each item. A column in which there is nothing is left out."""
    columns = [column for column in TABLES[key] if column.in_listings]
    rows = [[column.of(item) for column in columns] for item in items]
    filled = [number for number in range(len(columns)) if any(row[number].plain for row in rows)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number in filled:
        justify: JustifyMethod = "right" if columns[number].show is size else "left"
        whole = columns[number].show in (size, status) or columns[number].place == "id"
        table.add_column(
            columns[number].title,
            justify=justify,
            overflow="fold",
            no_wrap=whole,
            min_width=_DATE if columns[number].show is time else None,
        )
    for row in rows:
        table.add_row(*[row[number] for number in filled])
    _console().print(table if rows else "none")


def print_item(item: Any, key: str) -> None:
    """Print a line for each of an item's values that there are."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for column in TABLES[key]:
        if (cell := column.of(item)).plain:
            table.add_row(column.title, cell)
    _console().print(table)


def _console() -> Console:
    """A terminal's width, or as wide as need be."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDEST)
