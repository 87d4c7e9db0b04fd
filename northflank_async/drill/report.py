"""The result of a drill as text: a table for people, JSON, and JUnit XML."""

import json
from collections.abc import Iterator
from datetime import UTC

from attrs import evolve

from northflank_async.errors import printable
from northflank_async.inventory.drills import CheckStatus, Drill, DrillOutcome
from northflank_async.junit import add, new_case, render_suites
from northflank_async.records import unstructure

FORMATS = ("table", "json", "junit")

_TAGS = {CheckStatus.FAILED: "failure", CheckStatus.UNKNOWN: "error"}


def render(drill: Drill, format: str) -> str:
    """Render the result of a drill.

    Args:
        drill: the result.
        format: one of `FORMATS`.
    """
    match format:
        case "json":
            return json.dumps(unstructure(evolve(drill, error=None)), indent=1, ensure_ascii=False) + "\n"
        case "junit":
            return _junit(drill)
    return "".join(f"{name:<10} {printable(text)}\n" for name, text in _lines(drill))


def how_to_remove(drill: Drill) -> str:
    """The command that removes a scratch addon that is still there."""
    team = "" if drill.team_id is None else f" --team {drill.team_id}"
    name = drill.scratch_addon_id or f"restore-drill-{drill.id}"
    return f"northflank-async drill --sweep{team} --scratch-project {drill.scratch_project_id} --addon {name}"


def _lines(drill: Drill) -> Iterator[tuple[str, str]]:
    yield "outcome", f"{drill.outcome}: {drill.reason}"
    place = f"{drill.project_id}/{drill.addon_id}"
    if drill.backup_id is None or drill.backup_created_at is None:
        yield "backup", f"of {place}"
    else:
        created = f"{drill.backup_created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        yield "backup", f"{drill.backup_id} of {place}, created {created}"
    if drill.backup_age is not None:
        yield "RPO", f"{_span(drill.backup_age)}, the age of the backup"
    if drill.restore_seconds is not None:
        yield "RTO", f"{_span(drill.restore_seconds)} until the data was restored, by {drill.method}"
    for check in drill.checks:
        yield check.name, f"{check.status}: {check.message}"
        for line in (check.output or "").splitlines():
            yield "", f"  {line}"
    for note in drill.notes:
        yield "note", note
    if drill.is_kept:
        yield "kept", f"{drill.scratch_project_id}/{drill.scratch_addon_id}, which costs money. To remove it:"
        yield "", how_to_remove(drill)
    if drill.seconds is not None:
        yield "took", _span(drill.seconds)


def _junit(drill: Drill) -> str:
    place = f"{drill.project_id}/{drill.addon_id}"
    cases = []
    for check in drill.checks:
        timing = {} if check.seconds is None else {"time": f"{check.seconds:.3f}"}
        case = new_case(check.name, place, **timing)
        if tag := _TAGS.get(CheckStatus(check.status)):
            add(case, tag, check.output, message=check.message)
        elif check.output:
            add(case, "system-out", check.output)
        cases.append(case)
    if all(check.status == CheckStatus.PASSED for check in drill.checks) and drill.outcome != DrillOutcome.PASSED:
        case = new_case("drill", place)  # what ended it was no check
        add(case, "failure" if drill.outcome == DrillOutcome.FAILED else "error", message=drill.reason)
        cases.append(case)
    if drill.left_behind is not None:
        case = new_case("removal", place)
        add(case, "failure", how_to_remove(drill), message=drill.left_behind)
        cases.append(case)
    return render_suites("northflank-async drill", {place: cases}, drill.started_at)


def _span(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = max(0, round(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
