"""The server's responses, all rendered before the first request.

Every backup has all 17 fields that the API documents for the listing. The addons share their backups, so that a million
of them take no more memory than the largest addon.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

PER_PAGE = 100

_NEWEST = datetime(2026, 11, 1, 12)
_SOURCES = ("snapshot", "liveInstance", "snapshot", "externalDump")
_HEAD = (
    "HTTP/1.1 {status}\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: {length}\r\n"
    "x-ratelimit-limit: 1000000000\r\n"
    "x-ratelimit-remaining: 999999999\r\n"
    "x-ratelimit-reset: 3600\r\n"
    "\r\n"
)

Json = dict[str, Any]


class PageKey(NamedTuple):
    """Identifies a page: a path, and the cursor of a page after the first."""

    path: str
    cursor: str = ""


def project_id(number: int) -> str:
    return f"project-{number}"


def addon_id(number: int) -> str:
    return f"addon-{number}"


def backups_path(project: int, addon: int) -> str:
    return f"/v1/projects/{project_id(project)}/addons/{addon_id(addon)}/backups"


def cursor_for(page: int) -> str:
    """Return a page's cursor, as long as the API's. The first page is 0 and has none."""
    return f"{page:024}" if page else ""


def all_responses(projects: int, addons: int, backups: Sequence[int]) -> Iterator[tuple[PageKey, bytes]]:
    """Render every response of a company, with its key.

    Args:
        projects: the number of projects.
        addons: the number of addons in each project.
        backups: the numbers of backups, assigned to the addons in turn.
    """
    listings = [render_pages("backups", [backup(number) for number in range(count)]) for count in backups]
    yield from _keyed("/v1/projects", render_pages("projects", [_project(number) for number in range(projects)]))
    for project in range(projects):
        addon_pages = render_pages("addons", [_addon(project, number) for number in range(addons)])
        yield from _keyed(f"/v1/projects/{project_id(project)}/addons", addon_pages)
        for addon in range(addons):
            yield from _keyed(backups_path(project, addon), listings[(project * addons + addon) % len(listings)])


def render(content: object, status: str = "200 OK") -> bytes:
    """Render a response with a JSON body."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return _HEAD.format(status=status, length=len(body)).encode() + body


def render_pages(name: str, items: Sequence[Json]) -> list[bytes]:
    """Render a listing page by page. An empty listing has one page."""
    return [render(_page(name, items, offset)) for offset in range(0, max(1, len(items)), PER_PAGE)]


def backups_body() -> bytes:
    """Render the body of one full page of backups."""
    return render_pages("backups", [backup(number) for number in range(PER_PAGE)])[0].partition(b"\r\n\r\n")[2]


def backup(age: int) -> Json:
    """Create a backup that is `age` hours older than the newest one."""
    uid = UUID(bytes=blake2b(str(age).encode(), digest_size=16).digest(), version=4)
    created = _NEWEST - timedelta(hours=age, milliseconds=age * 37 % 60_000)
    return {
        "id": f"production-database-{created:%Y%m%d}-{age}",
        "name": f"Hourly backup {age}",
        "uid": str(uid),
        "status": "failed" if age % 20 == 7 else "completed",
        "createdAt": _iso(created),
        "completedAt": _iso(created + timedelta(seconds=20 + age % 40)),
        "config": {
            "source": {"type": _SOURCES[age % len(_SOURCES)]},
            "size": str(52_428_800_000 - age * 104_729),
            "compressionType": ("gz", "zstd")[age % 2],
            "additionalDestinations": [{"destinationId": "offsite-bucket", "retentionTime": 30, "type": "custom"}],
            "addonVersion": "16.4.0",
        },
        "customDestinationId": "primary-bucket",
    }


def _project(number: int) -> Json:
    return {"id": project_id(number), "name": f"Project {number}", "description": f"All that runs for {number}"}


def _addon(project: int, number: int) -> Json:
    return {
        "id": addon_id(number),
        "name": f"Addon {number}",
        "appId": f"/example-user/{project_id(project)}/{addon_id(number)}",
        "tags": ["production"],
        "spec": {"type": "postgresql"},
        "status": "running",
    }


def _page(name: str, items: Sequence[Json], offset: int) -> Json:
    part = items[offset : offset + PER_PAGE]
    more = offset + PER_PAGE < len(items)
    cursor = {"cursor": cursor_for(offset // PER_PAGE + 1)} if more else {}
    return {"data": {name: part}, "pagination": {"hasNextPage": more, "count": len(part), **cursor}}


def _keyed(path: str, listing: Sequence[bytes]) -> Iterator[tuple[PageKey, bytes]]:
    for number, page in enumerate(listing):
        yield PageKey(path, cursor_for(number)), page


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds") + "Z"
