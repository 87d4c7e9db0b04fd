"""Tables."""

import re
from datetime import timedelta

import pytest

from northflank_async.cli.columns import age, destinations, print_items, size, status, text, time, weekdays
from northflank_async.simulator import Simulator
from tests.cli.test_output import ADDON, BACKUP, LISTINGS, output
from tests.support.command import invoke_json
from tests.support.terminal import run_at_terminal


def test_a_backup_is_a_table_with_a_line_for_each_value(northflank_simulator: Simulator) -> None:
    shown = output("get", "addon", "backup", *BACKUP, "-o", "table").splitlines()
    lines = [re.split("  +", line.strip()) for line in shown]
    assert lines[:2] == [["ID", "billing-cache-20261017-210"], ["Status", "completed"]]
    assert {"Created", "Completed", "Size", "Addon version", "Last restore"} < {line[0] for line in lines}


def test_a_table_at_a_terminal_has_colors_and_the_width_of_the_terminal(northflank_simulator: Simulator) -> None:
    command = ("get", "addon", "backups", *ADDON, "--per_page", "3")
    shown = run_at_terminal(*command, COLUMNS="80", TZ="Asia/Tokyo")
    assert shown.code == 0
    assert "\x1b[32mcompleted\x1b[0m" in shown.text
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in shown.text.splitlines()]
    assert plain[0].split() == ["ID", "Status", "Created", "Size", "Source"]
    assert any(line.startswith("billing-cache-20261031-224  completed  2026-10-31 17:05") for line in plain)
    assert plain[-1].startswith("northflank-async: there are more pages: continue with --cursor ")
    assert all(len(line) <= 80 for line in plain[:-1])


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize(("command", "key"), LISTINGS)
def test_no_id_status_or_date_wraps_at_any_width(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], key: str, width: int
) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", width)
    shown = output(*command, "-o", "table", "--loadAll")
    assert all(len(line) <= width for line in shown.splitlines())
    for item in invoke_json(*command)[key]:
        whole = [item[name] for name in ("id", "status", "backupId") if name in item]
        whole += [time(item[name]).plain[:16] for name in ("restoreTimestamp", "updatedAt") if name in item]
        assert [text for text in whole if text not in shown] == []


def test_rows_that_do_not_fit_become_paragraphs_and_long_texts_wrap(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", 80)
    first, second, *_ = output("get", "addon", "restores", *ADDON, "-o", "table").split("\n\n")
    assert [line.split()[0] for line in first.splitlines()] == ["ID", "Status", "Started", "Backup"]
    assert [line.split()[0] for line in second.splitlines()] == ["ID", "Status", "Started", "Completed", "Backup"]
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


def test_a_date_does_not_wrap_beside_long_texts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", 89)
    destinations = [{"destinationId": f"far-away-{number}"} for number in range(3)]
    item = {"id": "a-schedule", "backupType": "snapshot", "updatedAt": "2026-11-01T12:00:00Z"}
    texts = {"additionalDestinations": destinations, "customDestinationId": "another-bucket"}
    print_items([{**item, **texts}], "schedules")
    assert time(item["updatedAt"]).plain[:16] in capsys.readouterr().out


def test_an_empty_listing_is_a_table_with_none(northflank_simulator: Simulator) -> None:
    assert output("list", "projects", "--page", "99", "-o", "table") == "none\n"


def test_a_cell_cannot_control_the_terminal() -> None:
    assert text("\x1b[2J\n").plain == "\\x1b[2J\\n"
    assert status("\x1b[2J").plain == "\\x1b[2J"


def test_a_value_of_an_unexpected_type_is_shown_as_it_is() -> None:
    assert [size(value).plain for value in ("1504837", 0, None, "many")] == ["1.5 MB", "0 bytes", "", "many"]
    assert [weekdays(value).plain for value in ([0, 6], None, [9])] == ["Mon, Sun", "", "9"]
    assert [time(value).plain for value in (None, "soon", 7)] == ["", "soon", "7"]
    assert destinations([{"destinationId": "a"}, {"destinationId": "b"}]).plain == "a, b"
    assert destinations([7]).plain == "7"
