"""The pytest fixture `northflank_simulator`.

pytest imports this module at the start of every run in an environment where the package is installed. It is therefore
outside the package, whose import takes time and, if it came before pytest-cov starts, would not be measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from northflank_async.simulator import Simulator


@pytest.fixture
def northflank_simulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A running simulator, with the environment set so that `Northflank()` connects to it.

    Pass arguments with `@pytest.mark.parametrize("northflank_simulator", [{"projects": 2}], indirect=True)`.
    """
    from northflank_async.simulator import Simulator
    from northflank_async.simulator.thread import running_in_thread

    with running_in_thread(Simulator(**getattr(request, "param", {}))) as simulator:
        monkeypatch.setenv("NORTHFLANK_API_TOKEN", simulator.token)
        monkeypatch.setenv("NORTHFLANK_API_BASE_URL", simulator.url)
        yield simulator
