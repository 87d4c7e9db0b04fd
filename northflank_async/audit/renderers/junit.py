"""JUnit XML for continuous integration: a suite for each project, a case for each finding and each healthy addon."""

from collections import defaultdict
from xml.etree.ElementTree import Element

from northflank_async.audit.policy import Severity
from northflank_async.audit.report import AddonState, Finding, FindingStatus, Report, by_place
from northflank_async.audit.rules import format_time
from northflank_async.junit import add, new_case, render_suites

_NO_PROJECT = "(account)"


def render(report: Report, fail_on: Severity) -> str:
    """Render the findings. Those below the severity are cases that pass, and say what was found."""
    suites: dict[str, list[Element]] = defaultdict(list)
    for finding in report.findings:
        if finding.addon_id is None:
            suites[_suite(finding.account_id, finding.team_id, finding.project_id)].append(_case(finding, fail_on))
    for addon, found in by_place(report):
        cases = suites[_suite(addon.account_id, addon.team_id, addon.project_id)]
        cases += [_case(finding, fail_on) for finding in found]
        if not found:
            case = new_case(name=addon.addon_id, classname=addon.project_id)
            if addon.state is AddonState.SKIPPED:
                add(case, "skipped", message="the addon is paused or deleted")
            cases.append(case)
    return render_suites("northflank-async audit", suites, report.generated_at)


def _suite(account_id: str | None, team_id: str | None, project_id: str | None) -> str:
    return "/".join(each for each in (account_id, team_id, project_id) if each) or _NO_PROJECT


def _case(finding: Finding, fail_on: Severity) -> Element:
    where = finding.addon_id or finding.project_id or finding.account_id or _NO_PROJECT
    case = new_case(name=f"{where}: {finding.rule}", classname=finding.project_id or _NO_PROJECT)
    details = "\n".join(
        [
            f"{finding.severity}: {finding.message}",
            *([f"since {format_time(finding.since)}"] if finding.since else []),
            *([finding.fix] if finding.fix else []),
        ]
    )
    if finding.status is FindingStatus.WAIVED and finding.waiver is not None:
        reason = f"waived until {finding.waiver.expires}: {finding.waiver.reason}"
        add(case, "skipped", message=reason, text=details)
    elif finding.severity.rank < fail_on.rank:
        add(case, "system-out", text=details)
    else:
        tag = "error" if finding.status is FindingStatus.UNKNOWN else "failure"
        add(case, tag, message=finding.message, type=finding.severity, text=details)
    return case
