"""Standard streams that are closed, full, broken, or of another encoding, and signals: one line, and an exit code."""

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from northflank_async import __version__
from northflank_async.simulator import Simulator
from tests.support.command import COMMAND, invoke, start_process
from tests.support.scripted_server import Responder, ScriptedServer, envelope

ADDON = ("--projectId", "billing", "--addonId", "billing-cache")
BACKUP = (*ADDON, "--backupId", "example")
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
ASCII = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "LC_ALL": "C"}


class Done(NamedTuple):
    code: int
    out: bytes
    err: str


def shell(redirections: str, *arguments: object, **environment: str) -> Done:
    """Run the command with a shell's redirections."""
    line = f"{shlex.join([*COMMAND, *map(str, arguments)])} {redirections}"
    done = subprocess.run(["sh", "-c", line], env={**os.environ, **environment}, capture_output=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr.decode())


RESULTS = [
    ("list", "projects"),
    ("list", "projects", "-o", "table"),
    ("get", "addon", "backups", *ADDON),
    ("backup", "addon", *ADDON),
    ("backup", "addon", *ADDON, "--wait"),
    ("export", "-"),
    ("plan",),
]


@pytest.mark.parametrize("command", RESULTS)
def test_a_result_without_a_standard_output_is_an_error_before_any_request(
    northflank_simulator: Simulator, command: tuple[str, ...]
) -> None:
    done = shell(">&-", *command)
    assert done == (8, b"", "northflank-async: cannot write standard output: it is closed\n")
    assert northflank_simulator.requests == []


