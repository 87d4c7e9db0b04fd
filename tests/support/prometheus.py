"""Prometheus, and its tool that checks rules."""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.postgresql import free_port


@pytest.fixture(scope="session")
def promtool() -> str:
    """Find the tool. If it is not installed, skip the test; in CI, fail it."""
    return _find("promtool")


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is not None:
        return found
    message = f"{program} is not installed (Debian's package is prometheus)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        """Return the data of a request, or `None` while the server does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=10) as response:
                return json.load(response)["data"]
        except OSError:
            return None


@contextmanager
def scraping(target: str, rules: Path, directory: Path) -> Iterator[Prometheus]:
    """Start a server that scrapes a target, and evaluates rules, once a second."""
    program = _find("prometheus")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "northflank", "static_configs": [{"targets": [target]}]}],
    }
    path = directory / "prometheus.json"  # JSON is YAML
    path.write_text(json.dumps(config))
    address = f"127.0.0.1:{free_port()}"
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={path}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()
            process.wait()
