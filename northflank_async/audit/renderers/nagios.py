"""One line with performance data, and an exit code, for Nagios and its relatives."""

from enum import IntEnum

from northflank_async.audit.policy import Severity
from northflank_async.audit.renderers import summary_line
from northflank_async.audit.report import FindingStatus, Report
from northflank_async.errors import printable


class State(IntEnum):
    """The exit codes of a monitoring plugin."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def find_state(report: Report, fail_on: Severity) -> State:
    """Return the state: of the findings that fail, an open critical one decides, then any open one."""
    failing = report.failing(fail_on)
    is_open = [finding.severity for finding in failing if finding.status is FindingStatus.OPEN]
    if Severity.CRITICAL in is_open:
        return State.CRITICAL
    if is_open:
        return State.WARNING
    return State.UNKNOWN if failing else State.OK


def render(report: Report, fail_on: Severity) -> str:
    """Render the state, the summary, and the worst finding that fails."""
    failing = report.failing(fail_on)
    is_open = [finding for finding in failing if finding.status is FindingStatus.OPEN] or failing
    worst = f"; {is_open[0].rule} {is_open[0].place}: {is_open[0].message}" if is_open else ""
    summary = report.summary
    counts = {
        **{name: getattr(summary, name) for name in ("addons", "healthy", "warn", "critical", "unknown", "skipped")},
        "waived": summary.waived,
        **{f"findings_{severity}": summary.findings.get(severity, 0) for severity in Severity},
    }
    data = " ".join(f"{name}={number};;;0" for name, number in counts.items())
    return status_line(find_state(report, fail_on), f"{summary_line(report)}{worst}", data)


def status_line(state: State, text: str, data: str = "") -> str:
    """Format a line; a bar would begin the performance data."""
    plain = printable(" ".join(text.replace("|", "/").split()))
    return f"BACKUPS {state.name} - {plain}{f' | {data}' if data else ''}\n"
