"""The command line, as a user runs it: in a process of its own."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from northflank_async import Northflank
from northflank_async.cli.program import program
from northflank_async.simulator import Simulator
from tests.scripted import backup, envelope, scripted

COMMAND = [sys.executable, "-W", "error", "-m", "northflank_async.cli"]


async def run(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    """Run the command; its exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *map(str, arguments),
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def reaching(sim: Simulator, token: str | None = None) -> dict[str, str]:
    return {"NORTHFLANK_API_TOKEN": token or sim.token, "NORTHFLANK_API_BASE_URL": sim.url}


async def test_an_export_writes_the_inventory_and_a_summary_and_is_quiet_when_piped(
    sim: Simulator, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    assert await run("export", out, **reaching(sim)) == (0, f"3000 backups of 20 addons in 5 projects: {out}\n", "")
    first = json.loads(out.read_text().splitlines()[0])
    assert (first["project"], first["addon"], first["backup"]["id"]) == (
        "default-project", "example-addon", "example-backup",
    )  # fmt: skip


async def test_an_export_takes_projects_and_a_team(sim: Simulator, tmp_path: Path) -> None:
    code, out, _ = await run(
        "export", tmp_path / "o", "--project", "billing", "--project", "search", "--team", "acme", **reaching(sim)
    )
    assert (code, out.split(":")[0].split(" in ")[1]) == (0, "2 projects")
    assert all(request.path.startswith("/v1/teams/acme/") for request in sim.requests)


async def test_an_export_can_be_tried_without_a_token(tmp_path: Path) -> None:
    code, out, err = await run("export", "--simulate", tmp_path / "out.jsonl")
    assert (code, out[:12], err) == (0, "3000 backups", "")


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (["out"], {"NORTHFLANK_API_TOKEN": ""}, 3, "there is no token: pass one, or set NORTHFLANK_API_TOKEN"),
        (["out"], {"NORTHFLANK_API_TOKEN": "wrong"}, 4, "the token is not accepted"),
        (["out", "--project", "nope"], {}, 5, "There is no project nope."),
        (["out", "--project", "a/b"], {}, 3, "'a/b'"),
        (["out"], {"NORTHFLANK_API_BASE_URL": "http://api.northflank.com"}, 3, "use https"),
        (["."], {}, 8, "cannot write .: it is a directory"),
        (["out"], {"NORTHFLANK_API_BASE_URL": "https://api.northflank.com/v1"}, 3, "ends before /v1"),
        (["missing/out"], {}, 8, "cannot write missing/out: there is no such folder"),
    ],
)
async def test_a_failure_is_one_line_and_an_exit_code(
    sim: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    got, out, err = await run("export", *arguments, **{**reaching(sim), **environment})
    assert (got, out) == (code, "")
    assert err.startswith("northflank-async: ")
    assert err.count("\n") == 1
    assert says in err
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_cannot_be_reached_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, where the pauses between attempts take no time."""
    monkeypatch.setenv("NF_API_TOKEN", "token")
    monkeypatch.setenv("NF_HOST", "http://127.0.0.1:1")
    result = CliRunner().invoke(program, ["export", str(tmp_path / "out")])
    assert (result.exit_code, result.stdout) == (6, "")
    assert "no connection to 127.0.0.1:1" in result.stderr
    assert "given up after 5 attempts" in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


async def test_records_that_are_not_as_documented_are_named_and_have_an_exit_code(tmp_path: Path) -> None:
    listing: dict[str, Any] = {
        "projects": [{"id": "p"}],
        "addons": [{"id": "a"}],
        "backups": [{**backup(number), "createdAt": 7} for number in range(30)],
    }

    def answer(request: web.Request) -> web.Response:
        name = request.path.rsplit("/", 1)[-1]
        return envelope({name: listing[name]})

    async with scripted(answer) as server:
        code, out, err = await run("export", tmp_path / "o", NF_API_TOKEN="token", NF_HOST=server.url)
    assert code == 9
    assert out.startswith("30 backups of 1 addons in 1 projects")
    assert "p/a: b0: data.backups[0].createdAt" in err
    assert len(err.splitlines()) == 21
    assert "30 records are not as documented, 20 of them above" in err
    assert len((tmp_path / "o").read_text().splitlines()) == 30


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
async def test_an_interrupted_export_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, code: int) -> None:
    async with Simulator(latency=0.02) as sim:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "export", str(tmp_path / "o"), env={**os.environ, **reaching(sim)}, stderr=subprocess.PIPE
        )
        while len(sim.requests) < 10:
            await asyncio.sleep(0.01)
        process.send_signal(number)
        _, err = await process.communicate()
    assert process.returncode == code
    assert "was not written" in err.decode()
    assert list(tmp_path.iterdir()) == []


async def test_standard_output_is_no_file(tmp_path: Path) -> None:
    code, _, err = await run("export", "--simulate", "-")
    assert code == 2
    assert "standard output" in err


async def test_a_terminal_shows_a_progress_bar(sim: Simulator, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "export", str(tmp_path / "o"),
        env={**os.environ, **reaching(sim), "TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = await asyncio.to_thread(_read_all, ours)
    assert await process.wait() == 0
    assert "20/20 addons · 3000 backups · 9" in shown
    assert "requests left" in shown
    assert "listing the addons" in shown


def _read_all(terminal: int) -> str:
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # what Linux answers when the other end is closed
            chunk = b""
        if not chunk:
            os.close(terminal)
            return shown.decode()
        shown += chunk


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_simulate_prints_its_url_first_and_serves_until_it_is_stopped(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "simulate", "--token", "a-token", "--projects", "2", "--rate-limit", "50", "--faults", "seed=1",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    try:
        url = (await process.stdout.readline()).decode().strip()
        assert await process.stdout.readline() == b"export NORTHFLANK_API_TOKEN=a-token\n"
        assert (await process.stdout.readline()).decode() == f"export NORTHFLANK_API_BASE_URL={url}\n"
        async with Northflank("a-token", base_url=url) as nf:
            assert len((await nf.projects()).items) == 2
            assert nf.rate_limit
            assert nf.rate_limit.limit == 50
    finally:
        process.send_signal(number)
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize("arguments", [["--window", "0"], ["--faults", "gremlins=1"], ["--port", "x"]])
async def test_simulate_refuses_bad_arguments(arguments: list[str]) -> None:
    code, _, err = await run("simulate", *arguments)
    assert code == 2
    assert "Error" in err


async def test_a_port_that_is_taken_is_one_line(sim: Simulator) -> None:
    code, _, err = await run("simulate", "--port", sim.url.rsplit(":", 1)[1])
    assert code == 3
    assert "cannot listen on port" in err
    assert err.count("\n") == 1


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise ModuleNotFoundError('No module named click', name='click')")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parent.parent}"}
    done = subprocess.run([*COMMAND, "--version"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'northflank-async[cli]'" in done.stderr
    assert done.stderr.count("\n") == 1
