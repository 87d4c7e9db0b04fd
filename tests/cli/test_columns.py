"""Tables."""

import re
from datetime import timedelta

import pytest

from northflank_async.cli.columns import TABLES, age, destinations, print_items, size, status, text, time, weekdays
from northflank_async.simulator import Simulator
from tests.cli.test_output import ADDON, BACKUP, LISTINGS, output
from tests.support.command import invoke, invoke_json
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


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 100, 200])
@pytest.mark.parametrize(("command", "key"), LISTINGS)
def test_no_id_status_or_date_wraps_at_any_width(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], key: str, width: int
) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", width)
    result = invoke(*command, "-o", "table", "--loadAll")
    assert result.exit_code == 0
    omitted = result.stderr.partition("not shown: ")[2].partition(";")[0].split(", ")
    assert width < 40 or all(len(line) <= width for line in result.stdout.splitlines())
    for item in invoke_json(*command)[key]:
        whole = [item[name] for name in ("id", "status") if name in item]
        whole += [item["backupId"]] if "backupId" in item and "Backup" not in omitted else []
        for column in TABLES[key]:
            if column.show is time and column.rank and column.title not in omitted and column.path in item:
                whole.append(time(item[column.path]).plain[:16])
        assert [text for text in whole if text not in result.stdout] == []


@pytest.mark.parametrize(
    ("command", "width", "titles", "omitted"),
    [
        ("backups", 200, "ID Status Created Size Source", None),
        ("backups", 83, "ID Status Created Size Source", None),
        ("backups", 80, "ID Status Created Size", "Source"),
        ("backups", 60, "ID Status Created", "Size, Source"),
        ("backups", 41, "ID Status", "Created, Size, Source"),
        ("restores", 103, "ID Status Started Completed Backup", None),
        ("restores", 85, "ID Status Started Backup", "Completed"),
        ("restores", 80, "ID Status Started", "Completed, Backup"),
        ("restores", 40, "ID Status", "Started, Completed, Backup"),
    ],
)
def test_the_least_important_columns_are_omitted_and_named(
    northflank_simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    width: int,
    titles: str,
    omitted: str | None,
) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", width)
    arguments = ("get", "addon", command, *ADDON, "-o", "table", "--loadAll")
    result = invoke(*arguments)
    lines = result.stdout.splitlines()
    assert lines[0].split() == titles.split()
    assert len({len(line) for line in lines}) == 1
    hint = f"northflank-async: not shown: {omitted}; use a wider terminal, or --output json\n"
    assert result.stderr == (hint if omitted else "")
    assert invoke(*arguments, "--quiet").stderr == ""


def test_times_lose_their_ages_before_columns_are_omitted(
    northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("get", "addon", "backups", *ADDON, "-o", "table", "--per_page", "3")
    assert re.search(r" \(\d+ \w+ ago\) ", output(*command).splitlines()[1])
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", 80)
    assert re.search(r" \d\d:\d\d  +0 bytes", output(*command).splitlines()[1])


def test_long_texts_wrap(northflank_simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", 80)
    table = output("list", "addons", "--project", "default-project", "-o", "table").splitlines()
    assert table[1].endswith("Example Addon   The mongodb of   ")
    assert table[2].strip() == "Default Project"


def test_ids_that_do_not_fit_make_paragraphs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("northflank_async.cli.columns._WIDEST", 40)
    long_id = "0f5a2c1e-7b86-4d43-9b2f-3c1de2a4b5c6"
    source = {"config": {"source": {"type": "made of several long words that wrap"}}}
    assert (
        print_items([{"id": long_id, "status": "completed", **source}, {"id": "b", "status": "failed"}], "backups")
        == []
    )
    assert capsys.readouterr().out == (
        f"ID {long_id}\nStatus  completed\nSource  made of several long words that \n        wrap\n\n"
        "ID      b\nStatus  failed\n"
    )


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
