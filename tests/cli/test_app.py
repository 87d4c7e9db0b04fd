"""The tree of commands: help pages, other names, completion, and what a command imports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from northflank_async.cli.app import ALIASES, COMMANDS
from northflank_async.inventory.formats import ENDINGS
from tests.support.command import COMMAND, invoke

HEAVY = {"aiosqlite", "northflank_async.simulator.server", "pyarrow", "rich", "sqlalchemy", "yaml"}
PAGES = sorted(
    {" ".join(path.split()[:length]) for path in COMMANDS for length in range(len(path.split()))} - {*COMMANDS}
)


@pytest.mark.parametrize("page", PAGES)
def test_a_help_page_lists_all_commands_below_it(page: str) -> None:
    result = invoke(*page.split(), "--help")
    assert result.exit_code == 0
    shown = result.stdout.partition("Commands:\n")[2]
    expected = [path.removeprefix(page).strip() for path in COMMANDS if f"{path} ".startswith(f"{page} ".lstrip())]
    lines = [line.strip().split("  ")[0] for line in shown.splitlines() if line.startswith("  ") and line[2] != " "]
    assert lines == [path for path in expected if path]


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_page_of_a_command_repeats_its_summary_and_has_an_example(path: str) -> None:
    result = invoke(*path.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: northflank-async {path} [OPTIONS]")
    assert COMMANDS[path][1] in result.stdout
    assert f"northflank-async {path}" in result.stdout.partition("\n")[2]


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_has_the_help_page_of_its_command(alias: str) -> None:
    here, there = (invoke(*path.split(), "--help").stdout.partition("\n")[2] for path in (alias, ALIASES[alias]))
    assert here == there


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["get", "bogus"], "No such command 'get bogus'.\n"),
        (["get", "addon", "backup", "bogus"], "No such command 'get addon backup bogus'.\n"),
        (["bogus"], "No such command 'bogus'.\n"),
        (["exprot", "o.jsonl"], "No such command 'exprot'. Did you mean 'export'?\n"),
        (["get", "adon", "backups"], "No such command 'get adon'. Did you mean 'get addon'?\n"),
        (["get", "addon", "backup", "restroes"], "Did you mean 'get addon backup restores'?\n"),
        (["delete", "backpu", "--yes"], "Did you mean 'delete backup'?\n"),
        (["get", "addon", "--hlep"], "Did you mean '--help'?\n"),
        (["export", "o.jsonl", "--stauts", "failed"], "No such option '--stauts'"),
        (["export", "o.jsonl", "--stauts", "failed"], "'--status'"),
    ],
)
def test_an_unknown_command_or_option_exits_with_2_and_suggests_the_nearest(arguments: list[str], message: str) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout, message in result.stderr) == (2, "", True), result.stderr


@pytest.mark.parametrize("path", ["", "get addon", "get addon backup", "export", "simulate"])
def test_h_is_short_for_help(path: str) -> None:
    short, long = (invoke(*path.split(), option) for option in ("-h", "--help"))
    assert (short.exit_code, short.stdout) == (0, long.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "imported"),
    [
        (["--help"], set()),
        (["get", "addon", "--help"], set()),
        (["--version"], set()),
        (["completion", "bash"], set()),
        (["list", "projects", "--help"], set()),
        (["simulate", "--help"], {"northflank_async.simulator.server"}),
        (["plan", "--help"], set()),
        (["export", "--help"], set()),
        (["convert", "--help"], set()),
    ],
)
def test_a_command_imports_only_what_it_needs(arguments: list[str], imported: set[str]) -> None:
    code = (
        "import json, sys\n"
        "from northflank_async.cli import main\n"
        "try: main()\n"
        "finally: print(json.dumps(list(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stderr.splitlines()[-1])) == imported


def completions(output: str) -> list[str]:
    return [line.partition(",")[2] for line in output.splitlines()]


def set_words(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """Set the environment as bash does to complete the last of the words."""
    monkeypatch.setenv("_NORTHFLANK_ASYNC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(["northflank-async", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["re"], ["restore", "retain"]),
        (["get", ""], ["addon", "auth", "volume"]),
        (["get", "addon", "back"], ["backup", "backup-schedules", "backups"]),
        (["get", "addon", "backup", "re"], ["restores"]),
        (["get", "addon", "backup", "--back"], ["--backupId", "--backup"]),
        (["get", "addon", "backup", "restores", "--source"], ["--sourceProjectId", "--sourceAddonId"]),
        (["list", "projects", "--output", "j"], ["json", "jsonl"]),
    ],
)
def test_a_shell_completes_words_and_options(
    monkeypatch: pytest.MonkeyPatch, words: list[str], offered: list[str]
) -> None:
    set_words(monkeypatch, words)
    result = invoke()
    assert (result.exit_code, completions(result.stdout)) == (0, offered)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("inv", "file inv"),
        ("inventory.", "file inventory."),
        ("folder/", "file folder/"),
        ("new", ", ".join(f"plain new{ending}" for ending in [*ENDINGS, ".db"])),
        ("new.c", "plain new.csv, plain new.csv.gz, plain new.csv.zst"),
        ("new.jsonl.g", "plain new.jsonl.gz"),
        ("folder/a.b.p", "plain folder/a.b.parquet"),
        ("[inv", ", ".join(f"plain [inv{ending}" for ending in [*ENDINGS, ".db"])),
        ("no-folder/new.d", "plain no-folder/new.db"),
    ],
)
def test_a_target_is_completed_to_a_file_or_an_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, offered: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "inventory.csv").touch()
    set_words(monkeypatch, ["export", typed])
    result = invoke()
    assert result.exit_code == 0
    assert [line.replace(",", " ") for line in result.stdout.splitlines()] == offered.split(", ")


def test_completion_needs_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".northflank").mkdir()
    (tmp_path / ".northflank" / "config.json").write_text("{")
    monkeypatch.setenv("HOME", str(tmp_path))
    set_words(monkeypatch, ["get", "addon", "backup", "restores", "--source"])
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=True)
    assert completions(done.stdout) == ["--sourceProjectId", "--sourceAddonId"]


def hide(folder: Path, monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Make these packages impossible to import in a command's process."""
    for name in packages:
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{Path(__file__).parents[2]}")


def test_without_click_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(tmp_path, monkeypatch, "click")
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "pip install 'northflank-async[cli]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["jsonl", "csv", "db"])
def test_an_export_needs_only_the_packages_of_its_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    hide(tmp_path, monkeypatch, "psycopg", "pyarrow", "uvloop")
    command = [*COMMAND, "export", "--simulate", "--project", "billing", str(tmp_path / f"out.{ending}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_an_export_to_postgresql_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(tmp_path, monkeypatch, "psycopg")
    command = [*COMMAND, "export", "--simulate", "postgresql://127.0.0.1:1/x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "pip install 'northflank-async[postgres]'" in done.stderr
