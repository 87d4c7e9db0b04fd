"""An API on a real socket that knows the truth: what existed when, and what it served of it.

A campaign changes it between requests and while listings are read, and then compares a store with it. Everything is
drawn from a seed; with one request in flight at a time, a run is the same each time.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple
from zlib import crc32

from aiohttp import web
from attrs import Factory, define, field, frozen

from northflank_async import Northflank
from tests.support.scripted_server import ScriptedServer, serve

CHILDREN: dict[str, tuple[str, ...]] = {"projects": ("addons",), "addons": ("backups", "restores")}
REJECTIONS = (400, 410, 422)
"""The statuses of a cursor that has expired."""
SERVER_ERRORS = (500, 502, 503)
PERMISSIONS = ("Project > Addons > General > Read", "Project > Addons > Backups > Read", "Project > General > Read")
TYPES = ("redis", "postgresql")
STATUSES = ("completed", "failed", "in-progress")


class ListingKey(NamedTuple):
    """A listing of an account; the team and the ids are empty where it has none."""

    account_id: str
    kind: str
    team_id: str = ""
    project_id: str = ""
    addon_id: str = ""

    def child(self, kind: str, item_id: str) -> "ListingKey":
        """The listing of this kind below an item."""
        if self.kind == "projects":
            return self._replace(kind=kind, project_id=item_id)
        return self._replace(kind=kind, addon_id=item_id)


class RowKey(NamedTuple):
    """An item of a listing."""

    listing: ListingKey
    id: str


@define(eq=False)
class Item:
    """Something that exists.

    `served` replaces fields of what the API says of it, or all of it, to make it odd or unreadable.
    """

    id: str
    fields: dict[str, Any]
    served: Any = Factory(dict)

    @property
    def is_readable(self) -> bool:
        """Whether what is served has the item's id."""
        return isinstance(self.served, dict) and bool(self.served.get("id", self.id) == self.id)

    @property
    def json(self) -> Any:
        """What the API says of it."""
        return {"id": self.id, **self.fields, **self.served} if isinstance(self.served, dict) else self.served


@define
class Token:
    """A token of an account. `auth_status` is that of `/v1/auth`; the rest is what it answers with 200.

    `hidden` is the part of the projects and addons, in thirds, that it does not see because of its permissions.
    """

    account_id: str
    role: dict[str, Any] | None = Factory(lambda: {"roleId": "reader", "roleType": "team"})
    permissions: dict[str, Any] | None = Factory(lambda: {"projectScope": list(PERMISSIONS)})
    restrictions: dict[str, Any] | None = None
    auth_status: int = 200
    hidden: int = 0

    def sees(self, listing: ListingKey, item_id: str) -> bool:
        """Whether the token may see an item of a listing."""
        if listing.kind in CHILDREN and self._hides(item_id):
            return False
        return listing.kind != "projects" or self._sees_project(item_id)

    def may_read(self, listing: ListingKey) -> bool:
        """Whether the token may read a listing."""
        if any(self._hides(item_id) for item_id in (listing.project_id, listing.addon_id) if item_id):
            return False
        return not listing.project_id or self._sees_project(listing.project_id)

    def _hides(self, item_id: str) -> bool:
        return crc32(item_id.encode()) % 3 < self.hidden

    def _sees_project(self, project_id: str) -> bool:
        if self.restrictions is None or not self.restrictions["enabled"]:
            return True
        named: bool = project_id in self.restrictions["projects"]
        return named is (self.restrictions["restrictionMode"] == "in")

    @property
    def json(self) -> dict[str, Any]:
        """What `/v1/auth` says of it."""
        optional = {"role": self.role, "permissions": self.permissions, "projectRestrictions": self.restrictions}
        return {
            "id": f"token-of-{self.account_id}",
            "tokenKind": "api",
            "entityId": self.account_id,
            "entityUid": f"uid-of-{self.account_id}",
            "entityType": "team",
            "createdAt": "2026-01-01T00:00:00.000Z",
            **{name: part for name, part in optional.items() if part is not None},
        }


@define(kw_only=True)
class Weather:
    """How often something happens at a request, from 0 to 1."""

    changes: float = 0.0
    """An item is inserted, deleted or changed before the request is answered."""
    rotations: float = 0.0
    """The listing itself changes: an item is inserted before its first page, or deleted before a later one."""
    errors: float = 0.0
    """A 5xx, or no answer at all."""
    expiries: float = 0.0
    """The request's cursor has expired."""
    duplicates: float = 0.0
    """The page begins with the last item of the page before it."""


