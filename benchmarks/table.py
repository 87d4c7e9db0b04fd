"""The table: on a terminal, as Markdown, as JSON."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from math import floor, log10
from typing import Any

from attrs import asdict, frozen

from benchmarks.results import DIFFERENCE, Comparison, Row, Spread

TITLES = ("", "median (min–max)", "", "compared with (min–max)", "target")
PACKAGES = ("northflank-async", "aiohttp", "attrs", "cattrs", "httpx", "northflank", "orjson", "pyarrow", "sqlalchemy")

_WIDTH = 220
"""Characters, if the output is not a terminal."""


@frozen
class Line:
    """One line of the table: a group's heading, or one comparison of a row."""

    cells: tuple[str, str, str, str, str]
    is_heading: bool = False
    is_met: bool | None = None


def environment() -> dict[str, Any]:
    """Describe the machine and the versions."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "node": _node_version(),
        "packages": {package: version(package) for package in PACKAGES},
    }


def lines(rows: Sequence[Row]) -> Iterator[Line]:
    group = None
    for row in rows:
        if row.group != group:
            group = row.group
            yield Line((group, "", "", "", ""), is_heading=True)
        yield from _lines_of(row)


def to_json(rows: Sequence[Row]) -> str:
    return json.dumps(
        {
            "environment": environment(),
            "rows": [
                {**asdict(row), "comparisons": [_comparison_json(each) for each in row.comparisons]} for row in rows
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def to_markdown(rows: Sequence[Row]) -> str:
    parts = [_markdown_line(TITLES), _markdown_line(("---",) * len(TITLES))]
    for line in lines(rows):
        cells = [f"**{cell}**" if cell and line.is_heading else cell for cell in line.cells]
        parts.append(_markdown_line(cells))
    return "\n".join([*parts, "", subtitle()])


def print_table(rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*TITLES, caption=subtitle(), caption_justify="left")
    for line in lines(rows):
        if line.is_heading:
            table.add_section()
        table.add_row(
            *line.cells, style={None: "bold" if line.is_heading else None, True: "green", False: "red"}[line.is_met]
        )
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def subtitle() -> str:
    """Describe the machine and the versions in one sentence."""
    found = environment()
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    node = f", node {found['node']}" if found["node"] else ""
    return f"{found['system']}, {found['processors']} processors; Python {found['python']}{node}; {packages}."


def _lines_of(row: Row) -> Iterator[Line]:
    if row.value is None:
        yield Line((row.name, f"missing: {row.missing}", "", "", ""))
        return
    details = ", ".join(f"{_number(spread.median)} {unit}" for unit, spread in row.details.items())
    head = (row.name, f"{_spread(row.value)} {row.unit}", details)
    if not row.comparisons:
        yield Line((*head, "", ""))
    for comparison in row.comparisons:
        yield Line((*head, _compared(comparison, row.unit), _target(comparison)), is_met=comparison.is_met)
        head = ("", "", "")


def _compared(comparison: Comparison, unit: str) -> str:
    if comparison.kind == DIFFERENCE:
        return f"{_spread(comparison.value, '+.1f')} {unit} vs. {comparison.to}"
    return f"{_spread(comparison.value)} × {comparison.to}"


def _target(comparison: Comparison) -> str:
    return "" if comparison.target is None else f"{comparison.target}: {'met' if comparison.is_met else 'missed'}"


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    target = comparison.target and {
        "text": str(comparison.target), **asdict(comparison.target), "met": comparison.is_met,
    }  # fmt: skip
    return {**asdict(comparison), "target": target}


def _spread(spread: Spread, format_spec: str | None = None) -> str:
    median, minimum, maximum = (
        _number(value) if format_spec is None else format(value, format_spec)
        for value in (spread.median, spread.minimum, spread.maximum)
    )
    return median if spread.minimum == spread.maximum else f"{median} ({minimum}–{maximum})"


def _number(value: float) -> str:
    """Format with at least three significant digits."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.{max(0, 2 - floor(log10(abs(value))))}f}"


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _node_version() -> str | None:
    node = shutil.which("node")
    return node and subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
