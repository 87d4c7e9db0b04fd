"""Prometheus' text format, for node_exporter's textfile collector. Times are timestamps, so that they do not age."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from northflank_async.audit.policy import RULES, Severity
from northflank_async.audit.report import AddonReport, AddonState, Report
from northflank_async.records import RunStatus

_ADDON = ("account", "team", "project", "addon")
_UNKNOWN = "unknown"
"""The label of a status that is not documented: labels have a bounded set of values."""


def render(report: Report, fail_on: Severity) -> str:
    """Render the metrics, whatever fails. Skipped addons have none."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ReportCollector(report))
    return generate_latest(registry).decode()


class ReportCollector(Collector):
    """The metrics of a report."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric."""
        addons = [addon for addon in self._report.addons if addon.state is not AddonState.SKIPPED]
        yield _backup_times(addons)
        yield _backup_sizes(addons)
        yield _intervals(addons)
        yield _statuses(addons)
        yield self._findings("northflank_audit_findings", "Findings that are open or unknown.", counts=True)
        yield self._findings("northflank_audit_waived_findings", "Findings that are waived.", counts=False)
        synced = GaugeMetricFamily(
            "northflank_sync_last_success_timestamp_seconds",
            "Start of the last sync that finished.",
            labels=["account"],
        )
        unreadable = GaugeMetricFamily(
            "northflank_sync_unreadable_addons", "Addons that could not be read.", labels=["account"]
        )
        for account in self._report.accounts:
            if account.synced_at is not None:
                synced.add_metric([account.account_id or ""], account.synced_at.timestamp())
            unreadable.add_metric([account.account_id or ""], account.unreadable_addons)
        yield synced
        yield unreadable

    def _findings(self, name: str, documentation: str, *, counts: bool) -> GaugeMetricFamily:
        metric = GaugeMetricFamily(name, documentation, labels=["rule", "severity"])
        found = Counter((each.rule, each.severity) for each in self._report.findings if each.counts is counts)
        for rule in RULES:
            for severity in Severity:
                metric.add_metric([rule, severity], found[rule, severity])
        return metric


def _labels(addon: AddonReport) -> list[str]:
    return [addon.account_id or "", addon.team_id or "", addon.project_id, addon.addon_id]


def _backup_times(addons: list[AddonReport]) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(
        "northflank_backup_last_success_timestamp_seconds", "End of the newest completed backup.", labels=_ADDON
    )
    for addon in addons:
        if isinstance(addon.last_success_at, datetime):
            metric.add_metric(_labels(addon), addon.last_success_at.timestamp())
    return metric


def _backup_sizes(addons: list[AddonReport]) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(
        "northflank_backup_last_size_bytes", "Size of the newest completed backup.", labels=_ADDON
    )
    for addon in addons:
        if addon.last_size is not None:
            metric.add_metric(_labels(addon), addon.last_size)
    return metric


def _intervals(addons: list[AddonReport]) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(
        "northflank_backup_expected_interval_seconds", "Longest time between two backups.", labels=_ADDON
    )
    for addon in addons:
        if addon.expected_interval is not None:
            metric.add_metric(_labels(addon), addon.expected_interval.total_seconds())
    return metric


def _statuses(addons: list[AddonReport]) -> GaugeMetricFamily:
    metric = GaugeMetricFamily(
        "northflank_backup_last_status", "Status of the newest backup: 1 for it, else 0.", labels=[*_ADDON, "status"]
    )
    known = list(RunStatus)
    for addon in addons:
        current = addon.last_status if addon.last_status in known or addon.last_status is None else _UNKNOWN
        for status in (*known, _UNKNOWN):
            metric.add_metric([*_labels(addon), status], float(status == current))
    return metric
