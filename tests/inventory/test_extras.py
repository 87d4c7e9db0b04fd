"""What needs an optional package, and what does not."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.support.command import run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "target", "extra"),
    [
        ("sqlalchemy", "x.db", "sql"),
        ("filelock", "x.csv", "sql"),
        ("psycopg", "postgresql://u@127.0.0.1:1/x", "postgres"),
        ("pyarrow", "x.parquet", "parquet"),
    ],
)
async def test_a_missing_package_is_reported_with_the_extra_to_install(
    tmp_path: Path, missing: str, target: str, extra: str
) -> None:
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')")
    path = f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"
    place = target if "://" in target else str(tmp_path / target)
    code, out, err = await run("export", "--simulate", place, PYTHONPATH=path)
    assert (code, out) == (3, "")
    assert err == f"northflank-async: {missing} is missing: pip install 'northflank-async[{extra}]'\n"


@pytest.mark.slow
async def test_scans_and_plans_need_no_extra(tmp_path: Path) -> None:
    for missing in ("sqlalchemy", "filelock", "pyarrow", "click", "rich"):
        (tmp_path / f"{missing}.py").write_text("raise ModuleNotFoundError")
    program = """
import asyncio
from northflank_async import Northflank
from northflank_async.inventory import Scan
from northflank_async.simulator import Simulator

async def main():
    async with Simulator() as sim, Northflank(sim.token, base_url=sim.url) as nf, nf.scan() as scan:
        print(len([found async for found in scan]), (await nf.plan()).addons)

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", program,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert (await process.communicate())[0] == b"3000 20\n"
