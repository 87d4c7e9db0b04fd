"""The benchmarks run. Nothing here judges what they measure."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.responses import all_responses, backup
from benchmarks.results import DIFFERENCE, Row, Sample, interleave, make_row
from benchmarks.table import to_json, to_markdown
from benchmarks.targets import TARGETS
from northflank_async.audit.renderers import FORMATS

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
@pytest.mark.parametrize(
    "group", ["paginator", "structuring", "scanning", "inventory", "accounts", "memory", "mirroring", "startup"]
)
def test_a_group_measures_every_contestant_and_compares_its_targets(group: str, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", group, "--quick", "--json", results],
        cwd=ROOT, env={**os.environ, "PATH": ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = json.loads(results.read_text(encoding="utf-8"))["rows"]
    for found in rows:
        assert found["name"] in done.stdout
        assert found["missing"] == ("node is not installed" if "JavaScript" in found["name"] else None)
        assert found["missing"] or found["value"]["median"] > 0
    assert targets_of(rows) == {key for key in TARGETS if key[0] == group and "JavaScript" not in key[2]}


@pytest.mark.slow
def test_audits_of_a_written_inventory_are_measured(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.audit", "--projects", "1", "--addons", "3", "--directory", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "3 addons, 300 backups" in done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == list(FORMATS)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert (report["summary"]["addons"], report["complete"]) == (4, True)
    assert {"stale", "failing"} <= {finding["rule"] for finding in report["findings"]}


def targets_of(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (found["group"], found["name"], comparison["to"])
        for found in rows
        for comparison in found["comparisons"]
        if comparison["target"]
    }


def test_an_unknown_group_is_an_error_before_anything_is_measured() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "pagination"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "python -m benchmarks: error: unknown group: pagination; choose from paginator, structuring, scanning,"
        " inventory, accounts, memory, mirroring, startup"
    )


def test_a_prepared_backup_has_every_documented_field() -> None:
    facts = json.loads((ROOT / "tests/facts/list-addon-backups.json").read_text(encoding="utf-8"))
    schema = facts["response_body"]["properties"]["data"]["properties"]["backups"]["items"]
    for age in range(40):
        jsonschema.validate(backup(age), schema, format_checker=jsonschema.FormatChecker())
        assert fields_of(backup(age)) == documented_fields(schema)
    assert len(documented_fields(schema)) == 17


def fields_of(value: Any, place: str = "") -> set[str]:
    if isinstance(value, list):
        return {name for item in value for name in fields_of(item, place)}
    if not isinstance(value, dict):
        return set()
    return {f"{place}.{name}" for name in value}.union(
        *(fields_of(item, f"{place}.{name}") for name, item in value.items())
    )


def documented_fields(schema: dict[str, Any], place: str = "") -> set[str]:
    properties = schema.get("items", schema).get("properties", {})
    return {f"{place}.{name}" for name in properties}.union(
        *(documented_fields(item, f"{place}.{name}") for name, item in properties.items())
    )


def test_every_page_has_a_response_and_so_has_an_addon_without_backups() -> None:
    found = [(key.path.rpartition("/v1/")[2], key.cursor.lstrip("0")) for key, _ in all_responses(1, 2, [0, 150])]
    assert found == [
        ("projects", ""),
        ("projects/project-0/addons", ""),
        ("projects/project-0/addons/addon-0/backups", ""),
        ("projects/project-0/addons/addon-1/backups", ""),
        ("projects/project-0/addons/addon-1/backups", "1"),
    ]


def test_contestants_take_turns_and_each_goes_first_once() -> None:
    order: list[str] = []
    results = interleave("any", {name: partial(order.append, name) for name in "abc"}, 3)
    assert "".join(order) == "abcbcacab"
    assert {name: len(runs) for name, runs in results.items()} == {"a": 3, "b": 3, "c": 3}


def compared(*, typed: list[float], sdk: list[float]) -> Row:
    name, other = "this client, typed records", "Python SDK, one httpx client"
    samples = {name: [Sample(value) for value in typed], other: [Sample(value) for value in sdk]}
    return make_row("paginator", name, "records/s", samples, [other, "a contestant that did not run"])


def test_comparisons_are_made_within_each_round() -> None:
    table = to_markdown([compared(typed=[200, 3000, 160], sdk=[100, 1000, 100])])
    assert table.splitlines()[2:4] == [
        "| **paginator** |  |  |  |  |",
        "| this client, typed records | 200 (160–3,000) records/s |  "
        "| 2 (1.60–3) × Python SDK, one httpx client | at least 1.5: met |",
    ]


def test_a_missed_target_is_reported() -> None:
    missed = compared(typed=[149], sdk=[100])
    assert "| 1.49 × Python SDK, one httpx client | at least 1.5: missed |" in to_markdown([missed])
    assert json.loads(to_json([missed]))["rows"][0]["comparisons"][0]["target"]["met"] is False


def test_memory_is_compared_by_its_difference() -> None:
    samples = {"scan, small": [Sample(40)], "scan, large": [Sample(61)]}
    table = to_markdown([make_row("memory", "scan, large", "MB", samples, ["scan, small"], kind=DIFFERENCE)])
    assert "| +21.0 MB vs. scan, small | at most 20: missed |" in table


def test_a_missing_contestant_is_reported_with_the_reason() -> None:
    assert "| node client | missing: node is not installed |" in to_markdown(
        [Row("any", "node client", "s", missing="node is not installed")]
    )
