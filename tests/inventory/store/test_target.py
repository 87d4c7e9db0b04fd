"""Targets: files and URLs, parsed once."""

import os
from pathlib import Path

import pytest

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.store.target import Target

SECRET = "secret-password"


def parameters(target: Target) -> dict[str, str]:
    return dict(target.parameters)


@pytest.mark.parametrize("exists", [True, False])
def test_every_spelling_of_a_path_is_the_same_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    real = tmp_path / "real.db"
    if exists:
        real.touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.db").symlink_to("real.db")
    (tmp_path / "folder" / "link.db").symlink_to(tmp_path / "link.db")
    (tmp_path / "linked-folder").symlink_to(tmp_path / "folder", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    spellings: list[str | Path] = [
        real,
        "real.db",
        Path("real.db"),
        "./real.db",
        "folder/../real.db",
        f"{tmp_path}//real.db",
        "link.db",
        "folder/link.db",
        "linked-folder/../real.db",
    ]
    targets = [Target.parse(spelling) for spelling in spellings]
    assert set(targets) == {Target.parse(real)}
    assert {target.path for target in targets} == {real.resolve()}
    assert [str(target) for target in targets] == [str(spelling) for spelling in spellings]


def test_other_files_are_other_targets(tmp_path: Path) -> None:
    assert Target.parse(tmp_path / "a.db") != Target.parse(tmp_path / "b.db")


@pytest.mark.parametrize("name", ["a?mode=memory.db", "50%.db", "a#b.db", "a b.db", ":memory:", "ü.db", "a@b.db"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    assert Target.parse(str(tmp_path / name)).path == (tmp_path / name).resolve()


def test_a_path_object_is_a_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Target.parse(Path("postgresql:/u@h/db")).path == tmp_path.resolve() / "postgresql:" / "u@h" / "db"


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a file"):
        Target.parse(name)


def test_a_loop_of_links_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "a.db").symlink_to("b.db")
    (tmp_path / "b.db").symlink_to("a.db")
    if os.name == "posix":
        for target in (tmp_path / "a.db", tmp_path / "a.db" / "x.db"):
            with pytest.raises(OSError, match=r"a\.db"):
                Target.parse(target)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"mysql://user:{SECRET}@host/db", r"not mysql://…"),
        (f"sqlite:///x.db?password={SECRET}", r"not sqlite://…"),
        (f"user:{SECRET}@host/db?x=://", "postgresql://…"),
        (f"postgresql://user:{SECRET}@host:99999/db", "invalid port"),
        (f"postgresql://user:{SECRET}@host:0/db", "invalid port"),
        (f"postgresql://user:{SECRET}@host:port/db", "invalid port"),
        (f"postgresql://user:{SECRET}@one:5432,two:x/db", "invalid port"),
        (f"postgresql://user@host/db?password={SECRET}&unknown=1", "not known: unknown$"),
        (f"postgresql://user@host/db?password={SECRET}&unknown", "cannot be read"),
        (f"postgresql://user@host/db?{SECRET}", "cannot be read"),
        (f"postgresql://user:{SECRET}%zz@host/db", "cannot be read"),
        (f"postgresql://user:{SECRET}%00@host/db", "cannot be read"),
        (f"postgresql://user:a@{SECRET}@host/db", "%40"),
        (f"postgresql://user:{SECRET}@b@host/db", "%40"),
        (f"postgresql://user:/{SECRET}@host/db", "%2F"),
        (f"postgresql://user:{SECRET}/b@host/db", "%40"),
        (f"postgresql://user:1/{SECRET}@host/db", "%40"),
        (f"postgresql://user:a@{SECRET}?b@host/db", "cannot be read"),
        (f"postgresql://user:a@{SECRET}?b=c@host/db", "cannot be read"),
        (f"postgresql://user:{SECRET}@[::1/db", "cannot be read"),
        (f"postgresql:user:{SECRET}@host/db", "must begin with postgresql://"),
        (f"postgres:/user:{SECRET}@host/db", "must begin with postgresql://"),
        (f"postgresql://host/db?dbname=postgresql%3A%2F%2Fuser%3A{SECRET}%40host", "invalid database name"),
        (f"postgresql://host/password%3D{SECRET}", "invalid database name"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_a_secret(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        Target.parse(url)
    assert SECRET not in f"{caught.value} {caught.value!r}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://user:{SECRET}@host:5433/db", "postgresql://user@host:5433/db"),
        (f"postgres://user:{SECRET}@host/db?sslmode=require", "postgresql://user@host/db"),
        (f"PostgreSQL://user:{SECRET}@host/db", "postgresql://user@host/db"),
        (f"postgresql+asyncpg://user:{SECRET}@host/db", "postgresql://user@host/db"),
        (f"postgresql+psycopg://user:{SECRET}@host/db", "postgresql://user@host/db"),
        (f"postgresql://user@host/db?password={SECRET}", "postgresql://user@host/db"),
        (f"postgresql://user@host/db?sslpassword={SECRET}&passfile=/x", "postgresql://user@host/db"),
        (f"postgresql://user:%2F{SECRET}%40%2F@host/db", "postgresql://user@host/db"),
        (f"postgresql://user%40tenant:?{SECRET}@host/my%2Fdb", "postgresql://user%40tenant@host/my%2Fdb"),
        (f"postgresql://user:{SECRET}@one:1,two:2/db", "postgresql://user@one:1,two:2/db"),
        (f"postgresql://user:{SECRET}@one,two/db?port=7", "postgresql://user@one:7,two:7/db"),
        (f"postgresql://user:{SECRET}@[::1]:5433/db", "postgresql://user@[::1]:5433/db"),
        (f"postgresql:///db?host=/run/postgresql&password={SECRET}", "postgresql://%2Frun%2Fpostgresql/db"),
        ("postgresql://", "postgresql:///"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    target = Target.parse(url)
    assert str(target) == shown
    assert SECRET not in f"{target} {target!r}"


PROVIDERS = [
    "sslmode=verify-full&sslrootcert=/etc/ca.pem",
    "sslcert=/c&sslkey=/k&sslpassword=p",
    "channel_binding=require&connect_timeout=5&application_name=export",
    "options=-c%20statement_timeout%3D5min&target_session_attrs=read-write",
    "passfile=/p&gssencmode=disable&keepalives_idle=5&tcp_user_timeout=7",
    "options=project%3Dep-cool-name&sslnegotiation=direct&load_balance_hosts=random",
    "user=name%40tenant&require_auth=scram-sha-256&hostaddr=127.0.0.1",
]


@pytest.mark.parametrize("query", PROVIDERS)
def test_every_parameter_of_libpq_is_accepted_and_kept(query: str) -> None:
    target = Target.parse(f"postgresql://one:1,two:2/db?{query}")
    names = {part.partition("=")[0] for part in query.split("&")}
    assert names <= parameters(target).keys()
    assert parameters(target)["host"] == "one,two"


def test_a_password_is_decoded_once() -> None:
    assert parameters(Target.parse("postgresql://u:p%40%2F%3F%25%3A+@h/db"))["password"] == "p@/?%:+"


def test_the_order_of_parameters_does_not_matter_and_the_schema_does() -> None:
    one = Target.parse("postgresql://u@h/db?sslmode=require&connect_timeout=5")
    assert one == Target.parse("postgres://h/db?connect_timeout=5&sslmode=require&user=u")
    assert one != Target.parse("postgresql://u@h/db?sslmode=require&connect_timeout=5", schema="other")
    assert one.schema == "northflank"


@pytest.mark.parametrize("schema", ["", "pg_temp", "information_schema", "x" * 64, "é" * 32, "a\0", "a\udcff"])
def test_a_schema_that_cannot_be_ours_is_refused(schema: str) -> None:
    with pytest.raises(ConfigurationError, match="schema"):
        Target.parse("postgresql://u@h/db", schema=schema)


def test_secrets_are_redacted_from_messages() -> None:
    target = Target.parse(f"postgresql://user:{SECRET}@host/db?sslpassword=a")
    assert target.redact(f'"{SECRET}" failed: a') == '"***" failed: ***'
