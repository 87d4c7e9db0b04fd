"""The addon that a drill creates: its mark, how it is found again, and how it is removed for certain."""

import re
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Self

from attrs import field, frozen

from northflank_async.errors import (
    AuthenticationError,
    ConfigurationError,
    NorthflankError,
    NotFound,
    PermissionDenied,
    RateLimited,
)
from northflank_async.http.budget import Budget
from northflank_async.records import Addon, AddonStatus
from northflank_async.resources import AddonResource, ProjectResource

PREFIX = "restore-drill-"

_ID = "[0-9a-f]{16}"
_DESCRIPTION = re.compile(
    rf"Restore drill of northflank-async: ({_ID}), started ([0-9TZ:-]{{20}}), (timeout ([0-9]{{1,9}}) s|kept)\."
)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_GRACE = timedelta(minutes=15)
"""After the timeout of a drill, for the removal of its addon, and for clocks that differ."""
_APPEARANCE = 30.0
"""Seconds within which a new addon appears everywhere."""
_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts."""


@frozen(kw_only=True)
class Mark:
    """What shows that a drill created an addon: its name, and a description that repeats the random part of the name.

    Args:
        id: the drill's id.
        started_at: when it started, in whole seconds.
        timeout: its timeout in seconds; `None` if it keeps its addon.
    """

    id: str = field(factory=lambda: secrets.token_hex(8))
    started_at: datetime
    timeout: float | None

    @classmethod
    def of(cls, addon: Addon) -> Self | None:
        """Read the mark of an addon; `None` if no drill created it."""
        found = _DESCRIPTION.fullmatch(addon.description or "")
        if found is None or addon.name != PREFIX + found[1]:
            return None
        try:
            started_at = datetime.strptime(found[2], _TIME).replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(id=found[1], started_at=started_at, timeout=float(found[4]) if found[4] else None)

    @property
    def name(self) -> str:
        """The name of the addon."""
        return PREFIX + self.id

    @property
    def description(self) -> str:
        """The description of the addon."""
        lasting = "kept" if self.timeout is None else f"timeout {round(self.timeout + 0.5)} s"
        started = self.started_at.astimezone(UTC).strftime(_TIME)
        return f"Restore drill of northflank-async: {self.id}, started {started}, {lasting}."

    def ends_at(self, created_at: datetime | None) -> datetime | None:
        """The time after which the drill cannot be running any more; `None` if it keeps its addon."""
        if self.timeout is None:
            return None
        return max(created_at or self.started_at, self.started_at) + timedelta(seconds=self.timeout) + _GRACE


async def list_addons(project: ProjectResource) -> AsyncIterator[Addon]:
    """List the addons of a project, except malformed ones.

    Raises:
        NorthflankError: a page cannot be read.
    """
    async for page in project.addons().pages():
        for addon in page.read():
            if isinstance(addon, Addon):
                yield addon


async def find_scratch(project: ProjectResource, mark: Mark, budget: Budget) -> Addon | None:
    """Find the addon of a drill whose creation was not confirmed; it may take half a minute to appear.

    Raises:
        NorthflankError: the addons of the project cannot be listed.
    """
    for pause in (*_PAUSES, None):
        async for addon in list_addons(project):
            if addon.name == mark.name:
                return addon
        if pause is not None:
            await budget.sleep(pause)
    return None


async def remove_scratch(addon: AddonResource, mark: Mark, budget: Budget, *, is_new: bool = False) -> None:
    """Delete the addon of a drill, until it is certain that it was deleted.

    Args:
        addon: the addon, which is left alone if it does not have the name of the drill's.
        mark: of the drill.
        budget: the client's.
        is_new: it was just created, so that it may be missing for half a minute.

    Raises:
        ConfigurationError: it is another addon.
        NorthflankError: it cannot be deleted.
    """
    began = budget.time()
    pauses = iter(_PAUSES)
    while True:
        try:
            found = await addon.get()
            if found.name != mark.name:
                raise ConfigurationError(f"the addon {found.id} is not that of the drill {mark.id}: it is left alone")
            if found.status in (AddonStatus.DELETING, AddonStatus.DELETED):
                return
            await addon.delete()
            return
        except NotFound:
            if not is_new or budget.time() - began >= _APPEARANCE:
                return
            pause = _PAUSES[1]
        except (AuthenticationError, ConfigurationError, PermissionDenied):
            raise
        except NorthflankError as error:
            reset_after = error.reset_after if isinstance(error, RateLimited) else None
            if reset_after is None and (reset_after := next(pauses, None)) is None:
                raise
            pause = reset_after
        await budget.sleep(pause)
