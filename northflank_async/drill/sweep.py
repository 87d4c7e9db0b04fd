"""What killed drills left: their addons are found by their marks, and removed."""

from collections.abc import Iterable
from datetime import UTC, datetime

from attrs import frozen

from northflank_async.drill.scratch import PREFIX, Mark, list_addons, remove_scratch
from northflank_async.errors import ConfigurationError, NotFound
from northflank_async.records import Addon, AddonStatus
from northflank_async.resources import AccountResource


@frozen(kw_only=True)
class Leftover:
    """An addon that a drill created.

    Args:
        project_id, addon_id: where it is.
        drill_id: the drill that created it.
        created_at: when.
        is_kept: the drill was told to keep it.
        may_be_running: the drill may still be running: its timeout has not passed.
    """

    project_id: str
    addon_id: str
    drill_id: str
    created_at: datetime
    is_kept: bool = False
    may_be_running: bool = False

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody wants it: its drill was killed."""
        return not (self.is_kept or self.may_be_running)


async def find_leftovers(account: AccountResource, project_ids: Iterable[str] | None = None) -> list[Leftover]:
    """Find the addons that drills created and did not remove, by their names and descriptions.

    Args:
        account: the client or team.
        project_ids: where to look; in every project by default.

    Raises:
        NorthflankError: the projects or addons cannot be listed.

    https://northflank.com/docs/v1/api/project/addons/list-addons
    """
    if project_ids is None:
        project_ids = [project.id async for project in account.projects()]
    found: list[Leftover] = []
    for project_id in project_ids:
        project = account.project(project_id)
        async for listed in list_addons(project):
            if not (listed.name or "").startswith(PREFIX) or Mark.of(listed) is None:
                continue
            try:
                addon = await project.addon(listed.id).get()  # only this says when it was created
            except NotFound:
                continue
            if (leftover := _leftover(project_id, addon)) is not None:
                found.append(leftover)
    return found


async def remove_leftover(account: AccountResource, leftover: Leftover) -> None:
    """Remove an addon that a drill created, after a second look at its mark.

    Args:
        account: the client or team in which it was found.
        leftover: the addon.

    Raises:
        ConfigurationError: it is not the drill's addon.
        NorthflankError: it cannot be removed.

    https://northflank.com/docs/v1/api/project/addons/delete-addon
    """
    addon = account.project(leftover.project_id).addon(leftover.addon_id)
    try:
        mark = Mark.of(await addon.get())
    except NotFound:
        return
    if mark is None or mark.id != leftover.drill_id:
        raise ConfigurationError(f"the addon {leftover.addon_id} does not have the mark of a drill: it is left alone")
    await remove_scratch(addon, mark, account.budget)


def _leftover(project_id: str, addon: Addon) -> Leftover | None:
    mark = Mark.of(addon)
    if mark is None or addon.status in (AddonStatus.DELETING, AddonStatus.DELETED):
        return None
    ends_at = mark.ends_at(addon.created_at)
    return Leftover(
        project_id=project_id,
        addon_id=addon.id,
        drill_id=mark.id,
        created_at=addon.created_at or mark.started_at,
        is_kept=ends_at is None,
        may_be_running=ends_at is not None and datetime.now(UTC) < ends_at,
    )
