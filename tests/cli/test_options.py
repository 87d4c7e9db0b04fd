"""Options that cannot be parsed or combined."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from northflank_async import Northflank
from northflank_async.cli.options import parse_seconds
from northflank_async.simulator import Simulator
from tests.support.command import invoke
from tests.support.scripted_server import Responder, ScriptedServer, backup, envelope

ADDON = ("--projectId", "billing", "--addonId", "billing-cache")
BACKUP = (*ADDON, "--backupId", "example-backup")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loadAll", "--page", "2"], "--loadAll cannot be combined with --page or --cursor"),
        (["--loadAll", "--cursor", "x"], "--loadAll cannot be combined with --page or --cursor"),
        (["--page", "2", "--cursor", "x"], "--page cannot be combined with --cursor"),
        (["--per_page", "101"], "101 is not in the range 1<=x<=100"),
        (["--page", "0"], "0 is not in the range"),
        (["-o", "xml"], "'xml' is not one of"),
        (["-o", "tabel"], "Did you mean 'table'?"),
    ],
)
def test_invalid_paging_options_exit_with_2(northflank_simulator: Simulator, options: list[str], message: str) -> None:
    result = invoke("get", "addon", "backups", *ADDON, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert northflank_simulator.requests == []


@pytest.mark.parametrize("command", [("backup", "addon", *ADDON), ("restore", "addon", "backup", *BACKUP, "--yes")])
def test_a_timeout_requires_a_wait(northflank_simulator: Simulator, command: tuple[str, ...]) -> None:
    result = invoke(*command, "--timeout", "5")
    assert (result.exit_code, "--timeout requires --wait" in result.stderr) == (2, True)
    assert northflank_simulator.requests == []


@pytest.mark.parametrize(
    "option",
    [
        ["--since", "yesterday"],
        ["--since", "7x"],
        ["--since", "0d"],
        ["--since", "-7d"],
        ["--since", "9" * 20 + "d"],
        ["--since", "9" * 5000 + "d"],
        ["--concurrency", "x"],
    ],
    ids=lambda option: " ".join(option)[:20],
)
def test_an_option_that_cannot_be_parsed_exits_with_2(option: list[str]) -> None:
    result = invoke("export", "o.jsonl", *option)
    assert (result.exit_code, "Error: Invalid value" in result.stderr) == (2, True)


CRAWLS = [("export", "o.jsonl"), ("plan",)]
EXHAUSTED = {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "3000"}


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (("export", "o.jsonl"), "run the same command to resume"),
        (("export", "o.db", "--project", "billing"), "run the same command to resume"),
        (("export", "-"), "output to stdout cannot be resumed"),
        (("plan", "--addon-type", "redis"), "nothing is lost"),
        (("list", "projects"), "nothing is lost"),
        (("backup", "addon", *ADDON), "nothing was changed"),
        (("backup", "addon", *ADDON, "--wait"), "nothing was changed"),
        (("download", "addon", "backup", *ADDON, "--backup", "b", "o.dump"), "no file was written"),
    ],
)
def test_a_deadline_ends_every_command_with_the_state_that_it_leaves(
    serve_script: Callable[[Responder], ScriptedServer],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    state: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    server = serve_script(lambda _: web.Response(status=429, headers=EXHAUSTED))
    result = invoke(*command, "--deadline", "0.2s")
    assert (result.exit_code, result.stdout) == (13, "")
    message = f"the deadline has passed; {state}: not done within the deadline of 0.2 s, while waiting for "
    assert result.stderr.splitlines()[-1].startswith(f"northflank-async: {message}")
    assert len(server.requests) <= 1
    assert [path.name for path in tmp_path.iterdir() if path.name in ("o.jsonl", "o.dump")] == []


def test_what_was_started_continues_after_the_deadline(
    serve_script: Callable[[Responder], ScriptedServer],
) -> None:
    def respond(request: web.Request) -> web.Response:
        return envelope({**backup(1), "status": "in-progress"})

    serve_script(respond)
    result = invoke("backup", "addon", *ADDON, "--wait", "--deadline", "1")
    started = backup(1)["id"]
    assert (result.exit_code, result.stdout) == (13, "")
    assert f"the deadline has passed; backup {started} continues: not done within the deadline of 1 s" in result.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90.0), ("0.5", 0.5), ("30s", 30.0), ("5m", 300.0), ("1.5h", 5400.0), ("1e2", 100.0)]
)
def test_a_number_of_seconds_may_have_a_unit(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "0", "0m", "-5s", "nan", "inf", "nanm", "5M", "1d", "5 minutes", "1e400", "1e308h"]
)
def test_a_time_that_is_none_is_refused_before_any_request(northflank_simulator: Simulator, text: str) -> None:
    result = invoke("list", "projects", f"--deadline={text}")
    assert (result.exit_code, result.stdout, northflank_simulator.requests) == (2, "", [])
    assert "is not a time greater than 0, such as 30 (seconds), 30s, 5m or 2h" in result.stderr


PROXY = "http://user:secret-password@127.0.0.1:1"


@pytest.mark.parametrize("verbose", [(), ("--verbose",)])
@pytest.mark.parametrize("by_option", [True, False])
def test_a_proxy_carries_https_and_its_password_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, by_option: bool, verbose: tuple[str, ...]
) -> None:
    monkeypatch.setenv("NORTHFLANK_API_TOKEN", "token")
    monkeypatch.setenv("NORTHFLANK_API_BASE_URL", "https://api.example.test")
    if not by_option:
        monkeypatch.setenv("HTTPS_PROXY", PROXY)
    options = ("--proxy", PROXY) if by_option else ()
    result = invoke("plan", "--attempts", "1", *options, *verbose)
    assert (result.exit_code, result.stdout) == (6, "")
    assert "no connection to the proxy 127.0.0.1:1" in result.stderr
    assert "secret-password" not in result.stderr


@pytest.mark.parametrize("by_option", [True, False])
@pytest.mark.parametrize("proxy", ["user:secret-password@proxy", "socks5://user:secret-password@proxy:1", "http://["])
def test_a_proxy_that_is_none_exits_with_3(monkeypatch: pytest.MonkeyPatch, proxy: str, by_option: bool) -> None:
    monkeypatch.setenv("NORTHFLANK_API_TOKEN", "token")
    monkeypatch.setenv("NORTHFLANK_API_BASE_URL", "https://api.example.test")
    if not by_option:
        proxy = proxy if "://" in proxy else f"ftp://{proxy}"
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    result = invoke("list", "projects", *(("--proxy", proxy) if by_option else ()))
    assert (result.exit_code, result.stdout) == (3, "")
    name = "the proxy" if by_option else "HTTPS_PROXY"
    assert result.stderr.startswith(
        (f"northflank-async: {name} must be a URL like ", f"northflank-async: {name} is not")
    )
    assert "secret-password" not in result.stderr


def test_a_proxy_is_not_used_for_loopback(northflank_simulator: Simulator) -> None:
    assert invoke("list", "projects", "--proxy", PROXY).exit_code == 0


@pytest.mark.parametrize("command", CRAWLS)
@pytest.mark.parametrize(
    "option",
    [
        ("--timeout", "0"),
        ("--timeout", "-1"),
        ("--timeout", "nan"),
        ("--timeout", "inf"),
        ("--timeout", "soon"),
        ("--attempts", "0"),
        ("--reserve", "-1"),
        ("--concurrency", "0"),
        ("--concurrency", "101"),
    ],
)
def test_an_option_that_the_library_would_refuse_exits_with_2(
    northflank_simulator: Simulator, command: tuple[str, ...], option: tuple[str, str]
) -> None:
    result = invoke(*command, *option)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Error: Invalid value for '{option[0]}': " in result.stderr
    assert northflank_simulator.requests == []


@pytest.mark.parametrize("command", CRAWLS)
def test_options_of_a_crawl_reach_the_client(
    northflank_simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[dict[str, Any]] = []

    def open_client(token: str | None, **arguments: Any) -> Northflank:
        opened.append(arguments)
        return Northflank(token, **arguments)

    monkeypatch.setattr("northflank_async.cli.runner.Northflank", open_client)
    result = invoke(*command, "--reserve", "10", "--timeout", "0.5", "--attempts", "2", "--concurrency", "3")
    assert result.exit_code == 0, result.output
    assert [{**arguments, "base_url": None} for arguments in opened] == [
        {"base_url": None, "proxy": None, "reserve": 10, "timeout": 0.5, "attempts": 2}
    ]


@pytest.mark.parametrize("northflank_simulator", [{"rate_limit": 50}], indirect=True)
def test_a_reserve_that_leaves_nothing_exits_with_3(northflank_simulator: Simulator) -> None:
    result = invoke("plan", "--reserve", "50")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "reserve=50 leaves nothing of a window of 50 requests" in result.stderr
