"""What the commands that read write: JSON, YAML, JSON Lines and tables, of one page or of all."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from northflank_async.cli.app import program
from northflank_async.cli.columns import age, destinations, print_items, size, status, text, time, weekdays
from northflank_async.simulator import Simulator
from tests.support.command import COMMAND, reaching
from tests.support.command import run as run_command
from tests.support.scripted_server import backup, envelope, serve
from tests.support.terminal import run_at_terminal

ADDON = ("--projectId", "billing", "--addonId", "billing-cache")
BACKUPS = 225
BACKUP = (*ADDON, "--backupId", "billing-cache-20261017-210")
LISTINGS = [
    (("list", "projects"), "projects"),
    (("list", "addons", "--project", "billing"), "addons"),
    (("get", "addon", "backups", *ADDON), "backups"),
    (("get", "addon", "restores", *ADDON), "restores"),
    (("get", "addon", "backup", "restores", *BACKUP), "restores"),
    (("get", "addon", "backup-schedules", *ADDON), "schedules"),
]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments)


def output(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def data(*arguments: str) -> Any:
    return json.loads(output(*arguments))


@pytest.mark.parametrize(("command", "key"), LISTINGS)
def test_a_listing_is_the_same_in_each_format(
    northflank_simulator: Simulator, command: tuple[str, ...], key: str
) -> None:
    sent = data(*command)
    assert list(sent) == [key]
    assert yaml.safe_load(output(*command, "-o", "yaml")) == sent
    assert [json.loads(line) for line in output(*command, "-o", "jsonl").splitlines()] == sent[key]
    table = output(*command, "-o", "table", "--loadAll").splitlines()
    assert [line.split()[0] for line in table[1:]] == [item["id"] for item in sent[key]]


def test_json_has_an_indent_of_one_and_yaml_ends_with_an_empty_line_as_northflanks_own(
    northflank_simulator: Simulator,
) -> None:
    command = ("get", "addon", "restores", *ADDON, "--page", "1", "--per_page", "1", "-o")
    assert output(*command, "json") == (
        '{\n "restores": [\n  {\n   "id": "8be1cfc1433b555ffde38219",\n   "status": "aborting",\n'
        '   "restoreTimestamp": "2026-10-28T20:05:26.293Z",\n   "backupId": "billing-cache-20261027-220"\n  }\n ]\n}\n'
    )
    assert output(*command, "yaml") == (
        "restores:\n  - id: 8be1cfc1433b555ffde38219\n    status: aborting\n"
        "    restoreTimestamp: '2026-10-28T20:05:26.293Z'\n    backupId: billing-cache-20261027-220\n\n"
    )


@pytest.mark.parametrize("format", ["json", "yaml", "jsonl"])
def test_what_another_program_reads_is_whole_in_as_few_requests_as_can_be(
    northflank_simulator: Simulator, format: str
) -> None:
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
def test_which_pages_are_read(northflank_simulator: Simulator, options: list[str], items: int, requests: int) -> None:
    shown = output("get", "addon", "backups", *ADDON, *options)
    assert len(re.findall(r"\bbilling-cache-2\d+-\d+", shown)) == items
    assert len(northflank_simulator.requests) == requests


def test_where_there_is_more_the_cursor_to_go_on_with_is_said(northflank_simulator: Simulator) -> None:
    found: list[str] = []
    cursor: list[str] = []
    while True:
        result = run("get", "addon", "backups", *ADDON, "--per_page", "100", *(cursor or ["--page", "1"]))
        found += [backup["id"] for backup in json.loads(result.stdout)["backups"]]
        if not result.stderr:
            break
        more = re.fullmatch(
            r"northflank-async: there is more: (--cursor \S+), or all of it with --loadAll\n", result.stderr
        )
        assert more
        cursor = more[1].split()
    assert found == [backup["id"] for backup in data("get", "addon", "backups", *ADDON)["backups"]]


async def test_without_a_cursor_the_next_page_is_said_and_what_stands_beside_the_items_is_kept() -> None:
    data = {"backups": [backup(1), backup(2)], "note": "undocumented"}
    async with serve(lambda request: envelope(data, hasNextPage=True)) as server:
        environment = {"NORTHFLANK_API_TOKEN": "token", "NORTHFLANK_API_BASE_URL": server.url}
        code, out, err = await run_command("get", "addon", "backups", *ADDON, "--page", "1", **environment)
    assert (code, json.loads(out)) == (0, data)
    assert err == "northflank-async: there is more: --page 2, or all of it with --loadAll\n"


def test_quiet_says_nothing_but_the_result(northflank_simulator: Simulator) -> None:
    result = run("get", "addon", "backups", *ADDON, "--page", "1", "--quiet", "--verbose")
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(json.loads(result.stdout)["backups"]) == 50


def test_verbose_says_each_request_and_what_is_left_of_the_hour(northflank_simulator: Simulator) -> None:
    result = run("get", "addon", "backups", *ADDON, "--verbose")
    lines = [re.sub(r"in \d+ ms", "in 1 ms", line) for line in result.stderr.splitlines()]
    path = "/v1/projects/billing/addons/billing-cache/backups?per_page=100"
    assert lines[0] == f"northflank-async: GET {path} -> 200 in 1 ms (attempt 1, 999 requests left)"
    assert [line.rpartition(", ")[2] for line in lines] == [f"{left} requests left)" for left in (999, 998, 997)]


def test_a_teams_routes_are_used_where_a_team_is_named(northflank_simulator: Simulator) -> None:
    output("get", "addon", "backup", *BACKUP, "--team", "acme")
    assert northflank_simulator.requests[0].path.startswith("/v1/teams/acme/projects/billing/addons/")


def test_a_global_backups_restores_are_asked_for_with_its_source(northflank_simulator: Simulator) -> None:
    source = ("--sourceProjectId", "billing", "--sourceAddonId", "billing-cache")
    backup = ("--project", "checkout", "--addon", "checkout-files", "--backup", "billing-cache-20261017-210")
    assert len(data("get", "addon", "backup", "restores", *backup, *source)["restores"]) > 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--loadAll", "--page", "2"], "--loadAll does not go with --page or --cursor"),
        (["--loadAll", "--cursor", "x"], "--loadAll does not go with --page or --cursor"),
        (["--page", "2", "--cursor", "x"], "--page does not go with --cursor"),
        (["--per_page", "101"], "101 is not in the range 1<=x<=100"),
        (["--page", "0"], "0 is not in the range"),
        (["-o", "xml"], "'xml' is not one of"),
    ],
)
def test_options_that_do_not_go_together_are_a_wrong_command_line(
    northflank_simulator: Simulator, options: list[str], says: str
) -> None:
    result = run("get", "addon", "backups", *ADDON, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert northflank_simulator.requests == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("get", "addon", "backup", *ADDON, "--backup", "nope"), 5, "not found, or not visible to this token"),
        (("get", "addon", "backups", *ADDON, "--cursor", "nope"), 6, "the API refuses this as it is: 400"),
        (("get", "addon", "backup", *ADDON, "--backup", "a/b"), 3, "the backup id must be one segment of a path"),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(
    northflank_simulator: Simulator, arguments: tuple[str, ...], code: int, says: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_backup_as_a_table_has_a_line_for_each_thing_that_is_known(northflank_simulator: Simulator) -> None:
    shown = output("get", "addon", "backup", *BACKUP, "-o", "table").splitlines()
    lines = [re.split("  +", line.strip()) for line in shown]
    assert lines[:2] == [["Id", "billing-cache-20261017-210"], ["Status", "completed"]]
    assert {"Made", "Completed", "Size", "Addon version", "Last restore"} < {line[0] for line in lines}


async def test_on_a_terminal_it_is_a_table_in_colour_as_wide_as_the_terminal(sim: Simulator) -> None:
    command = ("get", "addon", "backups", *ADDON, "--per_page", "3")
    shown = await run_at_terminal(sim, *command, COLUMNS="80", TZ="Asia/Tokyo")
    assert shown.code == 0
    assert "\x1b[32mcompleted\x1b[0m" in shown.text
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in shown.text.splitlines()]
    assert plain[0].split() == ["Id", "Status", "Made", "Size", "Source"]
    assert any(line.startswith("billing-cache-20261031-224  completed  2026-10-31 17:05") for line in plain)
    assert plain[-1].startswith("northflank-async: there is more: --cursor ")
    assert all(len(line) <= 80 for line in plain[:-1])


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize(("command", "key"), LISTINGS)
def test_however_narrow_a_terminal_is_no_id_status_or_date_is_broken(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], key: str, width: int
) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", width)
    shown = output(*command, "-o", "table", "--loadAll")
    assert all(len(line) <= width for line in shown.splitlines())
    for item in data(*command)[key]:
        whole = [item[name] for name in ("id", "status", "backupId") if name in item]
        whole += [time(item[name]).plain[:16] for name in ("restoreTimestamp", "updatedAt") if name in item]
        assert [text for text in whole if text not in shown] == []


def test_rows_that_do_not_fit_are_paragraphs_and_long_texts_go_on_below(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", 80)
    first, second, *_ = output("get", "addon", "restores", *ADDON, "-o", "table").split("\n\n")
    assert [line.split()[0] for line in first.splitlines()] == ["Id", "Status", "Begun", "Backup"]
    assert [line.split()[0] for line in second.splitlines()] == ["Id", "Status", "Begun", "Completed", "Backup"]
    table = output("list", "addons", "--project", "default-project", "-o", "table").splitlines()
    assert table[1].endswith("Example Addon   The mongodb of   ")
    assert table[2].strip() == "Default Project"
    backups = output("get", "addon", "backups", *ADDON, "-o", "table").splitlines()
    assert backups[1].startswith("billing-cache-2026")
    assert re.fullmatch(r" +\(\d+ \w+ ago\) +", backups[2])


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3 * 3600 + 59, "3 h ago"),
        (86400 * 29, "29 d ago"),
        (86400 * 31, "1 mo ago"),
        (86400 * 800, "2 y ago"),
        (-90, "in 1 min"),
    ],
)
def test_an_age_is_in_its_largest_unit(seconds: int, expected: str) -> None:
    assert age(timedelta(seconds=seconds)) == expected


def test_a_date_is_whole_beside_long_texts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", 89)
    destinations = [{"destinationId": f"far-away-{number}"} for number in range(3)]
    item = {"id": "a-schedule", "backupType": "snapshot", "updatedAt": "2026-11-01T12:00:00Z"}
    texts = {"additionalDestinations": destinations, "customDestinationId": "another-bucket"}
    print_items([{**item, **texts}], "schedules")
    assert time(item["updatedAt"]).plain[:16] in capsys.readouterr().out


def test_a_listing_without_items_is_said_to_be_so(northflank_simulator: Simulator) -> None:
    assert output("list", "projects", "--page", "99", "-o", "table") == "none\n"


def test_a_cell_does_nothing_to_the_terminal_that_shows_it() -> None:
    assert text("\x1b[2J\n").plain == "\\x1b[2J\\n"
    assert status("\x1b[2J").plain == "\\x1b[2J"


def test_cells_are_for_people_and_what_they_cannot_read_is_shown_as_it_came() -> None:
    assert [size(value).plain for value in ("1504837", 0, None, "many")] == ["1.5 MB", "0 bytes", "", "many"]
    assert [weekdays(value).plain for value in ([0, 6], None, [9])] == ["Mon, Sun", "", "9"]
    assert [time(value).plain for value in (None, "soon", 7)] == ["", "soon", "7"]
    assert destinations([{"destinationId": "a"}, {"destinationId": "b"}]).plain == "a, b"
    assert destinations([7]).plain == "7"


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


@pytest.mark.parametrize("command", WRITING)
def test_a_reader_that_has_had_enough_ends_the_command_without_a_word(
    northflank_simulator: Simulator, command: tuple[str, ...]
) -> None:
    environment = {**os.environ, **reaching(northflank_simulator)}
    process = subprocess.Popen([*COMMAND, *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    assert (process.stderr.read(), process.wait()) == (b"", 141)
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize("command", WRITING)
def test_a_result_that_cannot_be_written_is_one_line(northflank_simulator: Simulator, command: tuple[str, ...]) -> None:
    environment = {**os.environ, **reaching(northflank_simulator)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, *command], env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    says = "northflank-async: cannot write standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (8, says)


def test_an_interruption_before_any_request_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(context: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("northflank_async.cli.options.find_login", interrupted)
    result = run("list", "addons")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "northflank-async: interrupted\n")


def test_what_has_characters_of_all_the_world_is_written_as_it_is(tmp_path: Path) -> None:
    code = (
        "from northflank_async.cli.output import write_data\n"
        "for output in ('json', 'yaml', 'jsonl'): write_data({'name': 'Größe 日本 🙂 a: b', 'half': 'x'}, output)\n"
        "write_data({'half': '\\ud83d'}, 'json')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8")
    assert done.stdout.count("Größe 日本 🙂 a: b") == 3
    assert '"\\ud83d"' in done.stdout
