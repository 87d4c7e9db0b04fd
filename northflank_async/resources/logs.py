"""The filters of a log request, and the query that they become."""

from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, TypedDict, get_args

from northflank_async.errors import ConfigurationError
from northflank_async.records.values import camel_case
from northflank_async.resources.arguments import check_not_empty
from northflank_async.validation import check_choice, check_integer

LogDirection: TypeAlias = Literal["backward", "forward"]


class LogFilters(TypedDict, total=False):
    """Keyword arguments of `logs()` and `restore_logs()`; all are optional, and `None` disables a filter.

    start_time: only lines after this time, which needs a time zone.
    end_time: only lines before this time, which needs a time zone.
    duration: seconds after `start_time` or before `end_time`; not valid with both.
    line_limit: the maximum number of lines, from 1.
    direction: `"forward"` returns the oldest line first, `"backward"` the newest.
    text_includes: only lines that contain this text.
    text_not_includes: only lines that do not contain this text.
    regex_includes: only lines that match this regular expression.
    regex_not_includes: only lines that do not match this regular expression.
    container_name: only lines of this container.
    """

    start_time: datetime | None
    end_time: datetime | None
    duration: int | None
    line_limit: int | None
    direction: LogDirection | None
    text_includes: str | None
    text_not_includes: str | None
    regex_includes: str | None
    regex_not_includes: str | None
    container_name: str | None


def log_query(filters: LogFilters) -> dict[str, Any]:
    """Build the query of a log request.

    Raises:
        ConfigurationError: a filter's value is invalid, or filters contradict each other.
        TypeError: a filter does not exist.
    """
    for name in filters.keys() - LogFilters.__annotations__.keys():
        raise TypeError(f"{name!r} is not a log filter: {', '.join(LogFilters.__annotations__)} are")
    query: dict[str, Any] = {"queryType": "range"}
    for name, value in filters.items():
        if value is not None:
            query[camel_case(name)] = _checked(name, value)
    start, end = filters.get("start_time"), filters.get("end_time")
    if start is not None and end is not None:
        if filters.get("duration") is not None:
            raise ConfigurationError("duration is not valid with both start_time and end_time: leave out one of them")
        if start >= end:
            raise ConfigurationError("start_time must be before end_time")
    return query


def _checked(name: str, value: Any) -> Any:
    """Check one filter, and convert its value for the query."""
    match name:
        case "start_time" | "end_time":
            if not isinstance(value, datetime) or value.tzinfo is None:
                raise ConfigurationError(f"{name} must be a datetime with a time zone, not {value!r}")
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case "duration" | "line_limit":
            check_integer(name, value, 1)
        case "direction":
            check_choice(name, value, get_args(LogDirection))
        case _:
            check_not_empty(name, value)
    return value
