"""What a command sends: its own options, or the documented JSON as Northflank's own command line takes it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from northflank_async.cli.options import collected, together, words
from northflank_async.errors import DecodeError
from northflank_async.records import BackupDestination, BackupType, CompressionType, structure


@frozen(kw_only=True)
class Body:
    """The documented JSON, as text or in a file; `None` where there is none."""

    input: str | None
    file: Path | None

    def arguments(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The library's arguments: what stands in the JSON, and before it what the options say.

        Raises:
            click.UsageError: the JSON cannot be read, or holds what no option is for.
        """
        sent = self._read()
        sent |= sent.pop("scheduling", None) or {}
        named = {re.sub("([A-Z])", r"_\1", name).lower(): value for name, value in sent.items()}
        if unknown := named.keys() - options.keys():
            raise click.UsageError(f"The input holds what is not documented: {', '.join(sorted(unknown))}")
        if destinations := named.get("additional_destinations"):
            named["additional_destinations"] = _destinations(destinations)
        return {**named, **{name: value for name, value in options.items() if value not in (None, ())}}

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
            raise click.UsageError("The input is no object of the documented shape.")
        return {str(name): value for name, value in content.items()}


def _destinations(sent: Any) -> tuple[BackupDestination, ...]:
    try:
        return structure(sent, tuple[BackupDestination, ...], "additionalDestinations")
    except DecodeError as error:
        raise click.UsageError(f"{error}") from None


def _parse_destination(ctx: click.Context, parameter: click.Parameter, values: Iterable[str]) -> Any:
    """Read `ID` or `ID:DAYS`."""
    destinations = []
    for value in values:
        name, colon, days = value.partition(":")
        if colon and not days.isdecimal():
            raise click.BadParameter(f"{value!r} is not like offsite-bucket or offsite-bucket:30", ctx, parameter)
        destinations.append(BackupDestination(destination_id=name, retention_time=int(days) if colon else None))
    return tuple(destinations)


body_options = collected(
    Body,
    "body",
    click.option("-i", "--input", metavar="JSON", help="All of this as the documented JSON; options come before it."),
    click.option(
        "-f", "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
        help="The same from a file of JSON or YAML.",
    ),
)  # fmt: skip

storage_options = together(
    click.option("--backupType", "backup_type", type=words(BackupType), help="snapshot if left out."),
    click.option("--compressionType", "compression_type", type=words(CompressionType), help="Of a dump."),
    click.option("--customDestinationId", "custom_destination_id", metavar="ID", help="Where a dump is stored."),
    click.option(
        "--additionalDestination", "additional_destinations", metavar="ID[:DAYS]", multiple=True,
        callback=_parse_destination, help="One more place for a snapshot; repeatable.",
    ),
)  # fmt: skip
"""How and where a backup is stored."""
