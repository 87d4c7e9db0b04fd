"""The log lines of native dumps and their restores, and the questions that can be asked of them."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import attrs

from northflank_async.simulator.fields import Problems, refuse
from northflank_async.simulator.inventory import EPOCH, SECOND, Json, dice_of, iso, milliseconds
from northflank_async.simulator.runs import Run

STEPS = 20  # lines that tell how far it is
LONGEST = 10**6  # lines that can be asked for


def lines(run: Run, doing: str, container: str, now: int) -> list[Json]:
    """What the run has written until now, oldest first; it says more the longer it runs."""
    if now < run.begins:
        return []
    # The inventory has runs without an end.
    took = min((run.would_end or run.ends) - run.begins, 40 * SECOND * STEPS)
    texts = [(run.begins, f"Starting {doing}")]
    for step in range(1, STEPS):
        time = run.begins + took * step // STEPS
        texts.append((time, f"{doing}: {100 * step // STEPS} %"))
    if run.outcome == "failed":
        texts.append((run.ends, f"ERROR {doing} failed: connection to the server was lost"))
    else:
        texts.append((run.ends, f"Finished {doing}: {run.outcome}"))
    until = min(now, run.ends)
    return [{"containerId": container, "log": text, "ts": iso(time)} for time, text in texts if time <= until]


def container_of(addon_id: str, *run: object) -> str:
    """The id of the container that does it."""
    return f"{addon_id}-{dice_of('container', addon_id, *run)[:5].hex()}"


@attrs.frozen(kw_only=True)
class LogQuery:
    """Which lines are asked for: those from `start` to `end` whose text `wanted` takes, newest first or not."""

    start: int | None
    end: int | None
    limit: int | None
    backward: bool
    container: str | None
    wanted: list[Callable[[str], bool]]

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "LogQuery":
        """Read the documented parameters.

        Raises:
            Refusal: with each parameter that is wrong under `details`.
        """
        problems: Problems = {}
        if query.get("queryType", "range") != "range":
            problems["queryType"] = "must be range"
        if query.get("direction", "backward") not in ("backward", "forward"):
            problems["direction"] = "must be one of backward, forward"
        start, end = (_time(query, name, problems) for name in ("startTime", "endTime"))
        duration, limit = (_count(query, name, problems) for name in ("duration", "lineLimit"))
        if duration is not None and "startTime" in query and "endTime" in query:
            problems["duration"] = "goes with startTime or endTime, not with both"
        wanted = _texts(query, problems)
        refuse(problems)
        if duration is not None and start is not None:
            end = start + duration * SECOND
        elif duration is not None and end is not None:
            start = end - duration * SECOND
        backward = query.get("direction", "backward") == "backward"
        return cls(
            start=start, end=end, limit=limit, backward=backward, container=query.get("containerName"), wanted=wanted
        )

    def select(self, written: list[Json]) -> list[Json]:
        """Those of the lines, which come oldest first."""
        chosen = [line for line in (reversed(written) if self.backward else written) if self._takes(line)]
        return chosen[: self.limit]

    def _takes(self, line: Json) -> bool:
        time = milliseconds(line["ts"])
        return (
            (self.start is None or time >= self.start)
            and (self.end is None or time <= self.end)
            and (self.container is None or line["containerId"] == self.container)
            and all(wants(line["log"]) for wants in self.wanted)
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
    problems[name] = "must be a whole number from 1 on"
    return None


def _texts(query: Mapping[str, str], problems: Problems) -> list[Callable[[str], bool]]:
    wanted: list[Callable[[str], bool]] = []
    if (included := query.get("textIncludes")) is not None:
        wanted.append(lambda text: included in text)
    if (excluded := query.get("textNotIncludes")) is not None:
        wanted.append(lambda text: excluded not in text)
    for name, expected in (("regexIncludes", True), ("regexNotIncludes", False)):
        if name in query:
            try:
                wanted.append(_matching(re.compile(query[name]), expected))
            except re.error as error:
                problems[name] = f"is no regular expression: {error}"
    return wanted


def _matching(pattern: re.Pattern[str], expected: bool) -> Callable[[str], bool]:
    return lambda text: bool(pattern.search(text)) == expected
