"""`mirror`."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from northflank_async.simulator import Downloads, Simulator
from tests.support.command import invoke
from tests.support.dumps import DumpAccount, dump, files_in, links_of, snapshot
from tests.support.scripted_server import Responder, ScriptedServer

ServeScript = Callable[[Responder], ScriptedServer]
SMALL = pytest.mark.parametrize(
    "northflank_simulator",
    [{"projects": 2, "addons": 2, "backups": 12, "downloads": Downloads(size=1000)}],
    indirect=True,
)


@SMALL
def test_a_mirror_copies_dumps_and_says_what_it_did(northflank_simulator: Simulator, tmp_path: Path) -> None:
    result = invoke("mirror", tmp_path / "m", "--newest", "2")
    assert result.exit_code == 0, result.stderr
    links = len(links_of(northflank_simulator))
    requests = sum(not request.path.startswith("/storage") for request in northflank_simulator.requests)
    assert result.stdout == (
        f"{links} dumps ({links}.0 kB) copied to {tmp_path / 'm'}, 0 held already ({requests} requests)\n"
    )
    assert "snapshots of 3 addons cannot be downloaded: only dumps can\n" in result.stderr
    again = invoke("mirror", tmp_path / "m", "--newest", "2", "--quiet")
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.startswith(f"0 dumps (0 bytes) copied to {tmp_path / 'm'}, {links} held already (")
    assert len(links_of(northflank_simulator)) == links


@SMALL
def test_a_mirror_is_verified_without_a_request(northflank_simulator: Simulator, tmp_path: Path) -> None:
    assert invoke("mirror", tmp_path, "--newest", "1").exit_code == 0
    before = len(northflank_simulator.requests)
    result = invoke("mirror", tmp_path, "--verify")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "3 intact (3.0 kB), 0 missing, 0 changed, 0 damaged, 0 extra\n"
    dumps = [tmp_path / path for path in files_in(tmp_path) if path.endswith((".gz", ".zst", ".dump"))]
    dumps[0].unlink()
    dumps[1].write_bytes(bytes(1000))
    (tmp_path / "stranger").write_text("")
    result = invoke("mirror", tmp_path, "--verify")
    assert result.exit_code == 9
    assert result.stdout.splitlines() == [
        f"missing {dumps[0].relative_to(tmp_path)}",
        f"changed {dumps[1].relative_to(tmp_path)}",
        "extra stranger",
    ]
    assert "is not what its manifest says: 1 intact (1.0 kB), 1 missing, 1 changed, 0 damaged, 1 extra" in result.stderr
    assert len(northflank_simulator.requests) == before


def test_verify_needs_no_token(tmp_path: Path) -> None:
    result = invoke("mirror", tmp_path / "absent", "--verify")
    assert (result.exit_code, result.stdout) == (0, "0 intact (0 bytes), 0 missing, 0 changed, 0 damaged, 0 extra\n")
    assert not (tmp_path / "absent").exists()


def test_a_dry_run_lists_what_it_would_copy_and_delete(serve_script: ServeScript, tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b9", 9000)]}})
    serve_script(account.respond)
    assert invoke("mirror", tmp_path).exit_code == 0
    account.tree["p"]["a"].append(dump("b0"))
    result = invoke("mirror", tmp_path, "--keep", "8000", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout == (
        "would copy p/a/b0 (2026-11-01 12:00, 5 bytes)\nwould delete p/a/20020312T120000.000Z_b9.gz (6 bytes)\n"
    )
    result = invoke("mirror", tmp_path, "--keep", "8000")
    assert "deleted p/a/20020312T120000.000Z_b9.gz\n1 dump (6 bytes) copied to " in result.stdout
    assert ", 0 held already, 1 deleted (" in result.stdout


def test_failures_are_named_and_have_an_exit_code(serve_script: ServeScript, tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("good"), dump("bad")]}})
    account.instead = lambda request: web.Response(status=403) if "/storage/p/a/bad" in request.path else None
    serve_script(account.respond)
    result = invoke("mirror", tmp_path)
    assert result.exit_code == 9
    assert result.stdout.startswith("1 dump (8 bytes) copied to ")
    assert "could not copy p/a: bad: the download link was rejected" in result.stderr
    assert "1 failure; everything else is complete" in result.stderr
    assert "s3cret" not in result.output


def test_a_damaged_manifest_is_named_and_has_an_exit_code(serve_script: ServeScript, tmp_path: Path) -> None:
    serve_script(DumpAccount({"p": {"a": [dump("b")]}}).respond)
    invoke("mirror", tmp_path)
    (tmp_path / "manifest/p/a/b.json").write_text("{")
    result = invoke("mirror", tmp_path)
    assert result.exit_code == 9
    assert "the manifest is damaged: manifest/p/a/b.json: " in result.stderr
    assert invoke("mirror", tmp_path, "--verify").exit_code == 9


def test_an_addon_without_dumps_is_named(serve_script: ServeScript, tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [snapshot("s")], "b": [snapshot("t"), dump("d")]}})
    serve_script(account.respond)
    result = invoke("mirror", tmp_path)
    assert result.exit_code == 0
    assert result.stderr == (
        "northflank-async: 2 snapshots of 2 addons cannot be downloaded: only dumps can\n"
        "northflank-async: p/a has no dump, so nothing of it is mirrored\n"
    )


def test_copies_are_recorded_in_the_inventory(serve_script: ServeScript, tmp_path: Path) -> None:
    account = DumpAccount({"p": {"a": [dump("b1"), dump("b2", 9000)]}})
    serve_script(account.respond)
    database = tmp_path / "inventory.db"

    def rows() -> list[tuple[Any, ...]]:
        with sqlite3.connect(database) as connection:
            columns = "account_id, team_id, project_id, addon_id, backup_id, destination, path, size, created_at"
            found = connection.execute(f"SELECT {columns} FROM copies ORDER BY backup_id").fetchall()
        connection.close()
        return found

    assert invoke("export", database).exit_code == 0
    result = invoke("mirror", tmp_path / "m", "--inventory", database)
    assert result.exit_code == 0, result.stderr
    first, second = rows()
    assert first == (
        *("acme", "", "p", "a", "b1", str(tmp_path / "m"), "p/a/20261101T120000.000Z_b1.gz", 6),
        "2026-11-01 12:00:00.000+00:00",
    )
    assert second[4] == "b2"
    invoke("mirror", tmp_path / "m", "--keep", "8000", "--inventory", database)
    invoke("mirror", tmp_path / "other", "--inventory", database)
    assert [(row[4], row[5]) for row in rows()] == [
        ("b1", str(tmp_path / "m")),
        ("b1", str(tmp_path / "other")),
        ("b2", str(tmp_path / "other")),
    ]


def test_an_unusable_inventory_is_refused_before_any_request(serve_script: ServeScript, tmp_path: Path) -> None:
    server = serve_script(DumpAccount({}).respond)
    (tmp_path / "file.db").write_text("no database")
    result = invoke("mirror", tmp_path / "m", "--inventory", tmp_path / "file.db")
    assert result.exit_code == 3
    assert "is not an inventory of northflank-async" in result.stderr
    assert not server.requests


def test_an_unwritable_destination_is_refused_before_any_request(serve_script: ServeScript, tmp_path: Path) -> None:
    server = serve_script(DumpAccount({}).respond)
    (tmp_path / "file").write_text("")
    result = invoke("mirror", tmp_path / "file")
    assert (result.exit_code, result.stdout) == (8, "")
    assert f"cannot write {tmp_path / 'file'}: it is not a folder" in result.stderr
    assert not server.requests


def test_a_mistyped_project_is_an_error(serve_script: ServeScript, tmp_path: Path) -> None:
    serve_script(DumpAccount({"billing": {}}).respond)
    result = invoke("mirror", tmp_path / "m", "--project", "biling")
    assert result.exit_code == 5
    assert "billing" in result.stderr
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--verify", "--keep", "3"],
        ["--verify", "--project", "p"],
        ["--verify", "--dry-run"],
        ["--verify", "--inventory", "x.db"],
        ["--verify", "--all-contexts"],
        ["--dry-run", "--inventory", "x.db"],
        ["--keep", "0"],
        ["--newest", "0"],
        ["--concurrency", "0"],
        ["--schema", "s"],
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    assert invoke("mirror", tmp_path / "m", *arguments).exit_code == 2
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("destination", ["ftp://host/x", "s3://key:secret@bucket", "s3://", ""])
def test_a_bad_destination_is_one_line(destination: str) -> None:
    result = invoke("mirror", destination, "--verify")
    assert result.exit_code == 3
    assert len(result.stderr.splitlines()) == 1
    assert "secret" not in result.stderr


def test_the_entries_are_json_that_other_programs_read(serve_script: ServeScript, tmp_path: Path) -> None:
    serve_script(DumpAccount({"p": {"a": [dump("b")]}}).respond)
    invoke("mirror", tmp_path)
    entry = json.loads((tmp_path / "manifest/p/a/b.json").read_text())
    assert (tmp_path / entry["path"]).stat().st_size == entry["size"]
