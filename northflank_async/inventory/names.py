"""The names in a query: a typo must not be taken for an empty result."""

from collections.abc import Collection, Iterable

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

    Projects are listed until all are found, and addons until all types are. What cannot be read is not judged. Of
    several clients, a type has to exist for one of those that it is wanted of; their projects are not checked, because
    a missing one is a failure of its account when that is read.

    Raises:
        UnknownName: one does not exist; the message suggests the most similar one.
        NorthflankError: nothing can be read, by any of the clients.
    """
    wanted = Query.of_each_client(queries)
    if len(wanted) == 1:
        await _check_projects(wanted[0])
    found: dict[frozenset[str], list[_Types]] = {}

    async def find(_: int, query: Query) -> None:
        types = _Types()
        found.setdefault(query.addon_types, []).append(types)
        await _find_missing_types(query, types)

    if named := [query for query in wanted if query.addon_types]:
        await Accounts(named, _CONCURRENCY).run(find)
    for addon_types, every in found.items():
        for name in sorted(addon_types):
            if all(name in types.missing for types in every):
                check_known("addon of type", [name], set[str]().union(*(types.known for types in every)))


@define
class _Types:
    """The addon types that a client has and those that it has not, as far as that could be found out."""

    known: set[str] = Factory(set)
    missing: set[str] = Factory(set)


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


async def _check_projects(query: Query) -> None:
    unknown, known = set(query.projects or ()), set[str]()
    for account in query.accounts if unknown else ():
        missing, listed = await _find_projects(account, query.projects or ())
        unknown &= missing
        known |= listed
    check_known("project", [name for name in query.projects or () if name in unknown], known)


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


async def _find_missing_types(query: Query, types: _Types) -> None:
    collector = _TypeCollector(query.addon_types)
    crawler = Crawler(Tree(evolve(query, addon_types=()), of_each_addon=()), collector, concurrency=_CONCURRENCY)
    try:
        await crawler.run()
    except _AllFound:
        return
    types.known = collector.types
    if not collector.failures:
        types.missing = set(query.addon_types) - collector.types


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
