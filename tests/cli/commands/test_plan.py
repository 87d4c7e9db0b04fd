"""`plan`."""

import pytest

from northflank_async.simulator import Simulator
from tests.support.command import invoke


def test_a_plan_estimates_the_requests_of_an_export(northflank_simulator: Simulator) -> None:
    result = invoke("plan", "--restores")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["projects", "addons", "requests", "remaining", "done"]
    assert "requests   at least 47: an addon takes one more for each 100 backups" in result.stdout
    assert "994 of 1,000 in this window" in result.stdout
    assert len(northflank_simulator.requests) == 6


@pytest.mark.parametrize("northflank_simulator", [{"rate_limit": 10}], indirect=True)
def test_a_plan_covers_several_windows(northflank_simulator: Simulator) -> None:
    result = invoke("plan", "--concurrency", "1")
    assert result.exit_code == 0
    assert "2 h 59 min" in result.stdout or "3 h 0 min" in result.stdout
