import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.fake_account import FakeAccount
from tests.support.scripted_server import Responder, ScriptedServer, serve
from tests.support.threads import in_thread


@pytest.fixture(autouse=True)
def _no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.devnull)


@pytest.fixture
def serve_script(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Responder], ScriptedServer]]:
    """Serve scripted responses, with the environment set so that commands reach the server."""
    with ExitStack() as stack:

        def start(respond: Responder) -> ScriptedServer:
            server = stack.enter_context(in_thread(serve(respond)))
            _reach(server.url, monkeypatch)
            return server

        yield start


@pytest.fixture
def serve_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[FakeAccount], None]]:
    """Serve an account, with the environment set so that commands reach it."""
    with ExitStack() as stack:
        yield lambda account: _reach(stack.enter_context(in_thread(account.serve())).base_url, monkeypatch)


def _reach(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORTHFLANK_API_TOKEN", "token")
    monkeypatch.setenv("NORTHFLANK_API_BASE_URL", url)
