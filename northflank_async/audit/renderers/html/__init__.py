"""One HTML page for people and auditors. It needs no network, and no script except for its filters.

Its charts are SVG that `charts` draws. No library has both a calendar and a small chart that prints, follows the color
scheme and needs no script: pygal puts its styles and scripts into each chart, Chart.js and uPlot draw on a canvas, and
Vega is a large script. Here, a calendar and a chart take 3 KB.

The page stays usable if there are many addons: only the first `MOST_CARDS`, the worst first, have a calendar, and the
others a line in a table; `MOST_LINES` and `MOST_FINDINGS` limit the tables. The page says what it leaves out.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any

from attrs import asdict, fields, frozen
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from northflank_async.audit.history import DAYS, Day
from northflank_async.audit.policy import RULES, Match, Policy, Severity, Waiver, level_fields, worst_level
from northflank_async.audit.renderers import summary_line
from northflank_async.audit.renderers.html import charts
from northflank_async.audit.report import (
    AddonReport,
    AddonState,
    Finding,
    FindingStatus,
    Report,
    by_place,
)
from northflank_async.errors import printable
from northflank_async.version import __version__

MOST_CARDS = 200
"""Addons with a calendar."""
MOST_LINES = 2000
"""Addons without a calendar that have a line."""
MOST_FINDINGS = 300
"""Findings of one rule and status that are listed."""

_STATE_ORDER = (
    AddonState.CRITICAL,
    AddonState.WARN,
    AddonState.UNKNOWN,
    AddonState.HEALTHY,
    AddonState.SKIPPED,
)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DAY = timedelta(days=1)
_MOST_DATES = 6


def render(report: Report, fail_on: Severity) -> str:
    """Render the page, whatever fails."""
    style, script = (_read(name) for name in ("page.css", "page.js"))
    page = _environment().get_template("page.html.jinja")
    return page.render(
        **_view(report, fail_on),
        style=Markup(style),  # ours, and in the policy by its hash
        script=Markup(script),
        csp=content_security_policy(style, script),
    )


def content_security_policy(style: str, script: str) -> str:
    """Return the policy that lets a browser use only this style and this script, and send no request."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src 'sha256-{_digest(style)}'",
            f"script-src 'sha256-{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("northflank_async.audit.renderers.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        day=_format_day,
        time=_format_time,
        iso=_format_iso,
        size=format_size,
        span=_format_span,
        thousands="{:,}".format,
    )
    return environment


