"""The login: the environment first, then the contexts of Northflank's own command line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from northflank_async.client import BASE_URL_VARIABLES, TOKEN_VARIABLES
from northflank_async.simulator import Simulator
from tests.support.command import invoke

SECRET = "a-token-that-must-not-show"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".northflank").mkdir()
    return tmp_path


@pytest.fixture
def context_only(northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """A simulator that the environment does not lead to."""
    for name in ("NORTHFLANK_API_TOKEN", "NORTHFLANK_API_BASE_URL"):
        monkeypatch.delenv(name)
    return northflank_simulator


def write(home: Path, current: str | None, *contexts: Any) -> None:
    content = {"current": current, "contexts": contexts, "lastUpdateCheck": "2026-11-01T00:00:00.000Z"}
    (home / ".northflank" / "config.json").write_text(json.dumps(content), encoding="utf-8")


def context(sim: Simulator, name: str, **others: Any) -> dict[str, Any]:
    return {"name": name, "host": sim.url, "token": sim.token, **others}


def ids(result: Result, key: str) -> list[str]:
    assert result.exit_code == 0, result.output
    return [item["id"] for item in json.loads(result.stdout)[key]]


def test_the_current_context_is_used_without_a_token_in_the_environment(home: Path, context_only: Simulator) -> None:
    write(home, "mine", {"name": "other", "host": "http://127.0.0.1:1", "token": SECRET}, context(context_only, "mine"))
    assert ids(invoke("list", "projects"), "projects")[0] == "default-project"


def test_a_named_context_is_used_instead_of_the_current_one(home: Path, context_only: Simulator) -> None:
    write(
        home, "other", {"name": "other", "host": "http://127.0.0.1:1", "token": SECRET}, context(context_only, "mine")
    )
    assert ids(invoke("list", "projects", "--context", "mine"), "projects")[0] == "default-project"


def test_the_project_of_a_context_is_the_default_and_an_option_overrides_it(
    home: Path, context_only: Simulator
) -> None:
    write(home, "mine", context(context_only, "mine", project="billing"))
    assert ids(invoke("list", "addons"), "addons")[0].startswith("billing-")
    assert ids(invoke("list", "addons", "--project", "checkout"), "addons")[0].startswith("checkout-")


TOKEN_OVERRIDDEN = "northflank-async: NORTHFLANK_API_TOKEN overrides the token of context 'mine'\n"
HOST_OVERRIDDEN = "northflank-async: NORTHFLANK_API_BASE_URL overrides the host of context 'mine'\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], ""),
        (["--context", "mine"], TOKEN_OVERRIDDEN + HOST_OVERRIDDEN),
        (["--context", "mine", "--quiet"], ""),
    ],
)
def test_the_environment_overrides_a_context_and_reports_it_for_a_named_one(
    home: Path, northflank_simulator: Simulator, options: list[str], message: str
) -> None:
    write(home, "mine", {"name": "mine", "host": "http://127.0.0.1:1", "token": SECRET})
    result = invoke("list", "projects", *options)
    assert ids(result, "projects")
    assert result.stderr == message


def test_a_named_context_completes_the_environment_silently(
    home: Path, northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, "other", context(northflank_simulator, "mine", token=None))
    monkeypatch.delenv("NORTHFLANK_API_BASE_URL")
    result = invoke("list", "projects", "--context", "mine")
    assert ids(result, "projects")
    assert result.stderr == ""


def test_a_token_in_the_environment_has_no_default_project(home: Path, northflank_simulator: Simulator) -> None:
    write(home, "mine", context(northflank_simulator, "mine", project="billing"))
    result = invoke("list", "addons")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Missing option '--projectId' / '--project'" in result.stderr


def test_export_and_plan_ignore_the_project_of_a_context(home: Path, context_only: Simulator) -> None:
    write(home, "mine", context(context_only, "mine", project="billing"))
    assert invoke("plan", "--context", "mine").stdout.startswith("projects   5\n")
    result = invoke("export", str(home / "out.jsonl"), "--addon-type", "redis")
    assert (result.exit_code, "in 5 projects" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "config.json is not JSON"),
        (f'{{"token": "{SECRET}"', "config.json is not JSON"),
        ("[" * 100_000, "config.json is not JSON"),
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
        ('{"current": "b", "contexts": [{"name": "a"}]}', "no token"),
        ('{"current": "a", "contexts": [{"name": "a"}]}', "no token"),
        (f'{{"contexts": [{{"host": "http://127.0.0.1:1", "token": "{SECRET}"}}]}}', "no token"),
        (None, "no token: set NORTHFLANK_API_TOKEN, or log in with 'northflank login'"),
    ],
)
def test_broken_contexts_are_one_line_that_shows_no_token(
    home: Path, context_only: Simulator, content: str | None, message: str
) -> None:
    if content is not None:
        (home / ".northflank" / "config.json").write_text(content, encoding="utf-8")
    result = invoke("list", "projects")
    assert (result.exit_code, result.stdout) == (3, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert SECRET not in result.stderr


def test_a_home_that_is_not_a_directory_has_no_contexts(
    context_only: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", os.devnull)
    result = invoke("list", "projects")
    assert (result.exit_code, "no token" in result.stderr) == (3, True)


def test_an_unreadable_file_of_contexts_is_one_line(home: Path, context_only: Simulator) -> None:
    (home / ".northflank" / "config.json").mkdir()
    result = invoke("list", "addons")
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "cannot read ~/.northflank/config.json: Is a directory" in result.stderr


def test_an_unknown_context_is_reported_with_the_available_ones(home: Path, context_only: Simulator) -> None:
    write(home, "mine", context(context_only, "mine"), context(context_only, "other"))
    result = invoke("list", "projects", "--context", "nope")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "no context 'nope' in ~/.northflank/config.json; available: mine, other." in result.stderr


def test_a_named_context_without_a_login_is_reported(home: Path, context_only: Simulator) -> None:
    result = invoke("list", "projects", "--context", "nope")
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "no context 'nope': ~/.northflank/config.json does not exist" in result.stderr


@pytest.mark.parametrize("home", ["", None])
def test_without_a_home_there_are_no_contexts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".northflank").mkdir()
    Path(".northflank/config.json").write_text('{"current": "here", "contexts": [{"name": "here", "token": "t"}]}')
    monkeypatch.delenv("HOME")
    if home is not None:
        monkeypatch.setenv("HOME", home)
    else:  # a user without an entry, as in some containers
        monkeypatch.setattr("os.path.expanduser", lambda path: path)
    for name in (*TOKEN_VARIABLES, *BASE_URL_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    result = invoke("list", "projects")
    assert (result.exit_code, "no token" in result.stderr) == (3, True)
    result = invoke("list", "projects", "--context", "here")
    assert (result.exit_code, "~/.northflank/config.json does not exist" in result.stderr) == (3, True)
