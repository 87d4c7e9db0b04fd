"""Accounts of any shape for `FakeAccount`, as trees of pages."""

from typing import Any, TypeAlias

from northflank_async.inventory import Found, Scan
from tests.support.fake_account import FakeAccount
from tests.support.scripted_server import backup

Tree: TypeAlias = list[dict[str, list[dict[str, int]]]]
"""Pages of projects, each with its pages of addons, each with the number of its pages of backups."""


def pages_of(tree: Tree) -> dict[str, list[list[Any]]]:
    """The pages of all listings, for `FakeAccount.pages`. Each backup's id is the name of its page."""
    pages: dict[str, list[list[Any]]] = {"": [[{"id": project} for project in projects] for projects in tree]}
    for project, pages_of_addons in [item for projects in tree for item in projects.items()]:
        pages[project] = [[{"id": addon} for addon in addons] for addons in pages_of_addons]
        for addon, count in [item for addons in pages_of_addons for item in addons.items()]:
            place = f"{project}/{addon}"
            pages[place] = [[{**backup(0), "id": f"{place}#{index}"}] for index in range(count)] or [[]]
    return pages


def page_names(tree: Tree) -> list[str]:
    return [f"{place}#{number}" for place, pages in pages_of(tree).items() for number in range(len(pages))]


def backups_of(tree: Tree) -> list[str]:
    return [item["id"] for place, pages in pages_of(tree).items() if "/" in place for page in pages for item in page]


def fake_account(tree: Tree, **options: Any) -> FakeAccount:
    return FakeAccount(pages=pages_of(tree), **options)


def one_project(addons: int, pages: int = 1) -> Tree:
    return [{"p": [{f"a{number}": pages for number in range(1, addons + 1)}]}]


async def read_all(scan: Scan) -> list[Found]:
    return [found async for found in scan]


async def read_ids(scan: Scan, into: list[str] | None = None) -> list[str]:
    """The ids of the backups that a scan finds, which are also in `into` if it fails."""
    ids = [] if into is None else into
    async for found in scan:
        ids.append(found.backup.id)
    return ids
