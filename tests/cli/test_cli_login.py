"""The command line's login: the environment first, then the contexts of Northflank's own command line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from northflank_async.cli.app import program
from northflank_async.simulator import Simulator

SECRET = "a-token-that-must-not-show"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".northflank").mkdir()
    return tmp_path


@pytest.fixture
def elsewhere(northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A simulator that only a context leads to."""
    for name in ("NORTHFLANK_API_TOKEN", "NORTHFLANK_API_BASE_URL"):
        monkeypatch.delenv(name)
    return northflank_simulator


def write(home: Path, current: str | None, *contexts: Any) -> None:
    content = {"current": current, "contexts": contexts, "lastUpdateCheck": "2026-11-01T00:00:00.000Z"}
    (home / ".northflank" / "config.json").write_text(json.dumps(content), encoding="utf-8")


def context(sim: Simulator, name: str, **others: Any) -> dict[str, Any]:
    return {"name": name, "host": sim.url, "token": sim.token, **others}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments)


def ids(result: Result, key: str) -> list[str]:
    assert result.exit_code == 0, result.output
    return [item["id"] for item in json.loads(result.stdout)[key]]


def test_the_current_context_serves_where_no_token_is_given(home: Path, elsewhere: Simulator) -> None:
    write(home, "mine", {"name": "other", "host": "http://127.0.0.1:1", "token": SECRET}, context(elsewhere, "mine"))
    assert ids(run("list", "projects"), "projects")[0] == "default-project"


def test_a_context_that_is_named_serves_instead(home: Path, elsewhere: Simulator) -> None:
    write(home, "other", {"name": "other", "host": "http://127.0.0.1:1", "token": SECRET}, context(elsewhere, "mine"))
    assert ids(run("list", "projects", "--context", "mine"), "projects")[0] == "default-project"


def test_a_contexts_project_is_the_project_by_default_and_an_option_wins(home: Path, elsewhere: Simulator) -> None:
    write(home, "mine", context(elsewhere, "mine", project="billing"))
    assert ids(run("list", "addons"), "addons")[0].startswith("billing-")
    assert ids(run("list", "addons", "--project", "checkout"), "addons")[0].startswith("checkout-")


TOKEN_USED = "northflank-async: NORTHFLANK_API_TOKEN is used instead of the token of the context 'mine'\n"
HOST_USED = "northflank-async: NORTHFLANK_API_BASE_URL is used instead of the host of the context 'mine'\n"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], ""),
        (["--context", "mine"], TOKEN_USED + HOST_USED),
        (["--context", "mine", "--quiet"], ""),
    ],
)
def test_a_token_and_a_host_in_the_environment_win_and_a_context_that_was_named_is_told_so(
    home: Path, northflank_simulator: Simulator, options: list[str], says: str
) -> None:
    write(home, "mine", {"name": "mine", "host": "http://127.0.0.1:1", "token": SECRET})
    result = run("list", "projects", *options)
    assert ids(result, "projects")
    assert result.stderr == says


def test_of_a_named_context_what_the_environment_does_not_say_is_taken_without_a_word(
    home: Path, northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, "other", context(northflank_simulator, "mine", token=None))
    monkeypatch.delenv("NORTHFLANK_API_BASE_URL")
    result = run("list", "projects", "--context", "mine")
    assert ids(result, "projects")
    assert result.stderr == ""


def test_without_a_context_of_that_name_the_environments_token_is_of_no_default_project(
    home: Path, northflank_simulator: Simulator
) -> None:
    write(home, "mine", context(northflank_simulator, "mine", project="billing"))
    result = run("list", "addons")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Missing option '--projectId' / '--project'" in result.stderr


def test_export_and_plan_are_of_all_projects_whatever_the_context_says(home: Path, elsewhere: Simulator) -> None:
    write(home, "mine", context(elsewhere, "mine", project="billing"))
    assert run("plan", "--context", "mine").stdout.startswith("projects   5\n")
    result = run("export", str(home / "out.jsonl"), "--addon-type", "redis")
    assert (result.exit_code, "in 5 projects" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "config.json is no JSON"),
        (f'{{"token": "{SECRET}"', "config.json is no JSON"),
        ("[" * 100_000, "config.json is no JSON"),
        ("[]", "has no list of contexts"),
        (f'{{"contexts": "{SECRET}"}}', "has no list of contexts"),
        (f'{{"contexts": ["{SECRET}"]}}', "has no list of contexts"),
        (f'{{"current": "a", "contexts": [{{"name": "a", "token": ["{SECRET}"]}}]}}', "the token of a context"),
        (f'{{"current": "a", "contexts": [{{"name": "a", "token": "{SECRET} x"}}]}}', "the token contains a space"),
        (f'{{"current": "a", "contexts": [{{"name": "a", "host": "x", "token": "{SECRET}"}}]}}', "the base URL"),
        (
            f'{{"current": "a", "contexts": [{{"name": "a", "host": "http://nf.example", "token": "{SECRET}"}}]}}',
            "the token is not sent over plain http to nf.example",
        ),
        ('{"current": "b", "contexts": [{"name": "a"}]}', "there is no token"),
        ('{"current": "a", "contexts": [{"name": "a"}]}', "there is no token"),
        (f'{{"contexts": [{{"host": "http://127.0.0.1:1", "token": "{SECRET}"}}]}}', "there is no token"),
        (None, "there is no token: set NORTHFLANK_API_TOKEN, or log in with “northflank login”"),
    ],
)
def test_what_is_wrong_with_the_contexts_is_one_line_that_shows_no_token(
    home: Path, elsewhere: Simulator, content: str | None, says: str
) -> None:
    if content is not None:
        (home / ".northflank" / "config.json").write_text(content, encoding="utf-8")
    result = run("list", "projects")
    assert (result.exit_code, result.stdout) == (3, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
    assert SECRET not in result.stderr


def test_a_home_that_is_no_folder_has_no_contexts(elsewhere: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.devnull)
    result = run("list", "projects")
    assert (result.exit_code, "there is no token" in result.stderr) == (3, True)


def test_contexts_that_cannot_be_opened_are_one_line(home: Path, elsewhere: Simulator) -> None:
    (home / ".northflank" / "config.json").mkdir()
    result = run("list", "addons")
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "~/.northflank/config.json cannot be read: Is a directory" in result.stderr


def test_a_context_that_is_not_there_is_said_with_those_that_are(home: Path, elsewhere: Simulator) -> None:
    write(home, "mine", context(elsewhere, "mine"), context(elsewhere, "other"))
    result = run("list", "projects", "--context", "nope")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "there is no context 'nope' in ~/.northflank/config.json; there is: mine, other" in result.stderr


def test_a_context_is_asked_for_where_nobody_has_logged_in(home: Path, elsewhere: Simulator) -> None:
    result = run("list", "projects", "--context", "nope")
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "there is no context 'nope': there is no ~/.northflank/config.json" in result.stderr
