"""An account with dumps to mirror: scripted, or of the simulator."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web
from attrs import define, field

from northflank_async.mirror import Copy
from northflank_async.simulator import Simulator
from northflank_async.simulator.storage import content
from tests.support.scripted_server import envelope

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SIGNATURE = "X-Signature=s3cret%2Fsignature"


def dump(id: str, age: int = 0, **changes: Any) -> dict[str, Any]:
    """A completed dump as the API lists it, created `age` days before noon of the first of November 2026."""
    config = {"source": {"type": "liveInstance"}, "size": "5", "compressionType": "gz", "addonVersion": "16.4.0"}
    time = (NOON - timedelta(days=age)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": id, "status": "completed", "createdAt": time, "config": config, **changes}


def snapshot(id: str, age: int = 0) -> dict[str, Any]:
    return dump(id, age, config={"source": {"type": "snapshot"}, "size": "5"})


@define(eq=False)
class DumpAccount:
    """An account whose dumps a test scripts: `{project: {addon: [backup]}}`. A dump contains its own address."""

    tree: dict[str, dict[str, list[dict[str, Any]]]]
    entity_id: str | None = "acme"
    links: list[str] = field(factory=list)
    downloads: list[web.Request] = field(factory=list)
    contents: dict[str, bytes] = field(factory=dict)
    instead: Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse] | None] = lambda _: None

    async def respond(self, request: web.Request) -> web.StreamResponse:
        special = self.instead(request)
        if special is not None:
            return special if isinstance(special, web.StreamResponse) else await special
        parts = request.path.strip("/").split("/")
        match parts:
            case ["v1", "auth"] if self.entity_id:
                auth = {"createdAt": "2026-01-01T00:00:00Z", "id": "t", "tokenKind": "api"}
                return envelope({**auth, "entityId": self.entity_id, "entityUid": "u", "entityType": "team"})
            case ["v1", "auth"]:
                return web.json_response({"error": {"status": 404, "message": "no such route"}}, status=404)
            case [*_, "projects"]:
                return _listing("projects", [{"id": id} for id in self.tree])
            case [*_, "projects", project, "addons"]:
                addons = [{"id": id, "name": id, "spec": {"type": "postgresql"}} for id in self.tree[project]]
                return _listing("addons", addons)
            case [*_, "projects", project, "addons", addon, "backups"]:
                return _listing("backups", self.tree[project][addon])
            case [*_, project, "addons", addon, "backups", backup, "download-link"]:
                self.links.append(f"{project}/{addon}/{backup}")
                link = f"http://{request.host}/storage/{project}/{addon}/{backup}?{SIGNATURE}"
                return envelope({"downloadLink": link})
            case ["storage", *address]:
                self.downloads.append(request)
                path = "/".join(address)
                body = self.contents.get(path, path.encode())
                return web.Response(body=body, headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
        return web.json_response({"error": {"status": 404, "message": "nothing here"}}, status=404)


def _listing(key: str, items: list[dict[str, Any]]) -> web.Response:
    return web.json_response({"data": {key: items}, "pagination": {"hasNextPage": False, "count": len(items)}})


def files_in(folder: Path) -> list[str]:
    """The paths of all files in a folder, but for its lock."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path != ".mirror.lock")


def entries_in(folder: Path) -> list[Copy]:
    """The entries of the manifest in a folder."""
    return [Copy.from_json(path.read_bytes(), str(path)) for path in sorted((folder / "manifest").rglob("*.json"))]


def links_of(sim: Simulator) -> list[str]:
    """The paths of the requests for links."""
    return [request.path for request in sim.requests if request.path.endswith("/download-link")]


def simulated_hash(uid: str, size: int) -> str:
    """The SHA-256 of a dump of the simulator."""
    found = hashlib.sha256()
    for block in content(uid, 0, size):
        found.update(block)
    return found.hexdigest()


def check_folder(folder: Path, uids: dict[str, str], size: int) -> None:
    """Check that the manifest and the files of a folder are the dumps with these uids, by their ids, and whole."""
    entries = entries_in(folder)
    assert sorted(copy.backup_id for copy in entries) == sorted(uids)
    for copy in entries:
        assert (copy.size, copy.sha256) == (size, simulated_hash(uids[copy.backup_id], size))
        with (folder / copy.path).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == copy.sha256
        assert json.loads(copy.to_json())["path"] == copy.path
    dumps = [path for path in files_in(folder) if not path.startswith("manifest/")]
    assert dumps == sorted(copy.path for copy in entries)
