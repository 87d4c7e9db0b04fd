"""Text for people: the summary, then the findings, the worst first. Commands can be copied: each has its own line."""

from collections.abc import Iterator
from io import StringIO
from itertools import groupby

from rich.console import Console
from rich.text import Text

from northflank_async.audit.policy import Severity
from northflank_async.audit.renderers import summary_line
from northflank_async.audit.report import Finding, FindingStatus, Report
from northflank_async.audit.rules import format_time
from northflank_async.errors import printable

_STYLES = {Severity.LOW: "cyan", Severity.MEDIUM: "yellow", Severity.HIGH: "red", Severity.CRITICAL: "bold red"}
_MOST_PLACES = 5
"""Places that are listed of findings that say the same."""


def render(report: Report, fail_on: Severity) -> str:
    """Render without colors, whatever fails."""
    file = StringIO()
    write(report, Console(file=file, color_system=None, width=1000, legacy_windows=False))
    return file.getvalue()


def write(report: Report, console: Console) -> None:
    """Write to a console, in color at a terminal."""
    for line in _lines(report):
        console.print(line, soft_wrap=True)


def _lines(report: Report) -> Iterator[Text]:
    yield Text(summary_line(report), style="bold")
    if not report.complete:
        yield Text("The inventory is not complete: not everything could be read and checked.", style="yellow")
    counted = [finding for finding in report.findings if finding.counts]
    waived = [finding for finding in report.findings if not finding.counts]
    for _, group in groupby(counted, key=lambda each: (each.severity, each.rule, each.status, _shared(each))):
        yield Text()
        yield from _finding_lines(list(group))
    if waived:
        yield Text()
        yield Text("Waived:", style="bold")
    for finding in waived:
        yield from _finding_lines([finding])


def _shared(finding: Finding) -> str:
    """What findings have in common that are listed together: those that are unknown, for the same reason."""
    return finding.message if finding.status is FindingStatus.UNKNOWN else finding.place


def _finding_lines(group: list[Finding]) -> Iterator[Text]:
    first = group[0]
    heading = Text.assemble((f"{first.severity:<9}", _STYLES[first.severity]), (f"{first.rule:<15}", "bold"))
    if first.status is FindingStatus.UNKNOWN:
        heading.append("unknown ", style="magenta")
    places = ", ".join(printable(each.place) for each in group[:_MOST_PLACES])
    heading.append(places)
    if len(group) > _MOST_PLACES:
        heading.append(f" and {len(group) - _MOST_PLACES:,} more")
    yield heading
    since = "" if first.since is None else f" (since {format_time(first.since)})"
    yield Text(f"    {printable(first.message)}{since}")
    if first.waiver is not None and first.status is FindingStatus.WAIVED:
        yield Text(f"    waived until {first.waiver.expires}: {printable(first.waiver.reason)}")
    elif first.fix is not None:
        yield Text(f"    {printable(first.fix)}", style="dim")