def _finalize(value: Any) -> Any:
    """Escape the characters of untrusted text that cannot be printed."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


# What the page shows


@frozen(kw_only=True)
class Card:
    """An addon with a calendar."""

    number: int
    addon: AddonReport
    findings: Sequence[Finding]
    calendar: Markup
    sizes: Markup | None
    missed: str
    failed: str


@frozen(kw_only=True)
class Group:
    """The findings of a rule and status of which some are left out."""

    rule: str
    status: FindingStatus
    left_out: int


@frozen(kw_only=True)
class Project:
    """The numbers of a project."""

    account_id: str | None
    team_id: str | None
    project_id: str
    states: Mapping[AddonState, int]
    findings: Mapping[Severity, int]


def _view(report: Report, fail_on: Severity) -> dict[str, Any]:
    placed = sorted(by_place(report), key=lambda pair: _STATE_ORDER.index(pair[0].state))  # stable: then by id
    cards = [_card(number, addon, found, report) for number, (addon, found) in enumerate(placed[:MOST_CARDS], 1)]
    listed, left_out = _limit(report.findings)
    numbers = {_key(card.addon): card.number for card in cards}
    return {
        "report": report,
        "summary_line": summary_line(report),
        "states": [(state, getattr(report.summary, state.value)) for state in _STATE_ORDER],
        "severities": sorted(Severity, key=lambda severity: -severity.rank),
        "fail_on": fail_on,
        "failing": len(report.failing(fail_on)),
        "findings": [(finding, numbers.get(_key(finding))) for finding in listed],
        "left_out": left_out,
        "projects": _projects(report),
        "project_ids": sorted({each.project_id for each in listed if each.project_id}),
        "accounts": report.accounts,
        "several_accounts": len(report.accounts) > 1 or any(addon.team_id for addon in report.addons),
        "unknown": sum(each.status is FindingStatus.UNKNOWN for each in report.findings),
        "unreadable": sum(each.rule == "unreadable" for each in report.findings),
        "oldest": min((each.backups_read_at for each in _judged(report) if each.backups_read_at), default=None),
        "never_read": sum(each.backups_read_at is None for each in _judged(report)),
        "cards": cards,
        "lines": placed[MOST_CARDS : MOST_CARDS + MOST_LINES],
        "others": len(placed) - MOST_CARDS - MOST_LINES,
        "legend": [(day, charts.legend(day), text) for day, text in _LEGEND.items()],
        "days": DAYS,
        "rules": list(_rules(report.policy)),
        "overrides": [(_describe_match(each.match), list(_changes(each.rules))) for each in report.policy.overrides],
        "waivers": [(each, _describe_match(each.match), *_use(each, report)) for each in report.policy.waivers],
        "version": __version__,
        "now": report.generated_at,
    }


_LEGEND = {
    Day.COMPLETED: "completed",
    Day.PARTIAL: "completed, but another failed or was missed",
    Day.FAILED: "failed or aborted",
    Day.MISSED: "missed: due by a schedule, and not there",
    Day.RUNNING: "not ended yet",
    Day.EXPIRED: "expired by its retention",
    Day.NOTHING: "none was due",
    Day.UNKNOWN: "not known",
}


def _key(place: AddonReport | Finding) -> tuple[str | None, ...]:
    return place.account_id, place.team_id, place.project_id, place.addon_id


def _judged(report: Report) -> Iterator[AddonReport]:
    return (addon for addon in report.addons if addon.state is not AddonState.SKIPPED)


def _card(number: int, addon: AddonReport, found: Sequence[Finding], report: Report) -> Card:
    history = addon.history
    missed, failed = (_format_dates(history.dates(day)) for day in (Day.MISSED, Day.FAILED))
    counts = Counter(history.days)
    described = ", ".join(f"{counts[day]} {text}" for day, text in _LEGEND.items() if counts[day])
    return Card(
        number=number,
        addon=addon,
        findings=found,
        calendar=charts.calendar(history, f"Backups of the last {DAYS} days, by day: {described}"),
        sizes=charts.sizes(history, format_size) if history.dump_days else None,
        missed=missed,
        failed=failed,
    )


def _format_dates(dates: Sequence[date]) -> str:
    shown = ", ".join(f"{each.day} {each:%b}" for each in dates[-_MOST_DATES:])
    earlier = len(dates) - _MOST_DATES
    return f"{shown}, and {earlier} earlier" if earlier > 0 else shown


def _limit(found: Iterable[Finding]) -> tuple[list[Finding], list[Group]]:
    """Return the findings to list, and how many are left out: none can crowd out those of another rule."""
    counts: Counter[tuple[str, FindingStatus]] = Counter()
    listed = []
    for finding in found:
        key = finding.rule, finding.status
        counts[key] += 1
        if counts[key] <= MOST_FINDINGS:
            listed.append(finding)
    return listed, [
        Group(rule=rule, status=status, left_out=count - MOST_FINDINGS)
        for (rule, status), count in counts.items()
        if count > MOST_FINDINGS
    ]


def _projects(report: Report) -> list[Project]:
    states: dict[tuple[str | None, ...], Counter[AddonState]] = {}
    findings: dict[tuple[str | None, ...], Counter[Severity]] = {}
    for addon in report.addons:
        states.setdefault(_key(addon)[:3], Counter())[addon.state] += 1
    for finding in report.findings:
        if finding.counts and finding.project_id is not None:
            findings.setdefault(_key(finding)[:3], Counter())[finding.severity] += 1
    projects = [
        Project(
            account_id=key[0],
            team_id=key[1],
            project_id=key[2] or "",
            states=states.get(key, Counter()),
            findings=findings.get(key, Counter()),
        )
        for key in {**states, **findings}
    ]
    return sorted(projects, key=lambda each: [-each.findings[severity] for severity in reversed(Severity)])


# The policy


def _rules(policy: Policy) -> Iterator[tuple[str, str, str, list[tuple[str, str, bool]]]]:
    """Yield each rule: its name, what it finds, its highest severity, and its settings, which may be the default."""
    for rule, cls in RULES.items():
        settings, default = policy.rules[rule], cls()
        pairs = [(each.name, getattr(settings, each.name)) for each in fields(cls)]
        values = [(name, _format_setting(value), value != getattr(default, name)) for name, value in pairs]
        yield rule, " ".join((cls.__doc__ or "").split()), worst_level(settings) or "off", values


def _changes(rules: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for rule, keys in rules.items():
        levels = [each.name for each in level_fields(RULES[rule])]
        for name, value in keys.items():
            shown = "off" if value is None and name in levels else _format_setting(value)
            yield f"{rule}.{name} = {shown}"


def _format_setting(value: Any) -> str:
    match value:
        case None:
            return "off"
        case timedelta():
            return _format_span(value)
        case tuple():
            return ", ".join(map(str, value)) or "none"
        case float():
            return f"{value:g}"
    return str(value)


def _describe_match(match: Match) -> str:
    given = [f"{name} {value}" for name, value in asdict(match).items() if value is not None]
    return ", ".join(given) or "everything"


def _use(waiver: Waiver, report: Report) -> tuple[int, bool]:
    """Return how many findings a waiver waives, and whether it has expired."""
    used = sum(each.waiver == waiver and not each.counts for each in report.findings)
    return used, waiver.is_expired(report.generated_at)


# Formats


def _format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _format_iso(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _format_day(day: date) -> str:
    return f"{day:%Y-%m-%d}"


def _format_span(span: timedelta) -> str:
    """Format a time span in its largest unit: `3 days`, `26 h`, `5 min`."""
    if span >= 2 * _DAY:
        return f"{span // _DAY:,} days"
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    return (f"{hours} h" if not minutes else f"{hours} h {minutes} min") if hours else f"{minutes} min"


def format_size(size: int | None) -> str:
    """Format a number of bytes: `1.4 GiB`."""
    if size is None:
        return "not known"
    value = float(size)
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{value:,.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
