"""A server with ready-made answers, so that what is measured is the client.

    python -m benchmarks.server [--projects 10] [--addons 20] [--pages 3] [--latency 0.05]

It has that many projects, so many addons in each, and so many full pages of 100 backups for each addon. They come from
the simulator's inventory, and every answer is rendered before the first request; all addons have the same backups. The
first line of the output is its URL, and it runs until it is terminated.

It is no simulator: only GET, no token, always 100 items a page, and a rate limit that nobody reaches. The latency is
what each answer waits for before it is sent. The event loop counts in milliseconds and rounds up, so that it is up to
one millisecond more.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

from benchmarks.process import positive
from northflank_async.simulator.inventory import Addon, Inventory, Listing, Project

PER_PAGE = 100

_HEADERS = (
    "HTTP/1.1 {status}\r\n"
    "Content-Type: application/json; charset=utf-8\r\n"
    "Content-Length: {length}\r\n"
    "x-ratelimit-limit: 1000000000\r\n"
    "x-ratelimit-remaining: 999999999\r\n"
    "x-ratelimit-reset: 3600\r\n"
    "\r\n"
)
_END = b"\r\n\r\n"


class Target(NamedTuple):
    """What is asked for: a path, and the cursor of a page after the first."""

    path: bytes
    cursor: bytes


Answers = Mapping[Target, bytes]


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Serve ready-made pages of backups.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--projects", type=positive, default=10, help="number of projects")
    parser.add_argument("--addons", type=positive, default=20, help="addons of each project")
    parser.add_argument("--pages", type=positive, default=3, help="full pages of backups of each addon")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    arguments = parser.parse_args()
    answers = dict(render_answers(arguments.projects, arguments.addons, arguments.pages))
    asyncio.run(serve(answers, arguments.latency))


def render_answers(projects: int, addons: int, pages: int) -> Iterator[tuple[Target, bytes]]:
    """Every answer that there is."""
    inventory = Inventory(project_count=projects, addon_count=addons, backup_average=pages * PER_PAGE)
    largest = Addon(Project(inventory, 0), 0).backups  # has half as many again as the average
    backups = list(render_pages("backups", Listing(pages * PER_PAGE, largest.item)))
    yield from at("/v1/projects", render_pages("projects", inventory.projects))
    for project in (Project(inventory, index) for index in range(projects)):
        path = f"/v1/projects/{project.id}/addons"
        yield from at(path, render_pages("addons", project.addons))
        for addon in (Addon(project, index) for index in range(addons)):
            yield from at(f"{path}/{addon.id}/backups", backups)


def at(path: str, pages: Iterator[bytes] | list[bytes]) -> Iterator[tuple[Target, bytes]]:
    """The pages of a path, each with what it is asked for by."""
    for number, page in enumerate(pages):
        yield Target(path.encode(), cursor_of(number).encode() if number else b""), page


def render_pages(name: str, listing: Listing) -> Iterator[bytes]:
    for offset in range(0, listing.length, PER_PAGE):
        items = listing.slice(offset, PER_PAGE)
        more = offset + PER_PAGE < listing.length
        cursor = {"cursor": cursor_of(offset // PER_PAGE + 1)} if more else {}
        yield render({"data": {name: items}, "pagination": {"hasNextPage": more, "count": len(items), **cursor}})


def cursor_of(page: int) -> str:
    """As long as the simulator's."""
    return f"{page:024}"


def render(content: object, status: str = "200 OK") -> bytes:
    body = json.dumps(content, separators=(",", ":")).encode()
    return _HEADERS.format(status=status, length=len(body)).encode() + body


NOT_FOUND = render({"error": {"status": 404, "message": "There is no such page.", "id": "not-found"}}, "404 Not Found")


class Connection(asyncio.Protocol):
    """One client's connection; answers come in the order of the requests."""

    def __init__(self, answers: Answers, latency: float) -> None:
        self._answers = answers
        self._latency = latency
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._received = (self._received + data).split(_END)
        for head in heads:
            answer = self._answers.get(target_of(head), NOT_FOUND)
            self._loop.call_later(self._latency, self._send, answer)

    def _send(self, answer: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(answer)


def target_of(head: bytes) -> Target:
    """What a request without a body asks for."""
    path, _, query = head.split(b" ", 2)[1].partition(b"?")
    return Target(path, query.partition(b"cursor=")[2].partition(b"&")[0])


async def serve(answers: Answers, latency: float) -> None:
    server = await asyncio.get_running_loop().create_server(partial(Connection, answers, latency), "127.0.0.1")
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    main()
