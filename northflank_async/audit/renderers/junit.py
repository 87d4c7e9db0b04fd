"""JUnit XML for continuous integration: a suite for each project, a case for each finding and each healthy addon."""

from collections import defaultdict
from datetime import UTC
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from northflank_async.audit.policy import Severity
from northflank_async.audit.report import AddonState, Finding, FindingStatus, Report, by_place
from northflank_async.audit.rules import format_time
from northflank_async.errors import printable

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
            case = _element("testcase", name=addon.addon_id, classname=addon.project_id)
            if addon.state is AddonState.SKIPPED:
                _add(case, "skipped", message="the addon is paused or deleted")
            cases.append(case)
    root = _element(
        "testsuites", name="northflank-async audit", **_counts([c for each in suites.values() for c in each])
    )
    for name, cases in suites.items():
        time = report.generated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        suite = _element("testsuite", name=name, timestamp=time, **_counts(cases))
        suite.extend(cases)
        root.append(suite)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(account_id: str | None, team_id: str | None, project_id: str | None) -> str:
    return "/".join(each for each in (account_id, team_id, project_id) if each) or _NO_PROJECT


def _case(finding: Finding, fail_on: Severity) -> Element:
    where = finding.addon_id or finding.project_id or finding.account_id or _NO_PROJECT
    case = _element("testcase", name=f"{where}: {finding.rule}", classname=finding.project_id or _NO_PROJECT)
    details = "\n".join(
        [
            f"{finding.severity}: {finding.message}",
            *([f"since {format_time(finding.since)}"] if finding.since else []),
            *([finding.fix] if finding.fix else []),
        ]
    )
    if finding.status is FindingStatus.WAIVED and finding.waiver is not None:
        reason = f"waived until {finding.waiver.expires}: {finding.waiver.reason}"
        _add(case, "skipped", message=reason, text=details)
    elif finding.severity.rank < fail_on.rank:
        _add(case, "system-out", text=details)
    else:
        tag = "error" if finding.status is FindingStatus.UNKNOWN else "failure"
        _add(case, tag, message=finding.message, type=finding.severity, text=details)
    return case


def _counts(cases: list[Element]) -> dict[str, str]:
    numbers = {name: sum(case.find(tag) is not None for case in cases) for name, tag in _TAGS.items()}
    return {"tests": str(len(cases)), **{name: str(number) for name, number in numbers.items()}}


_TAGS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _element(tag: str, **attributes: str) -> Element:
    return Element(tag, {name: _clean(value) for name, value in attributes.items()})


def _add(parent: Element, tag: str, text: str | None = None, **attributes: str) -> None:
    child = SubElement(parent, tag, {name: _clean(value) for name, value in attributes.items()})
    child.text = None if text is None else _clean(text)


def _clean(text: str) -> str:
    """Escape what XML cannot represent, and what would change how the rest is shown."""
    return "\n".join(map(printable, text.split("\n")))
