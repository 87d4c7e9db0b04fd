"""Functions that are called back: an async one would never be awaited, so it is refused before a request is sent."""

import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from northflank_async import ConfigurationError, Northflank
from northflank_async.inventory import Inventory
from northflank_async.inventory.export import export
from northflank_async.inventory.stream import stream
from tests.support.fake_account import FakeAccount, backups


async def is_never_awaited(*_: object) -> None: ...


class AsyncCallable:
    async def __call__(self, *_: object) -> None: ...


async def sync(nf: Northflank, path: Path, **callbacks: Any) -> object:
    async with Inventory(path / "inventory.db") as inventory:
        return await inventory.sync(nf, **callbacks)


async def export_stored(nf: Northflank, path: Path, **callbacks: Any) -> object:
    async with Inventory(path / "inventory.db") as inventory:
        return await inventory.export(path / "out.csv", **callbacks)


CALLS: dict[tuple[str, str], Callable[..., Awaitable[object]]] = {
    ("export to a file", "on_start"): lambda nf, path, **given: export(str(path / "out.csv"), nf, **given),
    ("export to a database", "on_start"): lambda nf, path, **given: export(str(path / "out.db"), nf, **given),
    ("export to a file", "on_unwritten"): lambda nf, path, **given: export(str(path / "out.csv"), nf, **given),
    ("sync", "on_start"): sync,
    ("stream", "on_start"): lambda nf, path, **given: stream(io.BytesIO(), nf, **given),
    ("export of an inventory", "on_unwritten"): export_stored,
    ("export of an inventory", "matches"): export_stored,
}


@pytest.mark.parametrize(
    "callback", [is_never_awaited, AsyncCallable(), 7], ids=["async def", "async object", "number"]
)
@pytest.mark.parametrize(("call", "name"), CALLS)
async def test_an_async_callback_is_refused_before_anything_is_sent(
    call: str, name: str, callback: Any, tmp_path: Path
) -> None:
    account = FakeAccount({"p/a": backups(1)})
    async with account.serve() as nf:
        with pytest.raises(ConfigurationError, match=f"^{name} must be a "):
            await CALLS[call, name](nf, tmp_path, **{name: callback})
        assert nf.budget.spent == 0


@pytest.mark.parametrize("call", [sync, CALLS["stream", "on_start"]])
async def test_a_callback_that_returns_a_coroutine_is_an_error(
    call: Callable[..., Awaitable[object]], tmp_path: Path
) -> None:
    async with FakeAccount({"p/a": backups(1)}).serve() as nf:
        with pytest.raises(ConfigurationError, match=r"^on_start must be a plain function"):
            await call(nf, tmp_path, on_start=lambda *_: is_never_awaited())


async def test_a_condition_that_returns_a_coroutine_is_an_error(tmp_path: Path) -> None:
    async with FakeAccount({"p/a": backups(1)}).serve() as nf:
        await sync(nf, tmp_path)
        with pytest.raises(ConfigurationError, match=r"^matches must be a plain function"):
            await export_stored(nf, tmp_path, matches=lambda _: is_never_awaited())
    assert not (tmp_path / "out.csv").exists()
