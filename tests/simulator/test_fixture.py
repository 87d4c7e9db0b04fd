"""The pytest fixture `northflank_simulator`: it works with any event loop, and with none."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import aiohttp
import pytest

from northflank_async.simulator import Simulator


def get_projects() -> list[dict[str, str]]:
    """List the projects as a program does that knows nothing but the environment."""
    url = os.environ["NORTHFLANK_API_BASE_URL"] + "/v1/projects"
    headers = {"Authorization": f"Bearer {os.environ['NORTHFLANK_API_TOKEN']}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:
        projects: list[dict[str, str]] = json.load(response)["data"]["projects"]
    return projects


def test_a_plain_test_finds_it_through_the_environment(northflank_simulator: Simulator) -> None:
    assert len(get_projects()) == 5
    assert [record.path for record in northflank_simulator.requests] == ["/v1/projects"]


async def test_a_test_with_a_loop_can_use_it(northflank_simulator: Simulator) -> None:
    headers = {"Authorization": f"Bearer {northflank_simulator.token}"}
    url = f"{northflank_simulator.url}/v1/projects"
    async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as response:
        assert response.status == 200


@pytest.mark.parametrize("northflank_simulator", [{"projects": 2, "token": "mine"}], indirect=True)
def test_it_accepts_arguments(northflank_simulator: Simulator) -> None:
    assert os.environ["NORTHFLANK_API_TOKEN"] == northflank_simulator.token == "mine"
    assert len(get_projects()) == 2


def test_it_leaves_nothing_behind() -> None:
    assert os.environ.get("NORTHFLANK_API_TOKEN") not in ("simulator-token", "mine")
    assert "northflank-simulator" not in {thread.name for thread in threading.enumerate()}


PLAIN = """
import sys

def test_nothing_is_imported(pytestconfig):
    assert pytestconfig.pluginmanager.hasplugin("northflank")
    assert not {"aiohttp", "northflank_async"} & set(sys.modules)
"""
USING = """
import sys

def test_the_simulator_is_imported(northflank_simulator):
    assert {"aiohttp", "northflank_async"} <= set(sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize("content", [PLAIN, USING], ids=["unused", "used"])
def test_pytest_imports_the_package_only_for_a_test_that_uses_the_fixture(content: str, tmp_path: Path) -> None:
    (tmp_path / "test_plugin.py").write_text(content)
    pytest_run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert pytest_run.returncode == 0, pytest_run.stdout
    assert "1 passed" in pytest_run.stdout
