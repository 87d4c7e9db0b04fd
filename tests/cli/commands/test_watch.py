"""`watch`."""

import asyncio
import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from northflank_async.simulator import Simulator, Tenant
from tests.support.accounts import write_accounts
from tests.support.command import invoke, reaching, run, start

NO_PORT = ("--listen", "127.0.0.1:0")


async def first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    assert line, (await process.communicate())[1].decode()
    return line


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def until_healthy(url: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while (found := await get(f"{url}/healthz"))[0] != 200:
            await asyncio.sleep(0.05)
    health: dict[str, Any] = json.loads(found[1])
    return health


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_stopped(tmp_path: Path, number: signal.Signals) -> None:
    async with Simulator(scenario="audit") as sim:
        policy = tmp_path / "policy.toml"
        policy.write_text('rules.no-offsite = "high"')
        process = await start(
            "watch", tmp_path / "inventory.db", *NO_PORT, "--policy", policy, "--quiet", **reaching(sim)
        )
        url = await first_line(process)
        assert url.startswith("http://127.0.0.1:")
        health = await until_healthy(url)
        assert (health["status"], health["error"]) == ("ok", None)
        assert 'northflank_audit_findings{rule="no-offsite",severity="high"} ' in (await get(f"{url}/metrics"))[1]
        assert "<h1>Backup audit</h1>" in (await get(url))[1]
        process.send_signal(number)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")
    assert "stale" in (await run("audit", tmp_path / "inventory.db"))[1]


@pytest.mark.slow
async def test_a_sync_that_is_stopped_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "inventory.db"
    async with Simulator(scenario="audit", latency=0.05) as sim:
        process = await start("watch", path, *NO_PORT, "--concurrency", "1", **reaching(sim))
        url = await first_line(process)
        async with asyncio.timeout(60):
            while len(sim.requests) < 20:
                await asyncio.sleep(0.01)
        assert (await get(f"{url}/healthz"))[0] == 503
        process.terminate()
        assert await process.wait() == 0
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT finished_at FROM sync_runs").fetchall() == [(None,)]
        process = await start("watch", path, *NO_PORT, **reaching(sim))
        await until_healthy(await first_line(process))
        process.terminate()
        _, err = await process.communicate()
        assert b"resuming the sync run" in err


@pytest.mark.slow
async def test_a_watch_syncs_several_accounts(tmp_path: Path) -> None:
    async with Simulator(tenants=Tenant.many(2)) as sim:
        accounts = write_accounts(tmp_path, sim)
        process = await start("watch", tmp_path / "inventory.db", *NO_PORT, "--accounts", accounts, "--quiet")
        url = await first_line(process)
        await until_healthy(url)
        metrics = (await get(f"{url}/metrics"))[1]
        process.terminate()
        await process.wait()
    assert metrics.count("northflank_sync_last_success_timestamp_seconds{") == 2


@pytest.mark.slow
async def test_a_failed_sync_is_reported_in_one_line_and_does_not_end_it(tmp_path: Path) -> None:
    async with Simulator() as sim:
        process = await start("watch", tmp_path / "inventory.db", *NO_PORT, **reaching(sim, "wrong-token-of-mine"))
        url = await first_line(process)
        assert process.stderr is not None
        line = (await process.stderr.readline()).decode()
        assert line.startswith("northflank-async: the sync failed, and what is stored is served: 401 ")
        assert "wrong-token-of-mine" not in line
        status, text = await get(f"{url}/healthz")
        process.terminate()
        assert await process.wait() == 0
    assert (status, json.loads(text)["status"]) == (503, "stale")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["inventory.jsonl"], 2, "TARGET must be a database"),
        (["i.db", "--listen", "9090"], 2, "'9090' is not a host and a port, such as 127.0.0.1:9090 or [::1]:9090"),
        (["i.db", "--listen", "::1:9090"], 2, "is not a host and a port"),
        (["i.db", "--listen", "localhost:99999"], 2, "is not a host and a port"),
        (["i.db", "--every", "0m"], 2, "--every"),
        (["i.db", "--simulate"], 2, "--simulate"),
        (["i.db", "--schema", "x"], 2, "--schema requires"),
        (["{tmp}/i.db", *NO_PORT], 3, "no token"),
        (["{tmp}/other.db", *NO_PORT], 3, "other.db"),
        (["{tmp}/i.db", "--listen", "192.0.2.1:9090"], 3, "cannot listen on 192.0.2.1:9090: "),
    ],
)
def test_a_bad_argument_is_one_clear_error(tmp_path: Path, arguments: list[str], code: int, message: str) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE mine (x)")
    result = invoke("watch", *(each.format(tmp=tmp_path) for each in arguments))
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
