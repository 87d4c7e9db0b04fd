"""The commands that read the account of the token, and the types of addons."""

import pytest

from northflank_async.simulator import Simulator
from tests.support.command import invoke, invoke_json


def test_the_account_of_the_token_is_printed(northflank_simulator: Simulator) -> None:
    auth = invoke_json("get", "auth")
    assert auth["entityId"] == northflank_simulator.identity.entity_id
    lines = [line.split() for line in invoke("get", "auth", "-o", "table").stdout.splitlines()]
    assert ["Account", "simulated-team"] in lines
    assert ["Role", "Backup", "reader"] in lines


@pytest.mark.parametrize("output", ["table", "jsonl"])
def test_addon_types_are_listed(northflank_simulator: Simulator, output: str) -> None:
    types = invoke_json("get", "addon", "types")["addonTypes"]
    lines = invoke("get", "addon", "types", "-o", output).stdout.splitlines()
    assert len(lines) == len(types) + (output == "table")
    assert all(found["type"] in line for found, line in zip(types, lines[-len(types) :], strict=True))
    assert [sent.path for sent in northflank_simulator.requests] == ["/v1/addon-types"] * 2
