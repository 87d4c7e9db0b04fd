"""`drill`: what it prints, how it ends, and that a process that is stopped or killed leaves nothing after a sweep."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result

from northflank_async.drill import DrillOutcome
from northflank_async.drill.scratch import PREFIX
from northflank_async.inventory import Inventory
from northflank_async.simulator import Provisioning, Simulator
from northflank_async.simulator.responses import Rejection
from northflank_async.simulator.routes.addons import AddonRoutes
from northflank_async.simulator.thread import running_in_thread
from tests.drill.stage import CACHE, DUMPED, PROJECT, SCRATCH, SIZE, SNAPSHOTS
from tests.support.command import invoke, reaching, start

SWEEP = ("drill", "--sweep", "--scratch-project", SCRATCH)
DRILL = ("drill", "--project", PROJECT, "--addon", SNAPSHOTS, "--scratch-project", SCRATCH, "--yes")
SPEED = 500.0  # ten seconds of simulated time in 20 ms


def simulator(**options: Any) -> Simulator:
    return Simulator(**{"scenario": "healthy", "addon_size": SIZE, "speed": SPEED, **options})


@contextmanager
def served(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Simulator]:
    """Serve a simulator, with the environment set so that commands reach it."""
    with running_in_thread(simulator(**options)) as sim:
        for name, value in reaching(sim).items():
            monkeypatch.setenv(name, value)
        yield sim


def drill(addon_id: str = SNAPSHOTS, *options: object) -> Result:
    arguments = ("drill", "--project", PROJECT, "--addon", addon_id, "--scratch-project", SCRATCH, "--yes")
    return invoke(*arguments, *options)


def left(sim: Simulator) -> list[str]:
    addons = sim.tenants[0].account.addons.all()
    return [addon.id for addon in addons if addon.id.startswith(PREFIX) and addon.status != "deleting"]


def sent(sim: Simulator, method: str) -> list[str]:
    return [each.path for each in sim.requests if each.method == method]


pytestmark = pytest.mark.slow


def test_a_drill_that_passes_prints_its_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with served(monkeypatch) as sim:
        result = drill(SNAPSHOTS, "-o", "table", "--inventory", tmp_path / "inventory.db", "--check", "echo all there")
        assert left(sim) == []
    assert result.exit_code == 0, result.stderr
    names = [line.split(" ")[0] for line in result.stdout.splitlines()]
    assert names == ["outcome", "backup", "RPO", "RTO", "restore", "containers", "command", "", "took"]
    assert "outcome    passed: the backup was restored, and every check passed" in result.stdout
    assert "all there" in result.stdout
    assert "restore drill: restoring the snapshot" in result.stderr

    async def stored() -> Any:
        async with Inventory(tmp_path / "inventory.db") as inventory:
            return await inventory.drills()

    [evidence] = asyncio.run(stored())
    assert (evidence.outcome, evidence.account_id) == (DrillOutcome.PASSED, "simulated-team")


def test_json_is_the_whole_result(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(monkeypatch):
        result = drill(DUMPED, "-o", "json", "--quiet")
    assert (result.exit_code, result.stderr) == (0, "")
    drilled = json.loads(result.stdout)
    assert drilled["outcome"] == "passed"
    assert drilled["method"] == "import"
    assert drilled["checks"][0].items() >= {"name": "restore", "status": "passed"}.items()
    assert drilled["restoreSeconds"] > 0
    assert drilled["backupAge"] > 0


@pytest.mark.parametrize(
    ("addon_id", "options", "tags", "code"),
    [
        (SNAPSHOTS, ["--check", "true"], {"restore": None, "containers": None, "command": None}, 0),
        (SNAPSHOTS, ["--check", "false"], {"restore": None, "containers": None, "command": "failure"}, 11),
        (CACHE, [], {"drill": "error"}, 14),
    ],
)
def test_junit_has_a_case_for_each_check(
    addon_id: str, options: list[str], tags: dict[str, Any], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(monkeypatch):
        result = drill(addon_id, "-o", "junit", *options)
    assert result.exit_code == code
    cases = ElementTree.fromstring(result.stdout).findall("testsuite/testcase")
    assert {case.get("name"): next((part.tag for part in case), None) for case in cases} == tags


@pytest.mark.parametrize(
    ("provisioning", "options", "code", "message"),
    [
        (Provisioning(addons=["failed"]), [], 11, "the drill failed: restoring the snapshot"),
        (Provisioning(addons=["allocating"]), ["--timeout", "1"], 12, "the drill timed out: not done within 1 s"),
        (Provisioning(), ["--check", "exit 7"], 11, "the drill failed: command: exit code 7"),
    ],
)
def test_each_outcome_has_its_exit_code(
    provisioning: Provisioning, options: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(monkeypatch, provisioning=provisioning) as sim:
        result = drill(SNAPSHOTS, *options)
        assert left(sim) == []
    assert result.exit_code == code
    assert message in result.stderr
    assert json.loads(result.stdout)["outcome"] in ("failed", "timed-out")


def test_a_failed_request_has_the_exit_code_of_other_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise Rejection(403, "Refused.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AddonRoutes, "credentials", refuse)
        with served(monkeypatch) as sim:
            result = drill(SNAPSHOTS, "--check", "true")
            assert left(sim) == []
    assert result.exit_code == 4
    assert "Read Spec" in result.stderr
    with served(monkeypatch):
        assert drill("no-such-addon").exit_code == 5


def test_an_addon_that_cannot_be_removed_has_an_exit_code_and_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise Rejection(403, "Refused.")

    monkeypatch.setattr(AddonRoutes, "delete", refuse)
    with served(monkeypatch) as sim:
        result = drill()
        [name] = left(sim)
    assert result.exit_code == 15
    assert f"northflank-async drill --sweep --scratch-project {SCRATCH} --addon {name}" in result.stderr


def test_a_kept_addon_is_removed_by_the_command_that_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(monkeypatch) as sim:
        result = drill(SNAPSHOTS, "--keep", "-o", "table")
        [name] = left(sim)
        [command] = [line for line in result.stdout.splitlines() if "--sweep" in line]
        kept = invoke(*SWEEP, "--yes", "--include-running", "-o", "table")
        assert left(sim) == [name]
        removed = invoke(*command.split()[1:], "--yes", "-o", "table")
        assert left(sim) == []
    assert result.exit_code == kept.exit_code == removed.exit_code == 0
    assert "kept on request, not removed" in kept.stdout
    assert removed.stdout.endswith("1 removed\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drill", "--addon", "a", "--scratch-project", "s", "--yes"], "Missing option '--project'"),
        (["drill", "--project", "p", "--scratch-project", "s", "--yes"], "Missing option '--addon'"),
        (["drill", "--project", "p", "--addon", "a", "--yes"], "Missing option '--scratch-project'"),
        (["drill", "--project", "p", "--addon", "a", "--scratch-project", "s"], "costs money: pass --yes to confirm"),
        (["drill", "--project", "p", "--include-running"], "--include-running requires --sweep"),
        (["drill", "--sweep", "--keep"], "--keep cannot be combined with --sweep"),
        (["drill", "--sweep", "--addon", "a"], "--sweep --addon requires --scratch-project"),
        (["drill", "--sweep", "-o", "junit"], "--sweep has no JUnit output"),
        (["drill", "--schema", "x"], "--schema requires"),
        ([*DRILL, "--inventory", "drills.json"], "--inventory requires a .db file"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_refused(arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_the_source_project_is_refused_without_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(monkeypatch) as sim:
        result = invoke("drill", "--project", PROJECT, "--addon", SNAPSHOTS, "--scratch-project", PROJECT)
        assert sim.requests == []
    assert result.exit_code == 3
    assert "--allow-source-project" in result.stderr


def test_a_sweep_without_leftovers_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(monkeypatch):
        table, listed = invoke("drill", "--sweep", "-o", "table"), invoke("drill", "--sweep")
        other = invoke(*SWEEP, "--addon", "checkout-cache", "--yes")
    assert (table.exit_code, table.stdout) == (0, "no drill has left an addon\n")
    assert json.loads(listed.stdout) == []
    assert other.exit_code == 5
    assert "no drill created an addon checkout-cache in checkout: it is left alone" in other.stderr


# Processes


@asynccontextmanager
async def process(sim: Simulator, *options: object) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ("drill", "--project", PROJECT, "--addon", DUMPED, "--scratch-project", SCRATCH, "--yes")
    started = await start(*arguments, *options, **reaching(sim))
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        await started.wait()


async def until_created(sim: Simulator, running: asyncio.subprocess.Process, others: int = 0) -> None:
    while len(left(sim)) == others:
        assert running.returncode is None
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGINT] * 3, 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGTERM, signal.SIGINT, signal.SIGTERM], 130),
    ],
)
async def test_a_stopped_drill_removes_its_addon(signals: list[signal.Signals], code: int, tmp_path: Path) -> None:
    async with simulator(provisioning=Provisioning(addons=["allocating"]), latency=0.05) as sim:
        async with process(sim, "--inventory", tmp_path / "inventory.db") as running:
            await until_created(sim, running)
            for number in signals:
                running.send_signal(number)
                await asyncio.sleep(0.02)
            _, errors = await running.communicate()
        assert left(sim) == []
        assert len(sent(sim, "DELETE")) >= 1
    assert running.returncode == code, errors
    async with Inventory(tmp_path / "inventory.db") as inventory:
        assert [each.outcome for each in await inventory.drills()] == [DrillOutcome.INTERRUPTED]


async def test_what_killed_processes_left_is_swept() -> None:
    provisioning = Provisioning(addons=["allocating"] * 8)
    async with simulator(provisioning=provisioning) as sim:
        count = 0
        for seed in range(8):
            async with process(sim) as running:
                if seed % 2:
                    await until_created(sim, running, count)
                else:
                    await asyncio.sleep(Random(seed).uniform(0.3, 1.5))
                running.send_signal(signal.SIGKILL)
                await running.wait()
            count = len(left(sim))
        assert count >= 4
        young = await start(*SWEEP, "--yes", **reaching(sim))
        listed, _ = await young.communicate()
        assert [each["mayBeRunning"] for each in json.loads(listed)] == [True] * count
        assert len(left(sim)) == count
        told = await start(*SWEEP, "--yes", "--include-running", **reaching(sim))
        listed, errors = await told.communicate()
        assert told.returncode == 0, errors
        assert [each["isRemoved"] for each in json.loads(listed)] == [True] * count
        assert left(sim) == []


def test_help_names_the_exit_codes() -> None:
    result = invoke("drill", "--help")
    assert "15 the scratch addon could not be" in " ".join(result.stdout.split())
