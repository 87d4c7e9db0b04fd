"""`plan`."""

from pathlib import Path

import pytest

from northflank_async.simulator import Simulator
from tests.support.command import invoke


def test_a_plan_estimates_the_requests_of_an_export(northflank_simulator: Simulator) -> None:
    result = invoke("plan", "--restores")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["projects", "addons", "requests", "remaining", "done"]
    assert "requests   at least 47, plus one for each further 100 backups of an addon" in result.stdout
    assert "994 of 1,000 in this window" in result.stdout
    assert len(northflank_simulator.requests) == 6


@pytest.mark.parametrize("northflank_simulator", [{"rate_limit": 10}], indirect=True)
def test_a_plan_covers_several_windows(northflank_simulator: Simulator) -> None:
    result = invoke("plan", "--concurrency", "1")
    assert result.exit_code == 0
    assert "2 h 59 min" in result.stdout or "3 h 0 min" in result.stdout


def test_a_plan_of_an_inventory_expects_as_many_backups_as_it_has(
    northflank_simulator: Simulator, tmp_path: Path
) -> None:
    inventory = tmp_path / "inventory.db"
    before = invoke("plan", inventory, "--restores")
    assert "requests   at least 47, plus one for each further 100 backups of an addon" in before.stdout
    assert " at the earliest, in " in before.stdout
    assert not inventory.exists()
    assert invoke("export", inventory, "--restores").exit_code == 0
    northflank_simulator.requests.clear()
    planned = invoke("plan", inventory, "--restores")
    assert (planned.exit_code, planned.stderr) == (0, "")
    northflank_simulator.requests.clear()
    assert invoke("export", inventory, "--restores").exit_code == 0
    expected = f"requests   about {len(northflank_simulator.requests)}, for as many backups as {inventory} has\n"
    assert expected in planned.stdout
    assert "at the earliest" not in planned.stdout


@pytest.mark.parametrize("target", ["o.jsonl", "-"])
def test_a_plan_of_another_target_does_not_know_the_number_of_backups(
    northflank_simulator: Simulator, target: str
) -> None:
    assert "requests   at least 27" in invoke("plan", target).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--project", "biling"], 5, "Did you mean 'billing'?"),
        (["--addon-type", "postgres"], 5, "Did you mean 'postgresql'?"),
        (["o.txt"], 3, "the target must end with "),
        (["missing/o.db"], 8, "there is no such folder"),
        (["o.db", "--schema", "x"], 2, "--schema requires a postgresql:// URL"),
    ],
)
def test_a_plan_refuses_what_an_export_refuses(
    northflank_simulator: Simulator, arguments: list[str], code: int, message: str
) -> None:
    result = invoke("plan", *arguments)
    assert (result.exit_code, result.stdout, message in result.stderr) == (code, "", True)
