"""The command line."""

import asyncio
import json
import os
import pty
import signal
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
import rich.progress
from click.testing import CliRunner

from northflank_async import Northflank, RateLimit
from northflank_async.cli.app import program
from northflank_async.cli.progress import ReadColumn
from northflank_async.inventory import Progress
from northflank_async.simulator import Simulator
from tests.support.clocks import wait_until
from tests.support.command import COMMAND, reaching, run, start
from tests.support.fake_account import FakeAccount, backups
from tests.support.terminal import read_all


async def test_an_export_writes_the_inventory_and_a_summary_and_is_quiet_when_piped(
    sim: Simulator, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    summary = f"3000 backups of 20 addons in 5 projects: {out} (46 requests)\n"
    assert await run("export", out, **reaching(sim)) == (0, summary, "")
    assert len(out.read_text().splitlines()) == 3000


async def test_an_export_takes_projects_and_a_team(sim: Simulator, tmp_path: Path) -> None:
    code, out, _ = await run(
        "export", tmp_path / "o.csv", "--project", "billing", "--project", "search", "--team", "acme", **reaching(sim)
    )
    assert (code, out.split(":")[0].split(" in ")[1]) == (0, "2 projects")
    assert all(request.path.startswith("/v1/teams/acme/") for request in sim.requests)


async def test_an_export_can_be_tried_without_a_token(tmp_path: Path) -> None:
    code, out, err = await run("export", "--simulate", tmp_path / "out.jsonl")
    assert (code, out[:12], err) == (0, "3000 backups", "")


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (["out.jsonl"], {"NORTHFLANK_API_TOKEN": ""}, 3, "there is no token: set NORTHFLANK_API_TOKEN, or log in"),
        (["out.csv"], {"NORTHFLANK_API_TOKEN": "wrong"}, 4, "the token is not accepted"),
        (["out.parquet", "--project", "nope"], {}, 5, "There is no project nope."),
        (["out.jsonl", "--project", "a/b"], {}, 3, "'a/b'"),
        (["out.jsonl"], {"NORTHFLANK_API_BASE_URL": "http://api.northflank.com"}, 3, "use https"),
        (
            ["out"],
            {},
            3,
            "the target must end with .jsonl, .csv, .parquet, .db or be a postgresql:// URL, not 'out'",
        ),
        (["out.jsonl"], {"NORTHFLANK_API_BASE_URL": "https://api.northflank.com/v1"}, 3, "must end before /v1"),
        (["missing/out.jsonl"], {}, 8, "cannot write missing/out.jsonl: there is no such folder"),
        (["missing/out.db"], {}, 8, "cannot write missing/out.db: there is no such folder"),
        (["postgresql://u:no-password@127.0.0.1:1/x"], {}, 8, "cannot write postgresql://u:***@127.0.0.1:1/x: "),
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
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
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
    result = CliRunner().invoke(program, ["export", str(tmp_path / "out.jsonl")])
    assert (result.exit_code, result.stdout) == (6, "")
    assert "no connection to 127.0.0.1:1" in result.stderr
    assert "given up after 5 attempts" in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


async def test_what_could_not_be_read_is_named_and_has_an_exit_code(tmp_path: Path) -> None:
    odd = [{**backup, "createdAt": 7} for backup in backups(30)]
    async with FakeAccount({"p/a": odd}).serve() as nf:
        reaching = {"NF_API_TOKEN": "token", "NF_HOST": nf.base_url}
        code, out, err = await run("export", tmp_path / "o.jsonl", **reaching)
        assert code == 9
        assert out.startswith("30 backups of 1 addons in 1 projects")
        assert "p/a: b0: data.backups[0].createdAt" in err
        assert len(err.splitlines()) == 21
        assert "30 could not be read, 20 of them above; all else is complete" in err
        assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 30
        code, out, err = await run("export", "--strict", tmp_path / "strict.jsonl", **reaching)
    assert (code, out) == (10, "")
    assert "no file is written: the same command reads what is missing" in err
    assert not (tmp_path / "strict.jsonl").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
async def test_an_interrupted_export_says_that_it_goes_on_and_does(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    async with Simulator(latency=0.02) as sim:
        process = await start("export", tmp_path / "o.csv", "--concurrency", 2, **reaching(sim))
        await wait_until(lambda: len(sim.requests) > 10)
        process.send_signal(number)
        _, err = await process.communicate()
        assert process.returncode == code
        assert "the same command goes on where it was" in err.decode()
        code, out, err = await run("export", tmp_path / "o.csv", "--concurrency", 2, **reaching(sim))
        assert code == 0
        assert "going on with what was there" in out
        assert len(sim.requests) <= 46 + 2
    assert [path.name for path in tmp_path.iterdir()] == ["o.csv"]


async def test_standard_output_takes_json_lines_and_nothing_else(sim: Simulator) -> None:
    code, out, err = await run("export", "-", "--project", "billing", **reaching(sim))
    assert (code, len([json.loads(line) for line in out.splitlines()])) == (0, 750)
    assert err == "750 backups of 4 addons in 1 projects: - (10 requests)\n"
    for option in ("--strict", "--restores"):
        code, _, err = await run("export", "-", option, **reaching(sim))
        assert (code, "need a file or a database" in err) == (2, True)


async def test_a_reader_that_has_had_enough_ends_the_command_without_a_word(sim: Simulator) -> None:
    process = await start("export", "-", **reaching(sim))
    assert process.stdout
    await process.stdout.readline()
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    assert process.stderr
    assert (await process.stderr.read(), await process.wait()) == (b"", 141)


@pytest.mark.parametrize("option", [["--since", "yesterday"], ["--concurrency", "x"]])
async def test_an_option_that_cannot_be_read_is_a_wrong_command_line(option: list[str]) -> None:
    code, _, err = await run("export", "o.jsonl", *option)
    assert (code, "Error: Invalid value" in err) == (2, True)


@pytest.mark.parametrize(
    ("since", "expected"), [("2026-11-01", 2), ("2026-11-01T00:30:00+01:00", 3), ("2026-11-01T12:00:00Z", 1)]
)
async def test_since_is_a_date_or_a_time_in_utc_or_with_its_zone(since: str, expected: int) -> None:
    times = ["2026-10-31T23:30:00.000Z", "2026-11-01T00:00:00.000Z", "2026-11-01T12:00:00.000Z"]
    made = [{**backup, "createdAt": time} for backup, time in zip(backups(3), times, strict=True)]
    async with FakeAccount({"p/a": made}).serve() as nf:
        code, out, _ = await run("export", "-", "--since", since, NF_API_TOKEN="token", NF_HOST=nf.base_url)
    assert (code, len(out.splitlines())) == (0, expected)


async def test_a_wait_for_the_hour_is_a_line_where_there_is_no_terminal() -> None:
    async with Simulator(rate_limit=20) as sim:
        process = await start("export", "-", **reaching(sim))
        assert process.stderr
        assert b"northflank-async: rate limit reached: waiting 3600 s" in await process.stderr.readline()
        process.terminate()
        await process.communicate()


async def test_a_status_that_nobody_has_documented_is_said_to_be_so(sim: Simulator) -> None:
    code, _, err = await run("export", "-", "--project", "billing", "--status", "FAILED", **reaching(sim))
    assert code == 0
    assert "'FAILED' is no documented status: scheduled, in-progress, completed" in err


async def test_a_plan_says_what_an_export_will_take(sim: Simulator) -> None:
    code, out, err = await run("plan", "--restores", **reaching(sim))
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["projects", "addons", "requests", "left", "done"]
    assert "requests   46 at least" in out
    assert "994 of 1000 in this hour" in out
    assert len(sim.requests) == 6


async def test_a_plan_over_many_hours_says_so(tmp_path: Path) -> None:
    async with Simulator(rate_limit=10) as sim:
        code, out, _ = await run("plan", "--concurrency", "1", **reaching(sim))
    assert code == 0
    assert "2 h 59 min" in out or "3 h 0 min" in out


async def test_a_terminal_shows_a_progress_bar(sim: Simulator, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "export", str(tmp_path / "o.jsonl"),
        env={**os.environ, **reaching(sim), "TERM": "xterm", "COLUMNS": "120"},
        stdout=subprocess.DEVNULL, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = await asyncio.to_thread(read_all, ours)
    assert await process.wait() == 0
    assert "20/20 addons · 3000 backups · 46 requests · 954 left" in shown


def test_the_bar_says_until_when_it_waits_for_the_hour() -> None:
    until = datetime(2026, 11, 1, 12, 30, 15).astimezone()
    read = Progress(projects=1, addons=7, addons_done=3, backups=900, requests=1000, waiting_until=until)
    limit = RateLimit(limit=1000, remaining=0, reset_after=900)
    column = ReadColumn(lambda: limit)
    with rich.progress.Progress(column, disable=True) as bar:
        bar.add_task("", read=lambda: read)
        shown = column.render(bar.tasks[0])
    assert shown.plain == "3/7 addons · 900 backups · 1000 requests · 0 left · waiting until 12:30:15"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_simulate_prints_its_url_first_and_serves_until_it_is_stopped(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "simulate", "--token", "a-token", "--projects", "2", "--rate-limit", "50", "--speed", "60",
        "--faults", "seed=1,runs=0.5",
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


@pytest.mark.parametrize(
    "arguments", [["--window", "0"], ["--faults", "gremlins=1"], ["--port", "x"], ["--speed", "-1"]]
)
async def test_simulate_refuses_bad_arguments(arguments: list[str]) -> None:
    code, _, err = await run("simulate", *arguments)
    assert code == 2
    assert "Error" in err


async def test_a_port_that_is_taken_is_one_line(sim: Simulator) -> None:
    code, _, err = await run("simulate", "--port", sim.url.rsplit(":", 1)[1])
    assert code == 3
    assert "cannot listen on port" in err
    assert err.count("\n") == 1


def without(folder: Path, *packages: str) -> dict[str, str]:
    """The environment of a command that finds none of these packages."""
    for name in packages:
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')")
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[2]}"}


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    command, environment = [*COMMAND, "--version"], without(tmp_path, "click")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "pip install 'northflank-async[cli]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("ending", ["jsonl", "csv", "db"])
def test_with_the_extra_alone_what_needs_no_other_one_is_written(tmp_path: Path, ending: str) -> None:
    command = [*COMMAND, "export", "--simulate", "--project", "billing", str(tmp_path / f"out.{ending}")]
    environment = without(tmp_path, "asyncpg", "greenlet", "pyarrow", "uvloop")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("missing", [["asyncpg"], ["greenlet"], ["asyncpg", "greenlet"]])
def test_without_the_extra_for_postgresql_an_export_says_what_to_install(tmp_path: Path, missing: list[str]) -> None:
    command = [*COMMAND, "export", "--simulate", "postgresql://127.0.0.1:1/x"]
    done = subprocess.run(command, env=without(tmp_path, *missing), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "pip install 'northflank-async[postgres]'" in done.stderr
