"""The rows as one table: for a terminal, as Markdown, as JSON."""

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

from benchmarks.rows import DIFFERENCE, Comparison, Row, Spread

TITLES = ("", "median (smallest–largest)", "", "compared (smallest–largest)", "target")
PACKAGES = ("northflank-async", "aiohttp", "attrs", "cattrs", "httpx", "northflank", "orjson", "pyarrow", "sqlalchemy")

_WIDTH = 220
"""Columns where there is no terminal."""


@frozen
class Line:
    """One line of the table. A row has as many as it is compared to others; a group begins with its name."""

    cells: tuple[str, str, str, str, str]
    is_heading: bool = False
    is_met: bool | None = None


def environment() -> dict[str, Any]:
    """What it was measured on and with."""
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
                {**asdict(row), "comparisons": [_comparison_json(one) for one in row.comparisons]} for row in rows
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
    """What it was measured on and with, as one sentence."""
    found = environment()
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    node = f", node {found['node']}" if found["node"] else ""
    return f"{found['system']}, {found['processors']} processors; Python {found['python']}{node}; {packages}."


def _lines_of(row: Row) -> Iterator[Line]:
    if row.value is None:
        yield Line((row.name, f"missing: {row.missing}", "", "", ""))
        return
    also = ", ".join(f"{_number(spread.median)} {what}" for what, spread in row.also.items())
    head = (row.name, f"{_spread(row.value)} {row.unit}", also)
    for one in row.comparisons or (None,):
        compared, target = ("", "") if one is None else (_compared(one, row.unit), _target(one))
        yield Line((*head, compared, target), is_met=None if one is None else one.is_met)
        head = ("", "", "")


def _compared(one: Comparison, unit: str) -> str:
    if one.kind == DIFFERENCE:
        return f"{_spread(one.value, '+.1f')} {unit} to {one.to}"
    return f"{_spread(one.value)} × {one.to}"


def _target(one: Comparison) -> str:
    return "" if one.target is None else f"{one.target}: {'met' if one.is_met else 'missed'}"


def _comparison_json(one: Comparison) -> dict[str, Any]:
    target = None if one.target is None else {"text": str(one.target), **asdict(one.target), "met": one.is_met}
    return {**asdict(one), "target": target}


def _spread(spread: Spread, form: str | None = None) -> str:
    middle, smallest, largest = (
        _number(value) if form is None else format(value, form)
        for value in (spread.median, spread.smallest, spread.largest)
    )
    return middle if spread.smallest == spread.largest else f"{middle} ({smallest}–{largest})"


def _number(value: float) -> str:
    """With three digits that count, at least."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.{max(0, 2 - floor(log10(abs(value))))}f}"


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _node_version() -> str | None:
    node = shutil.which("node")
    return node and subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