@frozen(kw_only=True)
class Served:
    """One answer: `ids` are those of the items that could be read, `unreadable` those that had no usable id.

    `status` is 0 where no answer was sent. `ends` says that it was the last page. `json` is what was said of `ids`,
    and `odd` are those of them of which something else cannot be read.
    """

    at: datetime
    token: str
    path: str
    listing: ListingKey | None
    cursor: str | None
    status: int
    ids: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    json: dict[str, Any] = Factory(dict)
    is_null: bool = False
    ends: bool = False

    @property
    def failed(self) -> bool:
        """Whether the listing could not be read with this answer."""
        return self.status != 200 or self.is_null


@frozen(kw_only=True)
class Change:
    """Something that happened to an item: `inserted`, `deleted` or `changed`."""

    at: datetime
    row: RowKey
    action: str


@define
class ModelAccounts:
    """Accounts, and everything in them.

    - `failing`: statuses of listings that fail until they are removed from here; 0 drops the connection.
    - `nulls`: listings whose items are served as `null`.
    - `on_answer`: called with each answer, before it is sent.
    """

    seed: int = 0
    page_size: int = 3
    weather: Weather = Factory(Weather)
    tokens: dict[str, Token] = Factory(dict)
    failing: dict[ListingKey, int] = Factory(dict)
    nulls: set[ListingKey] = Factory(set)
    on_answer: Callable[[Served], object] | None = None
    journal: list[Served | Change] = Factory(list)
    server: ScriptedServer = field(init=False)
    _listings: dict[ListingKey, list[Item]] = Factory(dict)
    _lives: dict[RowKey, list[list[datetime]]] = Factory(dict)
    _served: dict[RowKey, list[Served]] = Factory(dict)
    _generation: int = 0
    _number: int = 0
    random: Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.random = Random(self.seed)

    # What there is, and what a campaign does to it.

    def add_account(self, account_id: str, *, teams: tuple[str, ...] = ("",), projects: int = 2) -> str:
        """Make an account with random contents; its token, which is long enough to be a secret."""
        token = f"token-of-the-account-{account_id}"
        self.tokens[token] = Token(account_id)
        for team in teams:
            root = ListingKey(account_id, "projects", team)
            self._listings[root] = []
            for _ in range(projects):
                self.insert(root)
        return token

    def listings(self, account_id: str | None = None, kind: str | None = None) -> list[ListingKey]:
        """The listings that exist."""
        return [
            key
            for key in self._listings
            if (account_id is None or key.account_id == account_id) and (kind is None or key.kind == kind)
        ]

    def items(self, listing: ListingKey) -> list[Item]:
        """The items of a listing, as it is now; none if it does not exist."""
        return self._listings.get(listing, [])

    def rows(self, account_id: str | None = None) -> set[RowKey]:
        """Everything that exists."""
        return {RowKey(key, item.id) for key in self.listings(account_id) for item in self.items(key)}

    def insert(self, listing: ListingKey, item_id: str | None = None, *, children: int | None = None) -> Item:
        """Insert an item, the newest first, and so many items below it, or a random number of them."""
        self._number += 1
        item = Item(item_id or f"{listing.kind.removesuffix('s')}-{self._number}", self._fields(listing))
        # New projects and addons come anywhere: the API sorts them by name.
        place = 0 if listing.kind in ("backups", "restores") else self.random.randint(0, len(self.items(listing)))
        self._listings[listing].insert(place, item)
        self._note(RowKey(listing, item.id), "inserted")
        for kind in CHILDREN.get(listing.kind, ()):
            child = listing.child(kind, item.id)
            self._listings[child] = []
            most = 3 if kind == "addons" else 3 * self.page_size
            for _ in range(self.random.randint(0, most) if children is None else children):
                self.insert(child)
        return item

    def delete(self, listing: ListingKey, item_id: str) -> None:
        """Delete an item, and everything below it."""
        for kind in CHILDREN.get(listing.kind, ()):
            child = listing.child(kind, item_id)
            for item in list(self.items(child)):
                self.delete(child, item.id)
            del self._listings[child]
        self._listings[listing] = [item for item in self._listings[listing] if item.id != item_id]
        self._note(RowKey(listing, item_id), "deleted")

    def change(self, listing: ListingKey, item_id: str) -> None:
        """Change what the API says of an item."""
        item = next(item for item in self.items(listing) if item.id == item_id)
        item.fields = self._fields(listing)
        self._note(RowKey(listing, item_id), "changed")

    def distort(self, listing: ListingKey, item_id: str, **served: Any) -> None:
        """Serve other values than the true ones: `id=7` makes the item unreadable."""
        next(item for item in self.items(listing) if item.id == item_id).served = served

    def replace(self, listing: ListingKey, item_id: str, served: Any) -> None:
        """Serve something else in place of an item, such as `null`."""
        next(item for item in self.items(listing) if item.id == item_id).served = served

    def change_something(self) -> None:
        """Insert, delete or change one item somewhere; projects and addons less often than what they have."""
        listings = self.listings()
        weights = [1 if key.kind in CHILDREN else 4 for key in listings]
        (listing,) = self.random.choices(listings, weights)
        items = self.items(listing)
        action = self.random.choice(("insert", "delete", "change")) if items else "insert"
        if action == "insert":
            self.insert(listing)
        elif action == "delete":
            self.delete(listing, self.random.choice(items).id)
        else:
            self.change(listing, self.random.choice(items).id)

    def expire_cursors(self) -> None:
        """Reject every cursor that was given out until now."""
        self._generation += 1

    def recover(self) -> None:
        """End all failures, distortions and bad weather."""
        self.failing.clear()
        self.nulls.clear()
        self.weather = Weather()
        for items in self._listings.values():
            for item in items:
                item.served = {}

    # What a store is compared with.

    def known(self) -> list[RowKey]:
        """Everything that exists, or existed."""
        return list(self._lives)

    def existed(self, row: RowKey, at: datetime) -> bool:
        """Whether an item existed at that time."""
        return self.existed_throughout(row, at, at)

    def existed_throughout(self, row: RowKey, start: datetime, end: datetime) -> bool:
        """Whether an item existed all the time: then a run from `start` to `end` must not call it deleted."""
        return any(born <= start and (not died or end < died[0]) for born, *died in self._lives.get(row, ()))

    def last_served(self, row: RowKey, until: datetime | None = None) -> datetime | None:
        """When a listing last had the item, in a form that could be read: its row must not look fresher than that."""
        answer = self.last_answer(row, until)
        return None if answer is None else answer.at

    def last_answer(self, row: RowKey, until: datetime | None = None) -> Served | None:
        """The last answer that had the item, in a form that could be read."""
        answers = reversed(self._served.get(row, ()))
        return next((answer for answer in answers if until is None or answer.at <= until), None)

    def answers(self, since: datetime | None = None) -> list[Served]:
        """What was served since then."""
        return [entry for entry in self.journal if isinstance(entry, Served) and (since is None or entry.at >= since)]

    def failed_listings(self, since: datetime) -> set[ListingKey]:
        """The listings whose last answer since then was a failure: each has to be named, unless the run broke off.

        A listing that is `null` is among them; a store may take it as empty where it knows no row of it.
        """
        last = {answer.listing: answer for answer in self.answers(since) if answer.listing}
        return {key for key, answer in last.items() if answer.failed}

    def unreadable_rows(self, since: datetime) -> set[RowKey]:
        """The items that were served without a usable id since then: each has to be named."""
        return {
            RowKey(answer.listing, item_id)
            for answer in self.answers(since)
            if answer.listing
            for item_id in answer.unreadable
        }

    def _note(self, row: RowKey, action: str) -> None:
        change = Change(at=datetime.now(UTC), row=row, action=action)
        self.journal.append(change)
        if action == "inserted":
            self._lives.setdefault(row, []).append([change.at])
        elif action == "deleted":
            self._lives[row][-1].append(change.at)

    def _fields(self, listing: ListingKey) -> dict[str, Any]:
        number = self.random.randrange(10**6)
        time = f"2026-{number % 12 + 1:02}-01T00:00:00.{number % 1000:03}Z"
        status = self.random.choice(STATUSES)
        match listing.kind:
            case "projects":
                return {"name": f"Project {number}"}
            case "addons":
                spec = {"type": TYPES[number % len(TYPES)]}
                return {"name": f"Addon {number}", "status": "running", "spec": spec, "tags": []}
            case "backups":
                config = {"source": {"type": "snapshot"}, "size": str(number), "addonVersion": "7.2.5"}
                return {"name": f"Backup {number}", "status": status, "createdAt": time, "config": config}
        backups = self.items(listing._replace(kind="backups"))
        backup_id = self.random.choice(backups).id if backups else "deleted-backup"
        return {"backupId": backup_id, "status": status, "restoreTimestamp": time}

    # How it answers.

    def client(self, token: str, **options: Any) -> Northflank:
        """A client with that token."""
        return Northflank(token, base_url=self.server.url, **options)

    def respond(self, request: web.Request) -> web.Response:
        """Answer a request, and write down what was said."""
        if self._happens(self.weather.changes):
            self.change_something()
        name = request.headers.get("Authorization", "").removeprefix("Bearer ")
        token = self.tokens.get(name)
        listing = None if token is None else _listing(token.account_id, request.path)
        cursor = request.query.get("cursor")
        if listing in self._listings and self._happens(self.weather.rotations):
            self._rotate(listing, is_first=cursor is None)
        answer: dict[str, Any] = {"token": name, "path": request.path, "listing": listing, "cursor": cursor}
        response = self._answer(request, token, listing, cursor, answer)
        served = Served(at=datetime.now(UTC), **{"status": response.status, **answer})
        self.journal.append(served)
        if listing:
            for item_id in served.ids:
                self._served.setdefault(RowKey(listing, item_id), []).append(served)
        if self.on_answer:
            self.on_answer(served)
        return response

    def _answer(
        self,
        request: web.Request,
        token: Token | None,
        listing: ListingKey | None,
        cursor: str | None,
        answer: dict[str, Any],
    ) -> web.Response:
        if token is None:
            return _refuse(401)
        if self._happens(self.weather.errors):
            return self._fail(request, self.random.choice((0, *SERVER_ERRORS)), answer)
        if request.path == "/v1/auth":
            return web.json_response({"data": token.json}) if token.auth_status == 200 else _refuse(token.auth_status)
        if listing in self.failing:
            return self._fail(request, self.failing[listing], answer)
        if listing is None or listing not in self._listings:
            return _refuse(404)
        if not token.may_read(listing):
            return _refuse(403)
        return self._page(token, listing, cursor, answer)

    def _page(self, token: Token, listing: ListingKey, cursor: str | None, answer: dict[str, Any]) -> web.Response:
        offset = 0
        if cursor is not None:
            generation, _, number = cursor.partition("-")
            if generation != str(self._generation) or self._happens(self.weather.expiries):
                return _refuse(self.random.choice(REJECTIONS))
            offset = int(number)
        every = [item for item in self.items(listing) if token.sees(listing, item.id)]
        start = offset - 1 if 0 < offset <= len(every) and self._happens(self.weather.duplicates) else offset
        items = every[start : offset + self.page_size]
        more = offset + self.page_size < len(every)
        answer["is_null"] = listing in self.nulls
        answer["ends"] = not more
        if not answer["is_null"]:
            answer["ids"] = tuple(item.id for item in items if item.is_readable)
            answer["json"] = {item.id: item.json for item in items if item.is_readable}
            answer["odd"] = tuple(item.id for item in items if item.is_readable and item.served)
            answer["unreadable"] = tuple(item.id for item in items if not item.is_readable)
        pagination: dict[str, Any] = {"hasNextPage": more, "count": len(items)}
        if more:
            pagination["cursor"] = f"{self._generation}-{offset + self.page_size}"
        served = None if answer["is_null"] else [item.json for item in items]
        return web.json_response({"data": {listing.kind: served}, "pagination": pagination})

    def _rotate(self, listing: ListingKey, *, is_first: bool) -> None:
        """Change a listing of several pages while it is read, so that its rows shift."""
        items = self.items(listing)
        if len(items) > self.page_size:
            if is_first:
                self.insert(listing, children=0)
            else:
                self.delete(listing, items[self.random.choice((0, 0, self.page_size))].id)

    def _fail(self, request: web.Request, status: int, answer: dict[str, Any]) -> web.Response:
        if status:
            return _refuse(status)
        answer["status"] = 0
        assert request.transport
        request.transport.abort()
        return web.Response()

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self.random.random() < rate


@asynccontextmanager
async def serve_accounts(model: ModelAccounts) -> AsyncIterator[ModelAccounts]:
    """Serve the accounts as they are at each moment."""
    async with serve(model.respond) as model.server:
        yield model


def _listing(account_id: str, path: str) -> ListingKey | None:
    """The listing at a path; `None` for other paths."""
    parts = path.removeprefix("/v1/").split("/")
    team = ""
    if parts[0] == "teams" and len(parts) > 1:
        _, team, *parts = parts
    match parts:
        case ["projects"]:
            return ListingKey(account_id, "projects", team)
        case ["projects", project, "addons"]:
            return ListingKey(account_id, "addons", team, project)
        case ["projects", project, "addons", addon, "backups" | "restores" as kind]:
            return ListingKey(account_id, kind, team, project, addon)
    return None


def _refuse(status: int) -> web.Response:
    return web.json_response({"error": {"status": status, "message": f"refused with {status}"}}, status=status)
