"""The log lines of native dumps and their restores, and queries of them."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import attrs

from northflank_async.simulator.inventory import EPOCH, SECOND, Json, iso, milliseconds, random_bytes
from northflank_async.simulator.runs import Run
from northflank_async.simulator.validation import Problems, reject

STEPS = 20  # a run logs its progress at each


def log_lines(run: Run, name: str, container: str, now: int) -> list[Json]:
    """The lines that the run has written so far, oldest first."""
    if now < run.begins:
        return []
    # Some computed runs never end.
    took = min((run.would_end or run.ends) - run.begins, 40 * SECOND * STEPS)
    texts = [(run.begins, f"Starting {name}")]
    for step in range(1, STEPS):
        time = run.begins + took * step // STEPS
        texts.append((time, f"{name}: {100 * step // STEPS} %"))
    if run.outcome == "failed":
        texts.append((run.ends, f"ERROR {name} failed: connection to the server was lost"))
    else:
        texts.append((run.ends, f"Finished {name}: {run.outcome}"))
    until = min(now, run.ends)
    return [{"containerId": container, "log": text, "ts": iso(time)} for time, text in texts if time <= until]


def container_id(addon_id: str, *run: object) -> str:
    """The id of the container of a run."""
    return f"{addon_id}-{random_bytes('container', addon_id, *run)[:5].hex()}"


@attrs.frozen(kw_only=True)
class LogQuery:
    """A query: the lines from `start` to `end` that pass all filters, newest first if `backward`."""

    start: int | None
    end: int | None
    limit: int | None
    backward: bool
    container: str | None
    filters: list[Callable[[str], bool]]

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "LogQuery":
        """Parse the documented parameters.

        Raises:
            Rejection: A parameter is not valid; `details` names each one.
        """
        problems: Problems = {}
        if query.get("queryType", "range") != "range":
            problems["queryType"] = "must be range"
        if query.get("direction", "backward") not in ("backward", "forward"):
            problems["direction"] = "must be one of backward, forward"
        start, end = (_time(query, name, problems) for name in ("startTime", "endTime"))
        duration, limit = (_count(query, name, problems) for name in ("duration", "lineLimit"))
        if duration is not None and "startTime" in query and "endTime" in query:
            problems["duration"] = "is not allowed with both startTime and endTime"
        filters = _text_filters(query, problems)
        reject(problems)
        if duration is not None and start is not None:
            end = start + duration * SECOND
        elif duration is not None and end is not None:
            start = end - duration * SECOND
        backward = query.get("direction", "backward") == "backward"
        return cls(
            start=start, end=end, limit=limit, backward=backward, container=query.get("containerName"), filters=filters
        )

    def select(self, written: list[Json]) -> list[Json]:
        """The lines that match; `written` is oldest first."""
        chosen = [line for line in (reversed(written) if self.backward else written) if self._matches(line)]
        return chosen[: self.limit]

    def _matches(self, line: Json) -> bool:
        time = milliseconds(line["ts"])
        return (
            (self.start is None or time >= self.start)
            and (self.end is None or time <= self.end)
            and (self.container is None or line["containerId"] == self.container)
            and all(accepts(line["log"]) for accepts in self.filters)
        )


def _time(query: Mapping[str, str], name: str, problems: Problems) -> int | None:
    if name not in query:
        return None
    try:
        time = datetime.fromisoformat(query[name])
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        problems[name] = "must be a time such as 2026-11-01T12:00:00.000Z"
        return None
    return round((time.replace(tzinfo=None) - EPOCH).total_seconds() * 1000)


def _count(query: Mapping[str, str], name: str, problems: Problems) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if re.fullmatch("[0-9]{1,12}", text) and int(text) >= 1:
        return int(text)
    problems[name] = "must be an integer of at least 1"
    return None


def _text_filters(query: Mapping[str, str], problems: Problems) -> list[Callable[[str], bool]]:
    filters: list[Callable[[str], bool]] = []
    if (included := query.get("textIncludes")) is not None:
        filters.append(lambda text: included in text)
    if (excluded := query.get("textNotIncludes")) is not None:
        filters.append(lambda text: excluded not in text)
    for name, expected in (("regexIncludes", True), ("regexNotIncludes", False)):
        if name in query:
            try:
                filters.append(_matching(re.compile(query[name]), expected))
            except re.error as error:
                problems[name] = f"is not a regular expression: {error}"
    return filters


def _matching(pattern: re.Pattern[str], expected: bool) -> Callable[[str], bool]:
    return lambda text: bool(pattern.search(text)) == expected
