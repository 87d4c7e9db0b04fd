"""The pytest fixture: it works with any loop, and with none."""

import json
import os
import threading
import urllib.request

import aiohttp
import pytest

from northflank_async.simulator import Simulator, pytest_plugin

# Named here, so that this file needs no installed entry point.
northflank_simulator = pytest_plugin.northflank_simulator


def read(path: str) -> list[dict[str, str]]:
    """Ask as a program does that knows nothing but the environment."""
    url = os.environ["NORTHFLANK_API_BASE_URL"] + path
    headers = {"Authorization": f"Bearer {os.environ['NORTHFLANK_API_TOKEN']}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
        projects: list[dict[str, str]] = json.load(response)["data"]["projects"]
    return projects


def test_a_plain_test_reaches_it_through_the_environment(northflank_simulator: Simulator) -> None:
    assert len(read("/v1/projects")) == 5
    assert [record.path for record in northflank_simulator.requests] == ["/v1/projects"]


async def test_a_test_with_a_loop_reaches_it(northflank_simulator: Simulator) -> None:
    headers = {"Authorization": f"Bearer {northflank_simulator.token}"}
    url = f"{northflank_simulator.url}/v1/projects"
    async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as response:
        assert response.status == 200


@pytest.mark.parametrize("northflank_simulator", [{"projects": 2, "token": "mine"}], indirect=True)
def test_it_takes_arguments(northflank_simulator: Simulator) -> None:
    assert os.environ["NORTHFLANK_API_TOKEN"] == northflank_simulator.token == "mine"
    assert len(read("/v1/projects")) == 2


def test_nothing_is_left_of_it_after_a_test() -> None:
    assert os.environ.get("NORTHFLANK_API_TOKEN") not in ("simulator-token", "mine")
    assert "northflank-simulator" not in {thread.name for thread in threading.enumerate()}
