"""The names in a query: a typo must not be taken for an empty result."""

from collections.abc import Collection, Iterable
from typing import Any

from attrs import Factory, define, evolve

from northflank_async.errors import (
    NorthflankError,
    NotFound,
    UnknownName,
)
from northflank_async.inventory.crawl import (
    Accounts,
    Crawler,
    FailureCollector,
    FetchedPage,
    Handled,
    Kind,
    Tree,
    ends_reading,
)
from northflank_async.inventory.query import Query
from northflank_async.resources import AccountResource
from northflank_async.validation import did_you_mean

_MAX_LISTED = 20
"""Names that a message lists."""
_CONCURRENCY = 4
"""Few requests at a time, because most types are found with the first."""


async def check_names(*queries: Query | AccountResource) -> None:
    """Check that the projects and the addon types of queries exist.

    Projects are listed until all are found, and addons until all types are. What cannot be read is not judged. A name
    that is wanted of several clients has to exist for one of them.

    Raises:
        UnknownName: one does not exist; the message suggests the most similar one.
        NorthflankError: nothing can be read, by any of the clients.
    """
    named = [query for query in Query.of_each_client(queries) if query.projects or query.addon_types]
    if not named:
        return
    found: dict[tuple[Any, Any], list[_Names]] = {}

    async def find(index: int, query: Query) -> None:
        names = _Names()
        found.setdefault((query.projects, query.addon_types), []).append(names)
        await _find_missing_projects(query, names)
        await _find_missing_types(query, names)

    await Accounts(named, _CONCURRENCY).run(find)
    for (projects, addon_types), every in found.items():
        for name in projects or ():
            if all(name in names.missing_projects for names in every):
                check_known("project", [name], set[str]().union(*(names.projects for names in every)))
        for name in sorted(addon_types):
            if all(name in names.missing_types for names in every):
                check_known("addon of type", [name], set[str]().union(*(names.types for names in every)))


@define
class _Names:
    """The names that a client has and those that it has not, as far as that could be found out."""

    projects: set[str] = Factory(set)
    missing_projects: set[str] = Factory(set)
    types: set[str] = Factory(set)
    missing_types: set[str] = Factory(set)


def check_known(noun: str, wanted: Iterable[str], known: Collection[str]) -> None:
    """Check names against those that exist.

    Raises:
        UnknownName: one does not exist.
    """
    for name in wanted:
        if name not in known:
            listed = ", ".join(sorted(known)[:_MAX_LISTED]) or "none"
            more = f" and {len(known) - _MAX_LISTED:,} more" if len(known) > _MAX_LISTED else ""
            raise UnknownName(f"there is no {noun} {name!r}; there are: {listed}{more}.{did_you_mean(name, known)}")


async def _find_missing_projects(query: Query, names: _Names) -> None:
    unknown = set(query.projects or ())
    for account in query.accounts if unknown else ():
        missing, listed = await _find_projects(account, query.projects or ())
        unknown &= missing
        names.projects |= listed
    names.missing_projects = unknown


async def _find_projects(account: AccountResource, wanted: Collection[str]) -> tuple[set[str], set[str]]:
    """Return which of the wanted projects do not exist, and those that were listed meanwhile."""
    missing, listed = set(wanted), set[str]()
    try:
        async for raw in account.projects().raw():
            listed.add(str(raw.get("id")) if isinstance(raw, dict) else "")
            missing -= listed
            if not missing:
                break
        for project_id in sorted(missing):  # a listing may omit what can be read all the same
            try:
                await account.project(project_id).get()
            except NotFound:
                continue
            missing.discard(project_id)
    except NorthflankError as error:
        if ends_reading(error, account):
            raise
        return set(), listed
    return missing, listed


async def _find_missing_types(query: Query, names: _Names) -> None:
    if not query.addon_types:
        return
    collector = _TypeCollector(query.addon_types)
    crawler = Crawler(Tree(evolve(query, addon_types=()), of_each_addon=()), collector, concurrency=_CONCURRENCY)
    try:
        await crawler.run()
    except _AllFound:
        return
    names.types = collector.types
    if not collector.failures:
        names.missing_types = set(query.addon_types) - collector.types


class _AllFound(Exception):
    """All types are found: ends the crawl."""


class _TypeCollector(FailureCollector):
    """Collects the types of addons until it has all that are wanted."""

    def __init__(self, wanted: Collection[str]) -> None:
        super().__init__()
        self.types: set[str] = set()
        self._wanted = set(wanted)

    async def handle_page(self, page: FetchedPage) -> Handled:
        parsed = page.parse()
        for _, row in self.new_items(parsed):
            if parsed.listing.kind is Kind.ADDONS and row.values.get("type") is not None:
                self.types.add(row.values["type"])
        if self._wanted <= self.types:
            raise _AllFound
        return Handled(parsed.children)
