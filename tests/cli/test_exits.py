"""Failures: one line on standard error, and an exit code."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from northflank_async.simulator import Faults, Simulator
from tests.support.command import COMMAND, invoke, start_process
from tests.support.fake_account import FakeAccount, backups
from tests.support.scripted_server import Responder, ScriptedServer, serve_bytes
from tests.support.threads import in_thread

ADDON = ("--projectId", "billing", "--addonId", "billing-cache")
BACKUP = (*ADDON, "--backupId", "billing-cache-20261017-210")
EXAMPLE = ("--projectId", "default-project", "--addonId", "example-addon", "--backupId", "example-backup")


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        (["out.jsonl"], {"NORTHFLANK_API_TOKEN": ""}, 3, "no token: set NORTHFLANK_API_TOKEN, or log in"),
        (["out.csv"], {"NORTHFLANK_API_TOKEN": "wrong"}, 4, "the token was rejected"),
        (["out.parquet", "--project", "nope"], {}, 5, "there is no project 'nope'; there are: billing,"),
        (["out.jsonl", "--project", "a/b"], {}, 3, "'a/b'"),
        (["out.jsonl"], {"NORTHFLANK_API_BASE_URL": "http://api.northflank.com"}, 3, "use https"),
        (
            ["out"],
            {},
            3,
            ".parquet, .jsonl.gz, .jsonl.zst, .csv.gz, .csv.zst, .db or be a postgresql:// URL, not 'out'",
        ),
        (["out.jsonl"], {"NORTHFLANK_API_BASE_URL": "https://api.northflank.com/v1"}, 3, "must end before /v1"),
        (["missing/out.jsonl"], {}, 8, "cannot write missing/out.jsonl: there is no such folder"),
        (["missing/out.db"], {}, 8, "cannot write missing/out.db: there is no such folder"),
        (["postgresql://u:no-password@127.0.0.1:1/x"], {}, 8, "cannot write postgresql://u@127.0.0.1:1/x: "),
    ],
)
def test_a_failed_export_is_one_line_and_an_exit_code(
    northflank_simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = invoke("export", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("northflank-async: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("get", "addon", "backup", *ADDON, "--backup", "nope"), 5, "not found, or not visible to this token"),
        (("get", "addon", "backups", *ADDON, "--cursor", "nope"), 6, "the API rejected the request: 400"),
        (("get", "addon", "backup", *ADDON, "--backup", "a/b"), 3, "the backup id must be one segment of a path"),
    ],
)
def test_a_failed_call_is_one_line_and_an_exit_code(
    northflank_simulator: Simulator, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_unreachable_host_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NF_API_TOKEN", "token")
    monkeypatch.setenv("NF_HOST", "http://127.0.0.1:1")
    result = invoke("export", tmp_path / "out.jsonl")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "no connection to 127.0.0.1:1" in result.stderr
    assert "after 5 attempts" in result.stderr
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_change_that_was_not_sent_was_not_made(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORTHFLANK_API_BASE_URL", "http://127.0.0.1:1")
    result = invoke("delete", "backup", *EXAMPLE, "--yes")
    assert (result.exit_code, result.stdout) == (6, "")
    assert "or retry later; nothing was changed: no connection to 127.0.0.1:1" in result.stderr


def test_a_change_may_have_been_made_after_a_server_error(
    serve_script: Callable[[Responder], ScriptedServer],
) -> None:
    server = serve_script(lambda request: web.Response(status=500))
    result = invoke("delete", "backup", *EXAMPLE, "--yes")
    assert (result.exit_code, result.stdout, len(server.requests)) == (6, "", 1)
    assert "the change may have been made: check before you retry" in result.stderr


@pytest.mark.parametrize(
    ("northflank_simulator", "token", "code", "message"),
    [
        ({}, "wrong", 4, "the token was rejected: check it, and the host it belongs to; nothing was changed"),
        ({"faults": Faults(drops=1.0)}, None, 6, "the change may have been made: check before you retry"),
    ],
    indirect=["northflank_simulator"],
)
def test_a_failed_change_says_whether_it_may_have_been_made(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch, token: str | None, code: int, message: str
) -> None:
    if token:
        monkeypatch.setenv("NORTHFLANK_API_TOKEN", token)
    result = invoke("delete", "backup", *EXAMPLE, "--yes")
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert len(northflank_simulator.requests) == 1


CUT = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
UNKNOWN = "the change may have been made: check before you retry"


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", UNKNOWN),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", UNKNOWN),
        (b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n", UNKNOWN),
        (CUT, "the change was made"),
    ],
)
def test_the_state_after_a_change_is_what_the_error_says(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, state: str
) -> None:
    with in_thread(serve_bytes(answer)) as url:
        monkeypatch.setenv("NORTHFLANK_API_TOKEN", "token")
        monkeypatch.setenv("NORTHFLANK_API_BASE_URL", url)
        result = invoke("backup", "addon", *EXAMPLE[:4])
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr.startswith(f"northflank-async: {state}: ")
    assert "retry later" not in result.stderr


def test_an_incomplete_export_lists_its_failures(serve_account: Callable[[FakeAccount], None], tmp_path: Path) -> None:
    serve_account(FakeAccount({"p/a": [{**backup, "createdAt": 7} for backup in backups(30)]}))
    result = invoke("export", tmp_path / "o.jsonl")
    assert result.exit_code == 9
    assert result.stdout.startswith("30 backups of 1 addon in 1 project written to ")
    assert "could not read p/a: b0: data.backups[0].createdAt" in result.stderr
    assert len(result.stderr.splitlines()) == 21
    assert "30 failures, 20 of them listed above; everything else is complete" in result.stderr
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 30
    result = invoke("export", "--strict", tmp_path / "strict.jsonl")
    assert (result.exit_code, result.stdout) == (10, "")
    assert "no file was written: run the same command to fetch only what is missing" in result.stderr
    assert not (tmp_path / "strict.jsonl").exists()


def test_a_reader_that_closes_a_stream_ends_the_export_silently(northflank_simulator: Simulator) -> None:
    with start_process("export", "-") as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        assert (process.stderr.read(), process.wait()) == ("", 141)


WRITING = [
    ("get", "addon", "backups", *ADDON, "-o", "jsonl"),
    ("get", "addon", "backups", *ADDON, "-o", "table"),
    ("get", "addon", "backup", *BACKUP),
    ("backup", "addon", *ADDON),
    ("get", "addon", "backup", "logs", *ADDON, "--backup", "billing-cache-20261031-224"),
    ("plan",),
    ("completion", "bash"),
    ("list", "--help"),
]


@pytest.mark.slow
@pytest.mark.parametrize("command", WRITING)
def test_a_closed_standard_output_ends_a_command_silently(
    northflank_simulator: Simulator, command: tuple[str, ...]
) -> None:
    with start_process(*command) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert (process.stderr.read(), process.wait()) == ("", 141)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", WRITING)
def test_a_full_disk_is_one_line(northflank_simulator: Simulator, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    message = "northflank-async: cannot write standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (8, message)


def test_an_interruption_before_any_request_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(context: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("northflank_async.cli.options.find_login", interrupt)
    result = invoke("list", "addons")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "northflank-async: interrupted\n")
