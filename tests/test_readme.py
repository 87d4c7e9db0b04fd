"""Every code block of the README runs unchanged, and CONTRIBUTING points to code that exists."""

import ast
import asyncio
import inspect
import json
import os
import re
import sqlite3
import subprocess
import sys
import venv
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from northflank_async import Northflank
from northflank_async.audit import Policy
from northflank_async.errors import __doc__ as error_tree
from northflank_async.inventory import Inventory
from northflank_async.simulator import Downloads, Simulator, Tenant
from tests.support.clocks import ManualClock, ManualTimer
from tests.support.postgresql import PostgreSQL
from tests.support.threads import in_thread

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def write_accounts(folder: Path, simulator: Simulator) -> Path:
    """Write the example of an accounts file, and the token file that it names."""
    (text,) = [block for block in blocks("toml") if "[[accounts]]" in block]
    for name, content in {"accounts.toml": text, "globex.token": simulator.tenants[-1].token}.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(content)
    return folder / "accounts.toml"


async def synced_projects(target: str) -> set[str]:
    async with Inventory(target) as inventory:
        return await inventory.project_ids()


def environment(simulator: Simulator) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "NORTHFLANK_API_TOKEN": simulator.token,
        "NORTHFLANK_API_BASE_URL": simulator.url,
        "ACME_NORTHFLANK_TOKEN": simulator.token,
    }


EXPECTED = (" started", "only dumps can", "so nothing of it is mirrored")
"""The ends of messages that commands may write."""


def test_every_block_has_a_tested_language() -> None:
    assert {name for name, _ in BLOCKS} == {
        "python", "sh", "sql", "console", "json", "text", "toml", "yaml",
    }  # fmt: skip


@pytest.mark.parametrize("block", [block for block in blocks("toml") if "[[accounts]]" not in block])
def test_a_policy_shown_is_one(block: str) -> None:
    assert Policy.parse(block) != Policy()


