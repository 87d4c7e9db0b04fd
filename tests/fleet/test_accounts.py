"""The accounts file names each mistake by its place, before any request, and shows no token."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from northflank_async import ConfigurationError, Northflank
from northflank_async.fleet import AccountEntry, load_accounts, open_clients

TOKEN = "nf-a-token-that-must-not-show"
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write an accounts file, readable only by its owner, and work in its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACME_TOKEN", TOKEN)
    monkeypatch.setenv("EMPTY_TOKEN", "")
    for name, content in {"token": f"{TOKEN}\n", "empty": "\n", "binary": "\udcff", "lines": "a\nb"}.items():
        path = tmp_path / name
        path.write_text(content, errors="surrogateescape")
        path.chmod(0o600)

    def write_file(text: str) -> Path:
        path = Path("accounts.toml")
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    return write_file


def account(**values: str) -> str:
    """An account with the values, which are written as TOML; `name` and `token_env` are there unless empty."""
    values = {"name": '"acme"', "token_env": '"ACME_TOKEN"', **values}
    return "[[accounts]]\n" + "".join(f"{key} = {value}\n" for key, value in values.items() if value)


def test_an_account_is_read(write: Write) -> None:
    url = "https://api.example.com"
    (entry,) = load_accounts(
        write(account(base_url=f'"{url}"', teams='["payments", "payments"]', projects='["billing"]'))
    )
    assert (entry.name, entry.base_url, entry.teams, entry.projects) == ("acme", url, ("payments",), ("billing",))
    assert entry.read_token() == TOKEN
    assert TOKEN not in repr(entry)


def test_a_token_file_is_relative_to_the_accounts_file(write: Write, tmp_path: Path) -> None:
    write(account(token_env="", token_file='"token"'))
    os.chdir("/")
    (entry,) = load_accounts(tmp_path / "accounts.toml")
    assert entry.read_token() == TOKEN


def test_a_new_token_in_the_file_is_used_without_a_restart(write: Write) -> None:
    (entry,) = load_accounts(write(account(token_env="", token_file='"token"')))
    Path("token").write_text("another-token")
    assert entry.read_token() == "another-token"


async def test_a_client_is_opened_for_the_account(write: Write) -> None:
    (entry,) = load_accounts(write(account(base_url='"https://api.example.com"')))
    async with entry.open() as nf:
        assert nf.base_url == "https://api.example.com"
        assert entry.query(nf).accounts == (nf,)


async def test_the_query_is_of_the_teams_and_projects(write: Write) -> None:
    (entry,) = load_accounts(write(account(teams='["red", "blue"]', projects='["billing"]')))
    async with entry.open() as nf:
        query = entry.query(nf, restores=True)
        assert [found.team_id for found in query.accounts] == ["red", "blue"]
        assert query.projects == ("billing",)
        assert query.restores


MISTAKES = {
    "": "accounts.toml: no accounts: add [[accounts]]",
    "# nothing but a comment": "accounts.toml: no accounts: add [[accounts]]",
    "accounts = []": "accounts.toml: no accounts: add [[accounts]]",
    "accounts = 1": "accounts.toml: accounts: must be written as [[accounts]], not as an integer",
    "accounts = [1]": "accounts.toml: accounts[0]: must be a table, not an integer",
    "[accounts]\nname = 'acme'": "accounts.toml: accounts: must be written as [[accounts]], not as a table",
    "[[account]]\nname = 'acme'": "accounts.toml: unknown key 'account': accounts are written as [[accounts]]",
    f"token = {TOKEN}": "accounts.toml: it is not TOML (at line 1, column 9)",
    account(name=""): "accounts.toml: accounts[0]: name is missing",
    account(name='""'): "accounts.toml: accounts[0].name: must not be empty",
    account(name="3"): "accounts.toml: accounts[0].name: must be a string, not an integer",
    account(name='" acme"'): (
        "accounts.toml: accounts[0].name: must be 1 to 100 printable characters, without space at the beginning or the"
        " end"
    ),
    account() + account(name='"b"') + account(): (
        "accounts.toml: accounts[2].name: 'acme' is already the name of accounts[0]"
    ),
    account(token_env=""): (
        "accounts.toml: accounts[0]: token_env or token_file is missing: it names where the token is"
    ),
    account(token_file='"token"'): ("accounts.toml: accounts[0]: token_env and token_file are both given: omit one"),
    account() + account(name='"b"', token_env='"X"'): (
        "accounts.toml: accounts[1].token_env: the variable X is not set"
    ),
    account(token_env='"EMPTY_TOKEN"'): "accounts.toml: accounts[0].token_env: the variable EMPTY_TOKEN is empty",
    account(token_env="true"): "accounts.toml: accounts[0].token_env: must be a string, not a boolean",
    account(token_env=f'"{TOKEN}"'): (
        "accounts.toml: accounts[0].token_env: must be the name of an environment variable, not a token"
    ),
    account(token_env="", token_file=f'"{TOKEN}"'): (
        "accounts.toml: accounts[0].token_file: cannot read the file: No such file or directory"
    ),
    account(token_env="", token_file='"."'): (
        "accounts.toml: accounts[0].token_file: cannot read the file: Is a directory"
    ),
    account(token_env="", token_file='"empty"'): "accounts.toml: accounts[0].token_file: the file is empty",
    account(token_env="", token_file='"binary"'): ("accounts.toml: accounts[0].token_file: it is not a file of text"),
    account(token_env="", token_file='"a\\u0000b"'): (
        "accounts.toml: accounts[0].token_file: it is not a file of text"
    ),
    account(token_env="", token_file='"~no-such-user/token"'): (
        "accounts.toml: accounts[0].token_file: must be the path of a file"
    ),
    account(token_env="", token_file='"lines"'): (
        "accounts.toml: accounts[0].token_file: the token contains a space, a line break or another character that no"
        " token has"
    ),
    account(token=f'"{TOKEN}"'): (
        "accounts.toml: accounts[0].token: the file must not hold a token: name its place with token_env or token_file"
    ),
    account(team='["payments"]'): "accounts.toml: accounts[0]: unknown key 'team': did you mean 'teams'?",
    account(unrelated="1"): (
        "accounts.toml: accounts[0]: unknown key 'unrelated': known are name, token_env, token_file, base_url, teams,"
        " projects"
    ),
    account(base_url='"http://api.example.com"'): (
        "accounts.toml: accounts[0].base_url: the token is not sent over plain http to api.example.com: use https"
    ),
    account(base_url="2026-01-01"): "accounts.toml: accounts[0].base_url: must be a string, not a date",
    account(teams='"payments"'): "accounts.toml: accounts[0].teams: must be an array of strings, not a string",
    account(teams="[]"): "accounts.toml: accounts[0].teams: must not be empty: omit it to include all",
    account(projects='["a", 1.5]'): "accounts.toml: accounts[0].projects[1]: must be a string, not a float",
    account(projects='["a/b"]'): (
        "accounts.toml: accounts[0].projects[0]: the project id must be one segment of a path (not empty, . or ..,"
        " without / ? # and white space), not 'a/b'"
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_one_line_that_names_the_place(write: Write, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_accounts(write(text))
    assert str(caught.value) == MISTAKES[text]
    assert TOKEN not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "accounts.toml: it is not UTF-8 text"),
        (b"accounts = " + b"[" * 100_000, "accounts.toml: it is not TOML"),
    ],
)
def test_a_file_that_is_not_toml_is_refused(write: Write, content: bytes, message: str) -> None:
    write("").write_bytes(content)
    with pytest.raises(ConfigurationError, match="it is not") as caught:
        load_accounts("accounts.toml")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing.toml", "No such file or directory"), (".", "Is a directory"), ("a\0b", "not a file name")],
)
def test_a_file_that_cannot_be_read_is_named(write: Write, path: str, reason: str) -> None:
    write("")
    with pytest.raises(ConfigurationError, match=f"cannot read it: {reason}$"):
        load_accounts(path)


def test_files_that_others_can_read_are_warned_of(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    path = write(account(token_env="", token_file='"token"'))
    with caplog.at_level(logging.WARNING):
        load_accounts(path)
        assert caplog.messages == []
        path.chmod(0o644)
        Path("token").chmod(0o604)
        load_accounts(path)
    assert caplog.messages == [
        "accounts.toml: the file is readable by others: run 'chmod o= accounts.toml'",
        "accounts.toml: accounts[0].token_file: the file is readable by others: run 'chmod o= token'",
    ]


async def test_clients_are_closed_when_a_later_one_cannot_be_opened(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = load_accounts(write(account() + account(name='"b"', token_env="", token_file='"token"')))
    closed: list[str] = []

    async def close(self: Northflank) -> None:
        closed.append(self.base_url)

    monkeypatch.setattr(Northflank, "close", close)
    async with open_clients(entries) as clients:
        assert len(clients) == 2
    assert len(closed) == 2
    Path("token").unlink()
    with pytest.raises(ConfigurationError, match="cannot read the file"):
        async with open_clients(entries):
            pass
    assert len(closed) == 3


def test_entries_hide_how_their_token_is_read() -> None:
    assert repr(AccountEntry(name="acme", read_token=lambda: pytest.fail("not read"))) == (
        "AccountEntry(name='acme', base_url=None, teams=(), projects=None)"
    )
