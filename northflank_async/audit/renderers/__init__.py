"""The outputs of a report: one module for each format."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TypeAlias

from northflank_async.audit.policy import Severity
from northflank_async.audit.report import Report
from northflank_async.inventory.extras import require_extra
from northflank_async.validation import check_choice

Render: TypeAlias = Callable[[Report, Severity], str]
"""Renders a report; the severity is the one from which findings fail."""

FORMATS = ("table", "json", "junit", "nagios", "prometheus", "html")


def load_renderer(format: str) -> Render:
    """Load the function that renders a format.

    Args:
        format: one of `FORMATS`.

    Raises:
        ConfigurationError: the format is unknown, or a package it needs is not installed.
    """
    check_choice("format", format, FORMATS)
    with require_extra():
        module = import_module(f"{__name__}.{format}")
    render: Render = module.render
    return render


def render(report: Report, format: str, fail_on: Severity = Severity.HIGH) -> str:
    """Render a report as text.

    Args:
        report: what is rendered.
        format: one of `FORMATS`.
        fail_on: findings that are at least that severe are failures in JUnit XML and for Nagios.

    Raises:
        ConfigurationError: the format is unknown, or a package it needs is not installed.
    """
    return load_renderer(format)(report, fail_on)


def summary_line(report: Report) -> str:
    """Summarize a report: `38 addons: 31 healthy, 4 warn, 2 critical, 1 unknown`."""
    summary = report.summary
    optional: Mapping[str, int] = {"skipped": summary.skipped}
    parts = [f"{summary.healthy:,} healthy", f"{summary.warn:,} warn", f"{summary.critical:,} critical"]
    parts += [f"{summary.unknown:,} unknown", *(f"{number:,} {name}" for name, number in optional.items() if number)]
    waived = f"; {summary.waived:,} findings waived" if summary.waived > 1 else "; 1 finding waived"
    return f"{summary.addons:,} {'addon' if summary.addons == 1 else 'addons'}: {', '.join(parts)}" + (
        waived if summary.waived else ""
    )