def test_the_first_example_is_a_complete_program(northflank_simulator: Simulator, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(blocks("python")[0])
    done = subprocess.run(
        [sys.executable, "-W", "error", "example.py"],
        cwd=tmp_path, env=environment(northflank_simulator), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("example-backup completed 2026-")
    assert len(done.stdout.splitlines()) == 225


class PollingClock(ManualClock):
    """Skips pauses of up to a minute, so that polling takes no time; otherwise stands still."""

    def call_at(self, when: float, callback: Callable[[], object]) -> ManualTimer:
        if when - self.now <= 60:
            asyncio.get_running_loop().call_soon(lambda: self.advance(max(0.0, when - self.now)))
        return super().call_at(when, callback)


CLOCK = PollingClock()


@pytest.mark.parametrize(
    "northflank_simulator", [{"clock": CLOCK.time, "downloads": Downloads(size=3_000_000)}], indirect=True
)
async def test_the_examples_run_in_order(
    northflank_simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_accounts(tmp_path, northflank_simulator)
    monkeypatch.setenv("ACME_NORTHFLANK_TOKEN", northflank_simulator.token)
    async with Northflank(clock=CLOCK) as nf:
        namespace: dict[str, Any] = {"nf": nf, "asyncio": asyncio}
        for block in blocks("python")[1:]:
            code = compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            result = eval(code, namespace)
            if inspect.isawaitable(result):
                await result
        namespace["stopping"].set()
        await namespace["syncing"]
        assert await synced_projects("accounts.db")
        assert len(namespace["backups"]) == 225
        assert (tmp_path / "before-the-upgrade.zst").stat().st_size == 3_000_000
    assert "example-backup" in capsys.readouterr().out


def test_the_example_test_passes_with_only_the_included_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(next(block for block in blocks("python") if "def test_" in block))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1].startswith("1 passed"), done.stdout


# Fast enough that a backup ends at once, slow enough that its link does not expire.
@pytest.mark.parametrize(
    "northflank_simulator",
    [
        {
            "speed": 5000.0,
            "downloads": Downloads(size=1000),
            "tenants": [Tenant(name="acme", token="acme"), Tenant(name="globex", token="globex", seed=1)],
        }
    ],
    indirect=True,
)
@pytest.mark.timeout(400)
def test_the_commands_run(northflank_simulator: Simulator, postgresql: PostgreSQL, tmp_path: Path) -> None:
    url = postgresql.create("readme")
    contexts = [{"name": "work", "project": "default-project"}]
    (tmp_path / ".northflank").mkdir()
    (tmp_path / ".northflank" / "config.json").write_text(json.dumps({"contexts": contexts}))
    write_accounts(tmp_path, northflank_simulator)
    for block in blocks("sh"):
        if "pip install" not in block and "async worker" not in block:
            done = subprocess.run(
                ["sh", "-ec", block],
                cwd=tmp_path, env={**environment(northflank_simulator), "DATABASE_URL": url, "HOME": str(tmp_path)},
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert done.stdout
            said = [line for line in done.stderr.splitlines() if line.startswith("northflank-async:")]
            assert [line for line in said if not line.endswith(EXPECTED)] == []
    query, copies = blocks("sql")
    with closing(sqlite3.connect(tmp_path / "inventory.db")) as database:
        rows = ["|".join(map(str, row)) for row in database.execute(query)]
        assert database.execute(copies).fetchall()
    assert len(rows) > 3
    assert {row.split("|")[2] for row in rows} == {row.split("|")[2] for row in postgresql.query("readme", query)}


def test_the_proof_removes_the_findings(tmp_path: Path) -> None:
    (block,) = (block for block in blocks("sh") if "proof.db" in block)
    with in_thread(Simulator(scenario="untested", speed=20.0, addon_size=1000)) as simulator:
        done = subprocess.run(
            ["sh", "-ec", block], cwd=tmp_path, env=environment(simulator), capture_output=True, text=True, check=True
        )
    before, after = done.stdout.split("these are not proven\n")
    found = [
        re.findall(r"(\S+) +simulated-team/default-project/example-addon$", part, re.M) for part in (before, after)
    ]
    assert found == [["no-offsite", "untested"], []]
    assert after.endswith("these are left\n")


def test_the_worker_runs(northflank_simulator: Simulator, postgresql: PostgreSQL, tmp_path: Path) -> None:
    (block,) = (block for block in blocks("sh") if "async worker" in block)
    start, status = block.splitlines()
    url = postgresql.create("readme-worker")
    write_accounts(tmp_path, northflank_simulator)
    options: dict[str, Any] = {
        "cwd": tmp_path, "env": {**environment(northflank_simulator), "DATABASE_URL": url}, "text": True,
    }  # fmt: skip
    worker = subprocess.Popen(["sh", "-ec", f"exec {start}"], stderr=subprocess.PIPE, **options)
    try:
        states: list[dict[str, Any]] = []
        while len(states) < 2 or not all(state["lastSuccessAt"] for state in states):
            done = subprocess.run(["sh", "-ec", f"{status} --output json"], capture_output=True, check=False, **options)
            states = json.loads(done.stdout or "[]")
    finally:
        worker.terminate()
        _, said = worker.communicate()
    assert [state["account"] for state in states] == ["acme", "globex"]
    assert said.splitlines()[-1].endswith("the accounts were handed back to the queue")


def test_the_cron_job_exports_the_accounts(
    northflank_simulator: Simulator, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    (block,) = blocks("yaml")
    pod = yaml.safe_load(block)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], pod["volumes"]
    (mount,) = container["volumeMounts"]
    assert mount["name"] == volume["name"]
    assert volume["secret"]["defaultMode"] == 0o400
    write_accounts(tmp_path, northflank_simulator)
    url = postgresql.create("readme-cron-job")
    arguments = [
        argument.replace("$(DATABASE_URL)", url).replace(mount["mountPath"], str(tmp_path))
        for argument in container["args"]
    ]
    subprocess.run(arguments, env=environment(northflank_simulator), capture_output=True, check=True)
    assert int(postgresql.query("readme-cron-job", "SELECT count(*) FROM northflank.backups")[0]) > 1000


@pytest.mark.parametrize("block", [block for block in blocks("console") if "simulate --port" not in block])
def test_a_command_prints_the_output_shown(northflank_simulator: Simulator, block: str) -> None:
    command, _, shown = block.partition("\n")
    done = subprocess.run(
        ["sh", "-ec", command.removeprefix("$ ")],
        env={**environment(northflank_simulator), "COLUMNS": "80"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == shown


async def test_the_simulator_prints_the_output_shown(unused_tcp_port: int) -> None:
    (block,) = (block for block in blocks("console") if "simulate --port" in block)
    shown = block.replace("8080", str(unused_tcp_port)).splitlines()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "northflank_async.cli", *shown[0].split()[2:], stdout=subprocess.PIPE
    )
    assert process.stdout
    try:
        for line in shown[1:]:
            assert (await process.stdout.readline()).decode() == f"{line}\n"
    finally:
        process.terminate()
        await process.communicate()


def test_the_demo_kills_and_resumes_an_export_and_makes_a_report(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.interrupted_export", tmp_path / "inventory.jsonl"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Killed (SIGKILL) after" in done.stdout
    assert ", resumed)" in done.stdout
    assert "Killed and resumed" in done.stdout
    report = tmp_path / "audit.html"
    assert done.stdout.splitlines()[-1] == f"The report: {report}"
    assert "<h1>Backup audit</h1>" in report.read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.html", "inventory.jsonl"]


def test_the_line_shown_is_the_first_of_an_export(northflank_simulator: Simulator, tmp_path: Path) -> None:
    subprocess.run(
        ["northflank-async", "export", "inventory.jsonl"],
        cwd=tmp_path, env=environment(northflank_simulator), capture_output=True, check=True,
    )  # fmt: skip
    with (tmp_path / "inventory.jsonl").open(encoding="utf-8") as file:
        assert json.loads(file.readline()) == json.loads(blocks("json")[0])


def test_the_error_tree_matches_the_code() -> None:
    names = r"(\w+Error|\w+Request|\w+Denied|\w+Found|Conflict|RateLimited|RunFailed)\b"
    assert re.findall(names, blocks("text")[0]) == re.findall(names, error_tree or "")


def test_the_install_commands_work_in_a_fresh_environment(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    install = next(block for block in blocks("sh") if "pip install" in block)
    path = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""}
    for command in install.splitlines():
        subprocess.run(["sh", "-ec", command], cwd=ROOT, env=path, capture_output=True, check=True)
        subprocess.run(
            [binaries / "python", "-c", "import northflank_async"],
            cwd=tmp_path,
            env=path,
            capture_output=True,
            check=True,
        )
    done = subprocess.run(
        [binaries / "northflank-async", "--version"],
        cwd=tmp_path, env=path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("northflank-async, version 0.")


def test_contributing_names_where_each_rule_lives() -> None:
    section = CONTRIBUTING.partition("## Where each rule lives")[2].partition("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("|")][2:]
    rules = [re.fullmatch(r"\|[^|]+\| `([\w/]+\.py)` \| `([\w.]+)` \|", row) for row in rows]
    assert len(rules) > 15
    assert [row for row, rule in zip(rows, rules, strict=True) if not (rule and is_defined(*rule.groups()))] == []


def is_defined(module: str, name: str) -> bool:
    path = ROOT / "northflank_async" / module
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    *classes, name = name.split(".")
    for cls in classes:
        text = re.split(r"^(?=\S)", text.partition(f"\nclass {cls}")[2].partition("\n")[2], maxsplit=1, flags=re.M)[0]
    return bool(re.search(rf"^(?:\s*(?:async )?(?:def|class) {name}\b|{name}\b)", text, re.M))
