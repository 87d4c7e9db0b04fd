"""Results as JSON, YAML, JSON Lines and tables, of one page or of all."""

import json
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from northflank_async.cli.output import count, write_data
from northflank_async.simulator import Simulator
from tests.support.command import invoke, invoke_json
from tests.support.scripted_server import Responder, ScriptedServer, backup, envelope

ADDON = ("--projectId", "billing", "--addonId", "billing-cache")
BACKUP = (*ADDON, "--backupId", "billing-cache-20261017-210")
BACKUPS = 225
LISTINGS = [
    (("list", "projects"), "projects"),
    (("list", "addons", "--project", "billing"), "addons"),
    (("get", "addon", "backups", *ADDON), "backups"),
    (("get", "addon", "restores", *ADDON), "restores"),
    (("get", "addon", "backup", "restores", *BACKUP), "restores"),
    (("get", "addon", "backup-schedules", *ADDON), "schedules"),
]


def output(*arguments: str) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(("command", "key"), LISTINGS)
def test_a_listing_is_the_same_in_every_format(
    northflank_simulator: Simulator, command: tuple[str, ...], key: str
) -> None:
    listed = invoke_json(*command)
    assert list(listed) == [key]
    assert yaml.safe_load(output(*command, "-o", "yaml")) == listed
    assert [json.loads(line) for line in output(*command, "-o", "jsonl").splitlines()] == listed[key]
    table = output(*command, "-o", "table", "--loadAll").splitlines()
    assert [line.split()[0] for line in table[1:]] == [item["id"] for item in listed[key]]


def test_json_is_indented_by_one_and_yaml_ends_with_an_empty_line(northflank_simulator: Simulator) -> None:
    command = ("get", "addon", "restores", *ADDON, "--page", "1", "--per_page", "1", "-o")
    assert output(*command, "json") == (
        '{\n "restores": [\n  {\n   "id": "8be1cfc1433b555ffde38219",\n   "status": "aborting",\n'
        '   "restoreTimestamp": "2026-10-28T20:05:26.293Z",\n   "backupId": "billing-cache-20261027-220"\n  }\n ]\n}\n'
    )
    assert output(*command, "yaml") == (
        "restores:\n  - id: 8be1cfc1433b555ffde38219\n    status: aborting\n"
        "    restoreTimestamp: '2026-10-28T20:05:26.293Z'\n    backupId: billing-cache-20261027-220\n\n"
    )


WORDS = """
    1e3 1e 1.e5 12E03 0o17 0o 017 08 0_8 1_000 0x1F 0X1f 0b101 12:30:45 190:20:30.15 1:2 + - -1 +1 .5 5. 1. . .1_5 -.inf
    .inf .Inf .NaN .nan yes No ON off y N true False TRUE ~ null Null NULL = << 2026-01-01 2026-1-1 2026-01-01T00:00:00Z
    2026-01-01t1:2:3 7.0.14 1.2.3 0x 0b e3 1e3e a: #a !a &a *a |a >a %a @a `a [a {a ,a ?a -a : ? ''
"""


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_text_in_yaml_is_a_text_to_every_parser(capsys: pytest.CaptureFixture[str], version: str) -> None:
    words = [*WORDS.split(), "", "2026-01-01 00:00:00", "a\nb", "a\r\nb", " a", "a ", "\t", "\u2028", "\x85", "\ufeff"]
    data = {"keys": dict.fromkeys(words, 1), "values": words}
    write_data(data, "yaml")
    written = capsys.readouterr().out
    parser = YAML(typ="safe", pure=True)
    parser.version = version
    assert parser.load(written) == data
    assert yaml.safe_load(written) == data


@given(st.lists(st.one_of(st.text(), st.from_regex(r"[-+.0-9a-fxob_:e]{1,6}", fullmatch=True))))
def test_any_text_in_yaml_is_a_text(texts: list[str]) -> None:
    with redirect_stdout(StringIO()) as out:
        write_data(texts, "yaml")
    assert yaml.safe_load(out.getvalue()) == texts
    assert all(type(item) is str for item in YAML(typ="safe", pure=True).load(out.getvalue()))


@pytest.mark.parametrize("format", ["json", "yaml", "jsonl"])
def test_formats_for_programs_are_complete_and_take_few_requests(northflank_simulator: Simulator, format: str) -> None:
    assert output("get", "addon", "backups", *ADDON, "-o", format).count("createdAt") == BACKUPS
    assert [request.query["per_page"] for request in northflank_simulator.requests] == ["100"] * 3


@pytest.mark.parametrize(
    ("options", "items", "requests"),
    [
        (["--page", "2"], 50, 1),
        (["--page", "3", "--per_page", "100"], 25, 1),
        (["--per_page", "75"], BACKUPS, 3),
        (["--loadAll"], BACKUPS, 3),
        (["--loadAll", "-o", "table"], BACKUPS, 3),
        (["-o", "table"], 50, 1),
        (["-o", "table", "--per_page", "7"], 7, 1),
    ],
)
def test_options_select_the_pages(
    northflank_simulator: Simulator, options: list[str], items: int, requests: int
) -> None:
    shown = output("get", "addon", "backups", *ADDON, *options)
    assert len(re.findall(r"\bbilling-cache-2\d+-\d+", shown)) == items
    assert len(northflank_simulator.requests) == requests


def test_a_page_that_is_not_the_last_names_the_next_cursor(northflank_simulator: Simulator) -> None:
    found: list[str] = []
    cursor: list[str] = []
    while True:
        result = invoke("get", "addon", "backups", *ADDON, "--per_page", "100", *(cursor or ["--page", "1"]))
        found += [backup["id"] for backup in json.loads(result.stdout)["backups"]]
        if not result.stderr:
            break
        more = re.fullmatch(
            r"northflank-async: there are more pages: continue with (--cursor \S+), or fetch all with --loadAll\n",
            result.stderr,
        )
        assert more
        cursor = more[1].split()
    assert found == [backup["id"] for backup in invoke_json("get", "addon", "backups", *ADDON)["backups"]]


def test_a_page_without_a_cursor_names_the_next_page_and_keeps_undocumented_fields(
    serve_script: Callable[[Responder], ScriptedServer],
) -> None:
    data = {"backups": [backup(1), backup(2)], "note": "undocumented"}
    serve_script(lambda request: envelope(data, hasNextPage=True))
    result = invoke("get", "addon", "backups", *ADDON, "--page", "1")
    assert (result.exit_code, json.loads(result.stdout)) == (0, data)
    expected = "northflank-async: there are more pages: continue with --page 2, or fetch all with --loadAll\n"
    assert result.stderr == expected


def test_text_is_written_without_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    for format in ("json", "yaml", "jsonl"):
        write_data({"name": "Größe 日本 🙂 a: b", "half": "x"}, format)
    write_data({"half": "\ud83d"}, "json")
    out = capsys.readouterr().out
    assert out.count("Größe 日本 🙂 a: b") == 3
    assert '"\\ud83d"' in out


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 addons"), (1, "1 addon"), (4, "4 addons"), (1204, "1,204 addons")]
)
def test_a_count_has_a_plural_and_separators(number: int, expected: str) -> None:
    assert count(number, "addon") == expected
