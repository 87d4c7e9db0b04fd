"""`simulate`."""

import signal

import pytest

from northflank_async import Northflank
from northflank_async.simulator import Simulator
from tests.support.command import invoke, start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_simulate_prints_its_url_first_and_serves_until_it_is_stopped(number: signal.Signals) -> None:
    process = await start(
        "simulate", "--token", "a-token", "--projects", "2", "--rate-limit", "50", "--speed", "60",
        "--faults", "seed=1,runs=0.5",
    )  # fmt: skip
    assert process.stdout
    try:
        url = (await process.stdout.readline()).decode().strip()
        assert await process.stdout.readline() == b"export NORTHFLANK_API_TOKEN=a-token\n"
        assert (await process.stdout.readline()).decode() == f"export NORTHFLANK_API_BASE_URL={url}\n"
        async with Northflank("a-token", base_url=url) as nf:
            assert len((await nf.projects()).items) == 2
            assert nf.rate_limit
            assert nf.rate_limit.limit == 50
    finally:
        process.send_signal(number)
        _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize(
    "arguments", [["--window", "0"], ["--faults", "gremlins=1"], ["--port", "x"], ["--speed", "-1"]]
)
def test_simulate_refuses_bad_arguments(arguments: list[str]) -> None:
    result = invoke("simulate", *arguments)
    assert result.exit_code == 2
    assert "Error" in result.stderr


def test_a_port_in_use_is_one_line(northflank_simulator: Simulator) -> None:
    result = invoke("simulate", "--port", northflank_simulator.url.rsplit(":", 1)[1])
    assert result.exit_code == 3
    assert "cannot listen on port" in result.stderr
    assert result.stderr.count("\n") == 1
