"""The logs of dumps and their restores."""

import itertools
import re
from typing import Any

import pytest

from tests.support.simulated_api import BACKUPS, Api, simulated_api

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def forward(api: Api, path: str, **query: Any) -> list[dict[str, str]]:
    lines: list[dict[str, str]] = await api.get(f"{path}/logs", direction="forward", **query)
    return lines


@pytest.mark.parametrize("kind", ["backup", "restore"])
async def test_logs_grow_until_the_run_ends(kind: str) -> None:
    async with simulated_api() as api:
        if kind == "backup":
            path = f"{BACKUPS}/{(await api.data('POST', BACKUPS, {'backupType': 'dump'}))['id']}"
        else:
            dump = await api.dump()
            path = f"{dump}/restores/{(await api.data('POST', f'{dump}/restore'))['restoreId']}"
        seen = []
        for seconds in (0, 4, 4, 20, 60):
            api.advance(seconds)
            seen.append(await forward(api, path))
    assert seen[0] == []
    assert len(seen[1]) < len(seen[2]) < len(seen[3])
    for earlier, later in itertools.pairwise(seen):
        assert later[: len(earlier)] == earlier
    assert seen[3] == seen[4]
    assert "Finished" in seen[4][-1]["log"]
    times = [line["ts"] for line in seen[4]]
    assert times == sorted(times)
    assert all(TIME.fullmatch(time) for time in times)
    assert len({line["containerId"] for line in seen[4]}) == 1


async def test_an_aborted_run_keeps_its_log_lines() -> None:
    async with simulated_api() as api:
        path = f"{BACKUPS}/{(await api.data('POST', BACKUPS, {'backupType': 'dump'}))['id']}"
        api.advance(6)
        before = await forward(api, path)
        await api.data("POST", f"{path}/abort")
        api.advance(60)
        after = await forward(api, path)
    assert after[: len(before)] == before
    assert after[-1]["log"].endswith("aborted")
    assert len(after) < 20


async def test_snapshots_have_no_logs() -> None:
    async with simulated_api() as api:
        restore_id = (await api.data("POST", f"{BACKUPS}/example-backup/restore"))["restoreId"]
        api.advance(20)
        assert await api.get(f"{BACKUPS}/example-backup/logs") == []
        assert await api.get(f"{BACKUPS}/example-backup/restores/{restore_id}/logs") == []
        await api.error(404, "GET", f"{BACKUPS}/example-backup/restores/nothing/logs")


async def test_computed_dumps_have_logs_too() -> None:
    async with simulated_api() as api:
        dump = next(b for b in await api.all(BACKUPS, "backups") if b["config"]["source"]["type"] != "snapshot")
        lines = await forward(api, f"{BACKUPS}/{dump['id']}")
    assert dump["createdAt"] == lines[0]["ts"]
    assert dump["completedAt"] == lines[-1]["ts"]


async def test_logs_can_be_filtered() -> None:
    async with simulated_api() as api:
        path = await api.dump()
        everything = await forward(api, path)
        start, end = everything[5]["ts"], everything[9]["ts"]
        assert await api.get(f"{path}/logs") == everything[::-1]
        assert await forward(api, path, lineLimit=3) == everything[:3]
        assert await api.get(f"{path}/logs", lineLimit=3) == everything[:-4:-1]
        assert await forward(api, path, startTime=start) == everything[5:]
        assert await forward(api, path, endTime=end, queryType="range") == everything[:10]
        assert await forward(api, path, startTime=start, endTime=end) == everything[5:10]
        assert await forward(api, path, startTime=everything[0]["ts"], duration=60) == everything
        assert await forward(api, path, endTime="2026-11-01T12:00:00+00:00", duration=3600) == []
        assert await forward(api, path, textIncludes="50 %") == [line for line in everything if "50 %" in line["log"]]
        assert len(await forward(api, path, textNotIncludes="%")) == 2
        assert len(await forward(api, path, regexIncludes=r": [12]\d %$")) == 4
        assert len(await forward(api, path, regexNotIncludes=r"\d %$")) == 2
        assert len(await forward(api, path, regexIncludes=r"5 %$", textNotIncludes=": 5 %")) == 9
        assert await forward(api, path, containerName=everything[0]["containerId"]) == everything
        assert await forward(api, path, containerName="another") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"direction": "sideways"}, "direction"),
        ({"queryType": "tail"}, "queryType"),
        ({"startTime": "yesterday"}, "startTime"),
        ({"endTime": "2026-13-01T00:00:00Z"}, "endTime"),
        ({"duration": "0"}, "duration"),
        ({"duration": "1.5"}, "duration"),
        ({"startTime": "2026-11-01", "endTime": "2026-11-02", "duration": "5"}, "duration"),
        ({"lineLimit": "many"}, "lineLimit"),
        ({"lineLimit": "-1"}, "lineLimit"),
        ({"regexIncludes": "("}, "regexIncludes"),
        ({"regexNotIncludes": "["}, "regexNotIncludes"),
    ],
)
async def test_an_invalid_query_is_a_400_that_names_the_parameter(query: dict[str, str], field: str) -> None:
    async with simulated_api() as api:
        assert list((await api.error(400, "GET", f"{BACKUPS}/example-backup/logs", **query))["details"]) == [field]