@pytest.mark.parametrize("redirections", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("name", ["o.jsonl", "o.db"])
def test_a_file_is_exported_without_standard_streams(
    northflank_simulator: Simulator, tmp_path: Path, name: str, redirections: str
) -> None:
    done = shell(redirections, "export", tmp_path / name, "--project", "billing", "--verbose")
    assert done.code == 0
    assert "Traceback" not in done.err
    assert (tmp_path / name).stat().st_size > 10_000


@pytest.mark.parametrize(
    "redirections", ["2>&-", pytest.param("2>/dev/full", marks=FULL)], ids=["a closed one", "a full one"]
)
@pytest.mark.parametrize(
    ("arguments", "code"), [(("list", "projects", "--verbose"), 0), (("list", "nope"), 2), (("get", "auth", "-x"), 2)]
)
def test_standard_error_changes_neither_the_result_nor_the_exit_code(
    northflank_simulator: Simulator, arguments: tuple[str, ...], code: int, redirections: str
) -> None:
    done = shell(redirections, *arguments)
    assert (done.code, done.err) == (code, "")
    assert bool(done.out) == (code == 0)


@FULL
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_help_and_version_report_a_full_disk(option: str) -> None:
    message = "northflank-async: cannot write standard output: No space left on device\n"
    assert shell("> /dev/full", option) == (8, b"", message)


def test_a_closed_standard_input_is_not_a_terminal(northflank_simulator: Simulator) -> None:
    done = shell("<&-", "delete", "backup", *BACKUP)
    assert (done.code, "pass --yes" in done.err, northflank_simulator.requests) == (2, True, [])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_result_is_complete_in_every_encoding(
    serve_script: Callable[[Responder], ScriptedServer], encoding: str
) -> None:
    projects = [{"id": "p", "name": name, "description": "…"} for name in ("Łódź", "ó", "😀", "\ud800")]
    serve_script(lambda _: envelope({"projects": projects}, hasNextPage=False, count=4))
    done = shell("", "list", "projects", "-o", "json", PYTHONIOENCODING=encoding)
    assert (done.code, json.loads(done.out.decode(encoding))["projects"]) == (0, projects)
    done = shell("", "list", "projects", "-o", "jsonl", PYTHONIOENCODING=encoding)
    assert [json.loads(line) for line in done.out.decode(encoding).splitlines()] == projects
    del projects[-1]  # YAML has no half of a surrogate pair
    done = shell("", "list", "projects", "-o", "yaml", PYTHONIOENCODING=encoding)
    assert (done.code, yaml.safe_load(done.out.decode(encoding))["projects"]) == (0, projects)
    done = shell("", "list", "projects", "-o", "table", PYTHONIOENCODING=encoding)
    assert (done.code, done.err) == (0, "")
    shown = {"ascii": "\\u0141\\xf3d\\u017a", "latin-1": "\\u0141ód\\u017a", "utf-8": "Łódź"}
    assert shown[encoding] in done.out.decode(encoding)


def test_names_of_files_that_are_not_text_are_shown_and_written(
    northflank_simulator: Simulator, tmp_path: Path
) -> None:
    for environment in ({}, ASCII):
        path = os.fsencode(tmp_path) + b"/caf\xe9.jsonl"
        done = subprocess.run(
            [*COMMAND, "export", path], env={**os.environ, **environment}, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"3,000 backups of 20 addons in 5 projects written to ")
        os.unlink(path)  # noqa: PTH108


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("northflank_simulator", [{"latency": 0.02}], indirect=True)
def test_a_signal_that_was_ignored_at_the_start_stays_ignored(
    northflank_simulator: Simulator, tmp_path: Path, number: signal.Signals
) -> None:
    line = (
        f"trap '' {number.name.removeprefix('SIG')}; exec {shlex.join([*COMMAND, 'export', str(tmp_path / 'o.csv')])}"
    )
    with subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while len(northflank_simulator.requests) <= 10:
            time.sleep(0.001)
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.startswith("3,000 backups")


def test_the_simulator_keeps_ignoring_a_signal() -> None:
    line = f"trap '' TERM; exec {shlex.join([*COMMAND, 'simulate'])}"
    with subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.send_signal(signal.SIGINT)
        assert (process.communicate()[1], process.returncode) == ("", 0)


@pytest.mark.parametrize("northflank_simulator", [{"latency": 0.02}], indirect=True)
def test_several_interruptions_are_one_line(northflank_simulator: Simulator, tmp_path: Path) -> None:
    with start_process("export", tmp_path / "o.jsonl") as process:
        while len(northflank_simulator.requests) <= 10:
            time.sleep(0.001)
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        _, err = process.communicate()
    assert process.returncode in (130, -signal.SIGINT)  # a shell reports both as 130
    state = "northflank-async: interrupted; run the same command to resume\n"
    assert err in (INTERRUPTED, state, state + INTERRUPTED)


def is_open(path: Path, pid: int) -> bool:
    """Whether a process has opened a file."""
    with suppress(OSError):
        return any(descriptor.samefile(path) for descriptor in Path(f"/proc/{pid}/fd").iterdir())
    return False


INTERRUPTED = "northflank-async: interrupted\n"


def run_python(code: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_an_interruption_while_the_command_line_is_imported_is_one_line() -> None:
    assert run_python(
        "import northflank_async_cli, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(*arguments): signal.raise_signal(signal.SIGINT)\n"
        "assert 'northflank_async' not in sys.modules\n"
        "sys.meta_path.insert(0, Interrupt)\n"
        "northflank_async_cli.main()"
    ) == (130, "", INTERRUPTED)


def test_an_interruption_while_python_ends_is_one_line() -> None:
    assert run_python(
        "import atexit, northflank_async_cli, signal, sys\n"
        "atexit.register(signal.raise_signal, signal.SIGINT)\n"
        "sys.argv[1:] = ['--version']\n"
        "northflank_async_cli.main()"
    ) == (130, f"northflank-async, version {__version__}\n", INTERRUPTED)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs to see open files")
@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_conversion_that_is_ended_leaves_nothing_behind(
    northflank_simulator: Simulator, tmp_path: Path, number: signal.Signals, code: int, word: str
) -> None:
    source = tmp_path / "inventory.db"
    invoke("export", source, "--project", "billing")
    other = sqlite3.connect(source, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    target = tmp_path / "o.csv"
    with start_process("convert", source, target) as process:
        while not is_open(source, process.pid):
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate()
    other.close()
    assert (process.returncode, out, err) == (code, "", f"northflank-async: {word}\n")
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name or path == target] == []
