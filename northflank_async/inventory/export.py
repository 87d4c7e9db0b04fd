"""The backup inventory of many projects, as a file."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from attrs import Factory, define, frozen

from northflank_async.errors import ConfigurationError, DecodeError, printable
from northflank_async.inventory.whole_file import whole_file
from northflank_async.paging import Paginator
from northflank_async.protocol import segment
from northflank_async.records import Addon, Backup, Project, structure
from northflank_async.resources import Account, AddonResource

R = TypeVar("R", Project, Addon, Backup)

_SHOWN = 60
"""Characters of an unreadable record's id that are shown."""


@define(kw_only=True)
class Export:
    """How far an export is, and what came of it. `unreadable` names the records that are not as documented."""

    projects: int = 0
    addons: int = 0
    addons_done: int = 0
    backups: int = 0
    unreadable: list[str] = Factory(list)


@frozen(kw_only=True)
class _Target:
    """An addon whose backups are exported, with what its lines begin with."""

    line: dict[str, Any]
    resource: AddonResource


async def export(
    account: Account,
    path: Path,
    *,
    projects: Iterable[str] | None = None,
    on_progress: Callable[[Export], None] = lambda _: None,
) -> Export:
    """Write every backup as a line of JSON: `project`, `addon`, `addonType`, and `backup` as the API sent it.

    Args:
        account: the client, or one of its teams.
        path: the file, which appears whole or not at all.
        projects: ids; every project that the token can see if left out.
        on_progress: called after each page.

    Raises:
        OSError: the file cannot be written.
        NorthflankError: a request failed. A record that is not as documented is no error: it is written as it came,
            and named in `unreadable`.
    """
    state = Export()
    with whole_file(path) as file:
        targets = await _find_targets(account, projects, state)
        state.addons = len(targets)
        for target in targets:
            on_progress(state)
            where = f"{target.line['project']}/{target.line['addon']}"
            async for page in target.resource.backups().raw().pages():
                for index, backup in enumerate(page.items):
                    _read(backup, Backup, f"data.backups[{index}]", where, state)
                    file.write(json.dumps({**target.line, "backup": backup}, ensure_ascii=False) + "\n")
                state.backups += len(page.items)
                on_progress(state)
            state.addons_done += 1
        on_progress(state)
    return state


async def _find_targets(account: Account, projects: Iterable[str] | None, state: Export) -> list[_Target]:
    if projects is None:
        listed = await _read_all(account.projects(), Project, "projects", "the account", state)
        projects = [project.id for project in listed]
    targets = []
    for project_id in dict.fromkeys(projects):
        project = account.project(project_id)
        for addon in await _read_all(project.addons(), Addon, "addons", project_id, state):
            line = {"project": project_id, "addon": addon.id, "addonType": addon.spec and addon.spec.type}
            targets.append(_Target(line=line, resource=project.addon(addon.id)))
        state.projects += 1
    return targets


async def _read_all(paginator: Paginator[R], record: type[R], name: str, where: str, state: Export) -> list[R]:
    """The records of a listing, less those that cannot be read."""
    return [
        item
        async for page in paginator.raw().pages()
        for index, raw in enumerate(page.items)
        if (item := _read(raw, record, f"data.{name}[{index}]", where, state)) is not None
    ]


def _read(raw: Any, record: type[R], place: str, where: str, state: Export) -> R | None:
    try:
        item = structure(raw, record, place)
        if record is not Backup:
            segment(f"{place}.id", item.id)  # it becomes part of a path
    except (DecodeError, ConfigurationError) as error:
        name = raw.get("id") if isinstance(raw, dict) else None
        shown = printable(name[:_SHOWN]) if isinstance(name, str) else "no id"
        state.unreadable.append(f"{where}: {shown}: {error}")
        return None
    return item
