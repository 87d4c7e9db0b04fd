from datetime import UTC, datetime

import click


def read_time(text: str) -> datetime:
    """Read a date or a time, in UTC where it has no zone."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def parse_time(text: str) -> datetime:
    """Read what was said on the command line."""
    try:
        return read_time(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time such as 2026-11-01 or 2026-11-01T09:30:00+01:00") from None
