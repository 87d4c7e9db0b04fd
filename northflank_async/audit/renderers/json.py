"""JSON for programs. `report.schema.json` describes it."""

import json
from datetime import UTC, date, datetime
from importlib import resources
from typing import Any

from northflank_async.audit.policy import Severity
from northflank_async.audit.report import Finding, Report


def render(report: Report, fail_on: Severity) -> str:
    """Render the whole report, whatever fails."""
    return json.dumps(to_data(report), indent=2, ensure_ascii=False, default=_encode) + "\n"


def to_data(report: Report) -> dict[str, Any]:
    """Return the report as JSON values, except times."""
    summary = report.summary
    return {
        "generated_at": report.generated_at,
        "complete": report.complete,
        "summary": {
            "addons": summary.addons,
            "healthy": summary.healthy,
            "skipped": summary.skipped,
            "unknown": summary.unknown,
            "findings": {str(severity): summary.findings.get(severity, 0) for severity in Severity},
        },
        "findings": [_finding(finding) for finding in report.findings],
    }


def load_schema() -> dict[str, Any]:
    """Load the JSON Schema of the report."""
    text = resources.files("northflank_async.audit").joinpath("report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "status": finding.status,
        "account_id": finding.account_id,
        "team_id": finding.team_id,
        "project_id": finding.project_id,
        "addon_id": finding.addon_id,
        "message": finding.message,
        "evidence": dict(finding.evidence),
        "since": finding.since,
        "fix": finding.fix,
    }


def _encode(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not JSON")
