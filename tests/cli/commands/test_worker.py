"""`worker` and `worker status`: what they accept, print and end with."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from northflank_async.fleet.queue import Queue
from northflank_async.simulator import Simulator, Tenant
from tests.support.accounts import write_accounts
from tests.support.command import invoke, run, start
from tests.support.postgresql import PostgreSQL

URL = "postgresql://u:secret@127.0.0.1:1/db"
KEYS = [
    "account", "state", "runningOn", "startedAt", "lastSuccessAt", "nextRunAt", "failures", "lastFailureAt", "error",
    "unread",
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing argument 'URL'"),
        ([URL, "--every", "1h", "--cron", "0 * * * *"], 2, "--every cannot be combined with --cron."),
        ([URL, "--every", "soon"], 2, "'soon' is not a time span such as 30m, 12h, 7d or 2w"),
        ([URL, "--every", "7m"], 3, "the time span must divide an hour or a day (15m, 1h, 6h, 1d), or be a week (7d)"),
        ([URL, "--cron", "hourly"], 3, "'hourly' is not a cron expression such as '0 * * * *' (each hour)"),
        ([URL, "--concurrency", "0"], 2, "0 is not in the range 1<=x<=100"),
        ([URL, "--accounts", "missing.toml"], 3, "missing.toml: cannot read it: No such file or directory"),
        (["inventory.db"], 3, "a worker needs PostgreSQL, which holds its queue: postgresql://…, not a file"),
        ([URL], 8, "cannot write postgresql://u@127.0.0.1:1/db: connection failed"),
        (["status", URL], 8, "cannot read postgresql://u@127.0.0.1:1/db: connection failed"),
        (["status", "inventory.db"], 3, "a worker needs PostgreSQL"),
        (["status"], 2, "Missing argument 'URL'"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], code: int, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NORTHFLANK_API_TOKEN", "token")
    monkeypatch.chdir(tmp_path)
    result = invoke("worker", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert "secret" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
async def test_workers_are_shown_with_their_accounts(postgresql: PostgreSQL, tmp_path: Path) -> None:
    url = postgresql.create("workers-and-status")
    code, out, err = await run("worker", "status", url)
    assert (code, out) == (8, "")
    assert "there is no queue yet: start a worker" in err
    async with Simulator(tenants=Tenant.many(2, projects=1)) as sim:
        sim.tenants[1].is_revoked = True
        options = ["--cron", "0 0 1 1 *", "--restores", "--schedules"]
        worker = await start("worker", "--accounts", write_accounts(tmp_path, sim), url, *options)
        queue = Queue(url)
        while True:
            try:
                states = await queue.states()
            except FileNotFoundError:
                states = []
            if len(states) == 2 and states[0].succeeded_at and states[1].failures and states[1].state == "retrying":
                break
            await asyncio.sleep(0.1)
        assert {"backups", "restores", "backup-schedules"} <= {each.path.rpartition("/")[2] for each in sim.requests}
        code, out, err = await run("worker", "status", url, "-o", "json")
        assert code == 9
        assert err == "northflank-async: the last sync of 1 of 2 accounts failed\n"
        first, second = json.loads(out)
        assert list(first) == list(second) == KEYS
        assert (first["account"], first["state"], first["failures"], first["error"]) == ("tenant-1", "idle", 0, None)
        assert (second["account"], second["state"], second["failures"]) == ("tenant-2", "retrying", 1)
        assert second["error"].startswith("401 ")
        _, out, _ = await run("worker", "status", url, "-o", "table")
        assert [line.split()[:2] for line in out.splitlines()] == [
            ["Account", "State"], ["tenant-1", "idle"], ["tenant-2", "retrying"],
        ]  # fmt: skip
        worker.send_signal(signal.SIGTERM)
        _, stderr = await worker.communicate()
    assert worker.returncode == 143
    lines = stderr.decode().splitlines()
    assert lines[0].endswith(": 2 accounts, at '0 0 1 1 *' in UTC")
    assert lines[-1] == "northflank-async: terminated; the accounts were handed back to the queue"
    assert any(line.startswith("northflank-async: tenant-1: synced, ") for line in lines)
    assert any(line.startswith("northflank-async: tenant-2: the sync failed: 401 ") for line in lines)
    assert not [line for line in lines if not line.startswith("northflank-async: ")]


@pytest.mark.parametrize("arguments", [["worker", URL], ["worker", "status", URL]])
async def test_a_missing_package_is_reported_with_the_extra_to_install(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "procrastinate.py").write_text("raise ModuleNotFoundError('No module', name='procrastinate')")
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}"
    code, out, err = await run(*arguments, PYTHONPATH=path)
    assert (code, out) == (3, "")
    assert err == "northflank-async: procrastinate is missing: pip install 'northflank-async[worker]'\n"
