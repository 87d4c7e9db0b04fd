"""The pages of help, the completion of shells, and what is imported and run for a command."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from northflank_async.cli.app import ALIASES, COMMANDS, program
from northflank_async.simulator import Simulator

HEAVY = {"aiosqlite", "northflank_async.simulator.server", "pyarrow", "rich", "sqlalchemy", "yaml"}
PAGES = sorted(
    {" ".join(path.split()[:length]) for path in COMMANDS for length in range(len(path.split()))} - {*COMMANDS}
)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(program, arguments)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_help_shows_all_commands_below_it(page: str) -> None:
    result = run(*page.split(), "--help")
    assert result.exit_code == 0
    shown = result.stdout.partition("Commands:\n")[2]
    expected = [path.removeprefix(page).strip() for path in COMMANDS if f"{path} ".startswith(f"{page} ".lstrip())]
    lines = [line.strip().split("  ")[0] for line in shown.splitlines() if line.startswith("  ") and line[2] != " "]
    assert lines == [path for path in expected if path]


@pytest.mark.parametrize("path", COMMANDS)
def test_each_command_has_its_own_page_that_says_the_same_and_has_an_example(path: str) -> None:
    result = run(*path.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: northflank-async {path} [OPTIONS]")
    assert COMMANDS[path][1] in result.stdout
    assert f"northflank-async {path}" in result.stdout.partition("\n")[2]


@pytest.mark.parametrize("alias", ALIASES)
def test_other_words_lead_to_the_same_command(alias: str) -> None:
    here, there = (run(*path.split(), "--help").stdout.partition("\n")[2] for path in (alias, ALIASES[alias]))
    assert here == there


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["get", "bogus"], "No such command 'bogus'"),
        (["get", "addon", "backup", "bogus"], "Missing option"),
        (["bogus"], "No such command 'bogus'"),
    ],
)
def test_what_is_no_command_is_a_wrong_command_line(arguments: list[str], says: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, says in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "imported"),
    [
        (["--help"], set()),
        (["get", "addon", "--help"], set()),
        (["--version"], set()),
        (["completion", "bash"], set()),
        (["list", "projects", "--help"], set()),
        (["simulate", "--help"], {"northflank_async.simulator.server"}),
        (["plan", "--help"], {"rich"}),
    ],
)
def test_only_what_a_command_needs_is_imported(arguments: list[str], imported: set[str]) -> None:
    code = (
        "import json, sys\n"
        "from northflank_async.cli import main\n"
        "try: main()\n"
        "finally: print(json.dumps(list(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stderr.splitlines()[-1])) == imported


def completed(*words: str) -> list[str]:
    """What a shell is offered after these words, the last of which is not complete."""
    done = subprocess.run(
        [sys.executable, "-m", "northflank_async.cli"],
        env={
            **os.environ,
            "_NORTHFLANK_ASYNC_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["northflank-async", *words]),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["re"], ["restore", "retain"]),
        (["get", ""], ["addon"]),
        (["get", "addon", "back"], ["backup", "backup-schedules", "backups"]),
        (["get", "addon", "backup", "re"], ["restores"]),
        (["get", "addon", "backup", "--back"], ["--backupId", "--backup"]),
        (["get", "addon", "backup", "restores", "--source"], ["--sourceProjectId", "--sourceAddonId"]),
        (["list", "projects", "--output", "j"], ["json", "jsonl"]),
    ],
)
def test_a_shell_is_offered_what_can_come_next(words: list[str], offered: list[str]) -> None:
    assert completed(*words) == offered


def test_a_shell_is_offered_the_same_where_there_is_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".northflank").mkdir()
    (tmp_path / ".northflank" / "config.json").write_text("{")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert completed("get", "addon", "backup", "restores", "--source") == ["--sourceProjectId", "--sourceAddonId"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_for_a_shell_is_printed(shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_NORTHFLANK_ASYNC_COMPLETE" in result.stdout
    assert f"{shell}_complete" in result.stdout


def test_bash_takes_what_is_printed() -> None:
    script = run("completion", "bash").stdout
    done = subprocess.run(
        ["bash", "-ec", f"{script}\ncomplete -p northflank-async"], capture_output=True, text=True, check=True
    )
    assert "_northflank_async_completion" in done.stdout


def test_a_command_runs_on_uvloop_where_that_is_installed(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[asyncio.AbstractEventLoop] = []

    def new_event_loop() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]

    monkeypatch.setitem(sys.modules, "uvloop", SimpleNamespace(new_event_loop=new_event_loop))
    assert run("list", "projects").exit_code == 0
    assert [loop.is_closed() for loop in made] == [True]
