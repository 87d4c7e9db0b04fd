"""Northflank's own command line prints the same JSON and YAML for the same call, byte for byte."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from filelock import FileLock, Timeout

from northflank_async.simulator import Simulator
from tests.support.clocks import ManualClock
from tests.support.command import invoke, invoke_json

pytestmark = pytest.mark.slow

PACKAGE = "@northflank/cli@0.9.24"
FOLDER = Path(__file__).parents[2] / ".venv" / "official-cli"
ADDON = ["--projectId", "billing", "--addonId", "billing-cache"]
BACKUP = [*ADDON, "--backupId", "billing-cache-20261017-210"]
GLOBAL = ["--sourceProjectId", "billing", "--sourceAddonId", "billing-cache"]
PAGES = [[], ["--per_page", "3", "--page", "1"], ["--per_page", "7", "--page", "2"], ["--page", "1"], ["--loadAll"]]
CALLS = [
    *[["get", "addon", "backups", *ADDON, *pages] for pages in PAGES],
    *[["get", "addon", "restores", *ADDON, *pages] for pages in PAGES],
    *[["get", "addon", "backup", "restores", *BACKUP, *pages] for pages in [*PAGES, GLOBAL]],
    ["get", "addon", "backup", *BACKUP],
    ["get", "addon", "backup", *ADDON, "--backupId", "billing-cache-20261101-225"],
    ["get", "addon", "types"],
    ["list", "projects"],
    ["list", "backup-destinations"],
    ["list", "addons", "--projectId", "billing"],
    ["get", "addon", "backup-schedules", *ADDON],
]


@pytest.fixture(scope="session")
def official() -> Path:
    """Install the program once; skip the tests if that is impossible."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node is not installed")
    FOLDER.parent.mkdir(exist_ok=True)
    try:
        with FileLock(FOLDER.with_suffix(".lock"), timeout=60):  # tests run in several processes
            if not FOLDER.exists():
                part = FOLDER.with_suffix(".part")
                command = [npm, "install", "--no-save", "--ignore-scripts", "--prefix", str(part), PACKAGE]
                subprocess.run(command, capture_output=True, check=True, timeout=45)
                part.rename(FOLDER)
    except (subprocess.SubprocessError, Timeout):
        pytest.skip(f"{PACKAGE} cannot be installed")
    return FOLDER / "node_modules" / "@northflank" / "cli" / "dist" / "cli.js"


@pytest.fixture
def home(tmp_path: Path, northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with a login for both programs."""
    (tmp_path / ".northflank").mkdir()
    contexts = [{"name": "simulated", "host": northflank_simulator.url, "token": northflank_simulator.token}]
    content = json.dumps({"current": "simulated", "contexts": contexts})
    (tmp_path / ".northflank" / "config.json").write_text(content)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("NORTHFLANK_API_TOKEN", "NORTHFLANK_API_BASE_URL"):
        monkeypatch.delenv(name)
    return tmp_path


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
@pytest.mark.parametrize("output", ["json", "yaml"])
def test_both_print_the_same(official: Path, home: Path, call: list[str], output: str) -> None:
    command = ["node", str(official), *call, "-o", output]
    theirs = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, encoding="utf-8")
    ours = invoke(*call, "-o", output)
    assert theirs.stdout.strip()
    assert ours.stdout == theirs.stdout


# Time stands still, so that no backup changes its status between the two calls.
@pytest.mark.parametrize("northflank_simulator", [{"clock": ManualClock().time}], indirect=True)
def test_unusual_names_are_equal_in_both_whatever_their_quotes(official: Path, home: Path) -> None:
    addon = ["--projectId", "default-project", "--addonId", "example-addon"]
    for name in ("a:b/c d", "yes", "1e3", "12:30:45", "017", "Null"):
        invoke_json("backup", "addon", *addon, "--name", name)
    call = ["get", "addon", "backups", *addon, "--per_page", "6", "--page", "1", "-o", "yaml"]
    theirs = subprocess.run(["node", str(official), *call], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    found = yaml.safe_load(invoke(*call).stdout)
    assert found == yaml.safe_load(theirs.stdout)
    assert {backup["name"] for backup in found["backups"]} == {"a:b/c d", "yes", "1e3", "12:30:45", "017", "Null"}
