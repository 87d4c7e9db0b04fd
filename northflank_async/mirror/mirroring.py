"""Copies of dumps outside the platform."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, evolve, field, frozen

from northflank_async.download import LinkRejected
from northflank_async.errors import (
    AuthenticationError,
    ConfigurationError,
    DecodeError,
    NorthflankError,
    RateLimited,
    ServerError,
    TransportError,
)
from northflank_async.http.budget import Budget
from northflank_async.inventory.crawl import Failure
from northflank_async.inventory.crawl import Progress as CrawlProgress
from northflank_async.inventory.identity import find_account_id
from northflank_async.inventory.query import Query
from northflank_async.inventory.scan import Found, Scan
from northflank_async.mirror.address import parse_destination
from northflank_async.mirror.destination import Destination, Upload
from northflank_async.mirror.layout import ENTRY, MANIFEST, PENDING, addon_path, distinct, dump_name, segment
from northflank_async.mirror.manifest import Copy, Identity
from northflank_async.records import RunStatus, SourceType
from northflank_async.resources import AccountResource, BackupResource
from northflank_async.validation import check_integer, plain_callback

if TYPE_CHECKING:
    from northflank_async.inventory import Inventory

_READERS = 32
"""Entries of the manifest that are read at a time."""
_LISTING = 16
"""Requests in flight while backups are listed."""
_OUTAGE = 10
"""Consecutive dumps that fail without a response or with 5xx, after which the mirror ends."""


@frozen(kw_only=True)
class Dump:
    """A completed dump of the platform. `size` is in bytes, if the platform knows it."""

    account_id: str | None
    team_id: str | None
    project_id: str
    addon_id: str
    backup_id: str
    created_at: datetime
    size: int | None
    addon_type: str | None
    addon_version: str | None
    compression: str | None
    account: AccountResource = field(repr=False, eq=False)

    @property
    def identity(self) -> Identity:
        """What tells the dump apart from all others."""
        return (self.account_id, self.team_id, self.project_id, self.addon_id, self.backup_id, self.created_at)

    @property
    def addon(self) -> tuple[str | None, str | None, str, str]:
        """What tells the addon apart from all others."""
        return self.identity[:4]

    @property
    def resource(self) -> BackupResource:
        """The backup to download.

        Raises:
            ConfigurationError: its id cannot be part of a URL.
        """
        return self.account.project(self.project_id).addon(self.addon_id).backup(self.backup_id)

    def failure(self, error: NorthflankError) -> Failure:
        """Describe why the dump was not copied."""
        account_id, team_id, project_id, addon_id = self.addon
        return Failure(
            account_id=account_id,
            team_id=team_id,
            project_id=project_id,
            addon_id=addon_id,
            item_id=self.backup_id,
            error=error,
        )


@frozen(kw_only=True)
class Snapshots:
    """The completed snapshots of an addon, which cannot be downloaded, and whether it has no dump at all."""

    account_id: str | None
    team_id: str | None
    project_id: str
    addon_id: str
    count: int
    has_dumps: bool


@frozen(kw_only=True)
class MirrorProgress:
    """How far a mirror is.

    First, backups are listed: `listing` has the progress of that. Then `dumps_done` of `dumps` are copied, or have
    failed, and `bytes_done` of about `bytes` are written.
    """

    listing: CrawlProgress
    dumps: int = 0
    dumps_done: int = 0
    bytes: int = 0
    bytes_done: int = 0


OnMirrorStart: TypeAlias = Callable[[Callable[[], MirrorProgress]], None]
"""Called once, with a function that returns the current progress."""


@frozen(kw_only=True)
class MirrorOutcome:
    """The result of a mirror.

    Args:
        copied: the copies that were made.
        held: the dumps that the destination held already, and that the platform still has.
        deleted: the copies that were too old for `keep`.
        wanted: with `dry_run`, the dumps that would be copied; `deleted` then has what would be deleted.
        snapshots: the addons that have snapshots, which cannot be downloaded.
        failures: what could not be listed or copied.
        damaged: entries of the manifest that cannot be read. Their dumps were copied again.
    """

    copied: list[Copy]
    held: int
    deleted: list[Copy]
    wanted: list[Dump]
    snapshots: list[Snapshots]
    failures: list[Failure]
    damaged: list[DecodeError]

    @property
    def bytes(self) -> int:
        """The bytes of the copies that were made."""
        return sum(copy.size for copy in self.copied)


async def mirror(
    destination: str | os.PathLike[str],
    *queries: Query | AccountResource,
    newest: int | None = None,
    keep: timedelta | None = None,
    concurrency: int = 2,
    dry_run: bool = False,
    inventory: "Inventory | None" = None,
    on_start: OnMirrorStart | None = None,
) -> MirrorOutcome:
    """Copy completed dumps that a destination does not hold yet.

    It takes one request for each new dump, its link, and none for those that the manifest has. A download that was
    killed is continued where the destination is a folder and the storage service confirms that its file is the same. An
    upload to an object store begins anew. Nothing is overwritten, and nothing is deleted, except what is older than
    `keep`.

    Args:
        destination: a folder, or `s3://`, `gs://` or `az://` with a bucket and a prefix.
        *queries: whose dumps, of one or several clients; a client or team means all of them.
        newest: only so many of each addon, the newest ones.
        keep: delete copies that are older, but never the newest one of an addon. Only addons that the queries match
            lose any. Dumps that are older are not copied.
        concurrency: downloads at a time, 1 to 100.
        dry_run: write and delete nothing; see `MirrorOutcome`.
        inventory: an open inventory, in which the copies that the destination then holds are recorded.
        on_start: called once, with a function that returns the current progress.

    Raises:
        ConfigurationError: an argument is invalid, or a package it needs is not installed.
        BlockingIOError: another process writes to the folder.
        OSError: the destination cannot be read or written.
        NorthflankError: the API could not be read, or failed partway.
    """
    check_integer("concurrency", concurrency, 1, 100)
    if newest is not None:
        check_integer("newest", newest, 1)
    if keep is not None and keep <= timedelta():
        raise ConfigurationError(f"keep must be longer than no time, not {keep!r}")
    on_start = None if on_start is None else plain_callback("on_start", on_start)
    wanted = [evolve(query, statuses=RunStatus.COMPLETED) for query in Query.of_each_client(queries)]
    store = parse_destination(os.fspath(destination))
    if dry_run:
        return await _Mirror(store, wanted, newest, keep, concurrency, on_start).plan()
    async with store.locked():
        running = _Mirror(store, wanted, newest, keep, concurrency, on_start)
        outcome = await running.run()
        if inventory is not None:
            await inventory.record_copies(str(store), running.manifest.copies.values())
    return outcome


@define
class Manifest:
    """What a destination holds, by its manifest.

    `entries` has the path of each copy's entry, `pending` the copies whose entry was not finished, by the paths of
    those. `damaged` are entries that cannot be read.
    """

    copies: dict[Identity, Copy] = field(factory=dict)
    entries: dict[Identity, str] = field(factory=dict)
    pending: dict[str, Copy] = field(factory=dict)
    damaged: list[DecodeError] = field(factory=list)
    files: dict[str, int] = field(factory=dict)
    taken: set[str] = field(factory=set)

    async def read(self, store: Destination) -> None:
        """Read the manifest of a destination.

        Raises:
            OSError: it cannot be read.
        """
        self.files = await store.list()
        self.taken = set(self.files)
        paths = [path for path in self.files if path.startswith(f"{MANIFEST}/") and path.endswith((ENTRY, PENDING))]
        paths = [path for path in paths if not path.rpartition("/")[2].startswith(".")]
        for start in range(0, len(paths), _READERS):
            some = paths[start : start + _READERS]
            for path, text in zip(some, await asyncio.gather(*map(store.read, some)), strict=True):
                self._add(path, text)

    def _add(self, path: str, text: bytes) -> None:
        try:
            copy = Copy.from_json(text, path)
        except DecodeError as error:
            if path.endswith(ENTRY):
                self.damaged.append(error)
            return
        if path.endswith(PENDING):
            self.pending[path] = copy
        else:
            self.copies[copy.identity] = copy
            self.entries[copy.identity] = path

    def find_free(self, path: str, identity: Identity) -> str:
        """Return the path, or another one if it is taken, and take it."""
        if path in self.taken:
            path = distinct(path, identity)
        self.taken.add(path)
        return path


class _Mirror:
    """One mirror, which is running."""

    def __init__(
        self,
        store: Destination,
        queries: Sequence[Query],
        newest: int | None,
        keep: timedelta | None,
        concurrency: int,
        on_start: OnMirrorStart | None,
    ) -> None:
        self.manifest = Manifest()
        self._store = store
        self._queries = queries
        self._newest = newest
        self._oldest = None if keep is None else datetime.now(UTC) - keep
        self._concurrency = concurrency
        self._on_start = on_start
        self._scan = Scan(*queries, concurrency=_LISTING)
        self._accounts: dict[str | None, set[Query]] = defaultdict(set)
        self._dumps: dict[Identity, Dump] = {}
        self._snapshots: dict[tuple[str | None, str | None, str, str], int] = defaultdict(int)
        self._failures: list[Failure] = []
        self._copied: list[Copy] = []
        self._wanted: list[Dump] = []
        self._held = 0
        self._done = 0
        self._bytes: dict[Identity, int] = {}
        self._outage = 0
        self._ended: dict[Budget, NorthflankError] = {}

    @property
    def _is_single(self) -> bool:
        return len({query.budget for query in self._queries}) == 1

    @property
    def progress(self) -> MirrorProgress:
        """The current progress."""
        return MirrorProgress(
            listing=self._scan.progress,
            dumps=len(self._wanted),
            dumps_done=self._done,
            bytes=sum(max(dump.size or 0, self._bytes.get(dump.identity, 0)) for dump in self._wanted),
            bytes_done=sum(self._bytes.values()),
        )

    async def plan(self) -> MirrorOutcome:
        """Find out what there is to do."""
        await self._find()
        return self._outcome(self._find_expired(self._wanted))

    async def run(self) -> MirrorOutcome:
        """Do it."""
        await self._find()
        await self._recover()
        await self._copy_all()
        expired = self._find_expired([])
        for copy in expired:
            await self._delete(copy)
        return self._outcome(expired)

    def _outcome(self, deleted: list[Copy]) -> MirrorOutcome:
        with_dumps = {dump.addon for dump in self._dumps.values()}
        return MirrorOutcome(
            copied=self._copied,
            held=self._held,
            deleted=deleted,
            wanted=self._wanted,
            snapshots=[
                Snapshots(
                    account_id=addon[0],
                    team_id=addon[1],
                    project_id=addon[2],
                    addon_id=addon[3],
                    count=count,
                    has_dumps=addon in with_dumps,
                )
                for addon, count in sorted(self._snapshots.items(), key=lambda item: [part or "" for part in item[0]])
            ],
            failures=[*self._scan.failures, *self._failures],
            damaged=self.manifest.damaged,
        )

    # What is wanted

    async def _find(self) -> None:
        """Read the manifest, list the backups, and compare."""
        await self.manifest.read(self._store)
        if self._on_start:
            self._on_start(lambda: self.progress)
        only_id = None
        if len(self._queries) == 1:  # a scan of one client does not find out its account
            only_id = await find_account_id(self._queries[0].accounts[0])
            self._accounts[only_id].update(self._queries)
        async with self._scan as scan:
            async for found in scan:
                self._add(found, found.account_id if only_id is None else only_id)
        chosen = self._choose()
        held = [dump for dump in chosen if dump.identity in self.manifest.copies]
        self._held = len(held)
        for dump in held:
            copy = self.manifest.copies[dump.identity]
            if self.manifest.files.get(copy.path) != copy.size:
                found_ = "missing" if copy.path not in self.manifest.files else "of another size"
                entry = self.manifest.entries[dump.identity]
                error = DecodeError(f"the copy is {found_}: delete {entry} to copy it again", place=copy.path)
                self._failures.append(dump.failure(error))
        self._wanted = [dump for dump in chosen if dump.identity not in self.manifest.copies]

    def _add(self, found: Found, account_id: str | None) -> None:
        assert found.account is not None
        self._accounts[account_id].update(query for query in self._queries if query.budget is found.account.budget)
        backup, addon = found.backup, found.addon
        config = backup.config
        if config and config.source and config.source.type == SourceType.SNAPSHOT:
            self._snapshots[account_id, found.team_id, found.project.id, addon.id] += 1
            return
        dump = Dump(
            account_id=account_id,
            team_id=found.team_id,
            project_id=found.project.id,
            addon_id=addon.id,
            backup_id=backup.id,
            created_at=backup.created_at,
            size=config.size if config else None,
            addon_type=addon.spec.type if addon.spec else None,
            addon_version=config.addon_version if config else None,
            compression=config.compression_type if config else None,
            account=found.account,
        )
        self._dumps[dump.identity] = dump

    def _choose(self) -> list[Dump]:
        """The dumps that the destination should hold, the newest ones first."""
        dumps = sorted(self._dumps.values(), key=attrgetter("created_at"), reverse=True)
        counts: dict[object, int] = defaultdict(int)
        chosen = []
        for dump in dumps:
            rank, counts[dump.addon] = counts[dump.addon], counts[dump.addon] + 1
            is_young = self._oldest is None or dump.created_at >= self._oldest or rank == 0
            if is_young and (self._newest is None or rank < self._newest):
                chosen.append(dump)
        return chosen

    # Copies

    async def _recover(self) -> None:
        """Finish what was killed after a dump had appeared, and before its entry: its hash shows that it is whole."""
        for path, copy in list(self.manifest.pending.items()):
            if copy.identity in self.manifest.copies:
                await self._store.delete(path)
            elif copy.path in self.manifest.files:
                if await self._store.digest(copy.path) == (copy.size, copy.sha256):
                    await self._enter(copy, path.removesuffix(PENDING) + ENTRY)
                    self._copied.append(copy)
                    self._wanted = [dump for dump in self._wanted if dump.identity != copy.identity]
                else:
                    await self._store.delete(path)
            elif copy.identity not in self._dumps:
                await self._store.delete(path)

    async def _copy_all(self) -> None:
        left = iter(self._wanted)

        async def work() -> None:
            for dump in left:
                try:
                    await self._copy(dump)
                    self._outage = 0
                except NorthflankError as error:
                    self._handle_error(dump, error)
                self._done += 1

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._concurrency):
                    tasks.create_task(work())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    def _handle_error(self, dump: Dump, error: NorthflankError) -> None:
        """List a failure.

        Raises:
            NorthflankError: nothing else can be copied either.
        """
        match error:
            case AuthenticationError() | RateLimited() | TransportError(sent=False):
                if self._is_single:
                    raise error
                self._ended[dump.account.budget] = error
            case ServerError() | TransportError():
                self._outage += 1
                if self._outage >= _OUTAGE:
                    raise error
        self._failures.append(dump.failure(error))

    async def _copy(self, dump: Dump) -> None:
        if dump.account.budget in self._ended:
            raise self._ended[dump.account.budget]
        resource = dump.resource
        pending, known = self._find_pending(dump)
        if known is None:
            path, entry = self._choose_paths(dump)
        else:
            path, entry = known.path, pending.removesuffix(PENDING) + ENTRY
        try:
            copy = await self._upload(dump, resource, path, entry, pending, known)
        except FileExistsError as error:
            raise NorthflankError(f"{error.filename} exists, and is not in the manifest: move it away") from None
        await self._enter(copy, entry)
        self._copied.append(copy)

    async def _upload(
        self, dump: Dump, resource: BackupResource, path: str, entry: str, pending: str, known: Copy | None
    ) -> Copy:
        """Copy a dump to its path. Before it appears, its hash is stored.

        A killed mirror may have received all of it, and even have stored its hash.
        """
        async with self._store.upload(path) as upload:
            resume = upload.resume
            if resume is None or resume.done < resume.total:
                await self._download(dump, resource, upload)
                await upload.finish()
            size, sha256 = upload.digest()
            if known is not None and (known.size, known.sha256) == (size, sha256):
                await upload.commit()
                return known
            if pending:
                await self._store.delete(pending)
            copy = Copy(
                account_id=dump.account_id,
                team_id=dump.team_id,
                project_id=dump.project_id,
                addon_id=dump.addon_id,
                backup_id=dump.backup_id,
                created_at=dump.created_at,
                path=path,
                size=size,
                sha256=sha256,
                fetched_at=datetime.now(UTC),
                addon_type=dump.addon_type,
                addon_version=dump.addon_version,
            )
            await self._store.write_new(entry.removesuffix(ENTRY) + PENDING, copy.to_json())
            await upload.commit()
        return copy

    def _find_pending(self, dump: Dump) -> tuple[str, Copy | None]:
        """Find the unfinished entry of a dump whose file has not appeared."""
        for path, copy in self.manifest.pending.items():
            if copy.identity == dump.identity and copy.path not in self.manifest.files:
                return path, copy
        return "", None

    def _choose_paths(self, dump: Dump) -> tuple[str, str]:
        """Choose where a dump and its entry will be."""
        folder = addon_path(self._account_folder(dump.account_id), dump.team_id, dump.project_id, dump.addon_id)
        name = dump_name(dump.created_at, dump.backup_id, dump.compression)
        return (
            self.manifest.find_free(f"{folder}/{name}", dump.identity),
            self.manifest.find_free(f"{MANIFEST}/{folder}/{segment(dump.backup_id)}{ENTRY}", dump.identity),
        )

    async def _download(self, dump: Dump, resource: BackupResource, upload: Upload) -> None:
        """Download a dump. A new link that is rejected may have expired in between, and is replaced once."""

        def report(done: int, total: int | None) -> None:
            self._bytes[dump.identity] = done

        try:
            await resource.download_into(upload, progress=report, resume=upload.resume)
        except LinkRejected:
            await resource.download_into(upload, progress=report, resume=upload.resume)

    async def _enter(self, copy: Copy, entry: str) -> None:
        """Enter a copy into the manifest."""
        try:
            await self._store.write_new(entry, copy.to_json())
        except FileExistsError:
            raise NorthflankError(f"{entry} exists: another process mirrors to the same place") from None
        await self._store.delete(entry.removesuffix(ENTRY) + PENDING)
        self.manifest.copies[copy.identity] = copy
        self.manifest.entries[copy.identity] = entry

    def _account_folder(self, account_id: str | None) -> str | None:
        """The first folder of an account's copies: its id, where there are several accounts."""
        name = account_id or "account"
        if not self._is_single:
            return name
        copies = self.manifest.copies.values()
        for copy in copies:
            if copy.account_id == account_id:  # it has a place already
                has_folder = copy.path.startswith(f"{addon_path(name, *copy.addon[1:])}/")
                return name if has_folder else None
        return name if copies else None

    # What is too old

    def _find_expired(self, future: Iterable[Dump]) -> list[Copy]:
        """The copies that are too old. `future` are dumps that count as held."""
        if self._oldest is None:
            return []
        newest: dict[object, datetime] = {}
        everything: list[Copy | Dump] = [*self.manifest.copies.values(), *future]
        for held in everything:
            newest[held.addon] = max(held.created_at, newest.get(held.addon, held.created_at))
        return [
            copy
            for copy in sorted(self.manifest.copies.values(), key=attrgetter("created_at", "path"))
            if copy.created_at < min(self._oldest, newest[copy.addon]) and self._matches(copy)
        ]

    def _matches(self, copy: Copy) -> bool:
        """Whether a query wants the addon of a copy, of an account that could be read."""
        return any(
            copy.team_id in {account.team_id for account in query.accounts}
            and (query.projects is None or copy.project_id in query.projects)
            and (not query.addons or copy.addon_id in query.addons)
            and (not query.addon_types or copy.addon_type is None or copy.addon_type in query.addon_types)
            for query in self._accounts.get(copy.account_id, ())
        )

    async def _delete(self, copy: Copy) -> None:
        """Delete a copy. A kill in between leaves the entry, and the next mirror deletes that."""
        await self._store.delete(copy.path)
        await self._store.delete(self.manifest.entries.pop(copy.identity))
        del self.manifest.copies[copy.identity]
