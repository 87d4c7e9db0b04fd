"""The README's table of rules is that of the code."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import fields

from northflank_async.audit.policy import RULES, level_fields

README = Path(__file__).parent.parent.parent / "README.md"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def toml(value: Any) -> str:
    """A value as in the policy."""
    match value:
        case None:
            return '"off"'
        case timedelta():
            return f'"{value // DAY}d"' if value % DAY == timedelta() and value >= 2 * DAY else f'"{value // HOUR}h"'
        case tuple():
            return f"[{', '.join(map(toml, value))}]"
        case str():
            return f'"{value}"'
    return f"{value:g}"


def table() -> str:
    lines = ["| rule | finds | keys and defaults |", "| --- | --- | --- |"]
    for rule, cls in RULES.items():
        levels = [each.name for each in level_fields(cls)]
        keys = [
            f"`{each.name} = {toml(each.default)}`" + ("" if each.name in levels else f" ({each.metadata['meaning']})")
            for each in fields(cls)
        ]
        lines.append(f"| `{rule}` | {' '.join((cls.__doc__ or '').split())} | {', '.join(keys)} |")
    return "\n".join(lines) + "\n"


def test_the_readme_lists_every_rule_with_its_keys_and_defaults() -> None:
    assert table() in README.read_text(encoding="utf-8")
