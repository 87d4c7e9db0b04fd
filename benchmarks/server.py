"""A server with ready-made answers, so that what is measured is the client.

    python -m benchmarks.server [--projects 10] [--addons 20] [--backups 300] [--latency 0.05]

The first line of the output is its URL, and it runs until it is terminated. `GET /requests` says how many answers it
has sent so far, and how many there are, which is the least number of requests that reads all.

It is no simulator: only GET, no token, always 100 items a page, and a rate limit that nobody reaches. The latency is
what each answer waits for before it is sent. The event loop counts in milliseconds and rounds up, so that it is up to
one millisecond more.
"""

import argparse
import asyncio
from functools import partial

from benchmarks.answers import answers, render

_END = b"\r\n\r\n"
_NOT_FOUND = render({"error": {"status": 404, "message": "There is no such page.", "id": "not-found"}}, "404 Not Found")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Serve ready-made pages of backups.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--projects", type=int, default=10, help="number of projects")
    parser.add_argument("--addons", type=int, default=20, help="addons of each project")
    parser.add_argument("--backups", type=counts, default="300", help="backups of an addon, or of each in turn: 0,150")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer")
    arguments = parser.parse_args()
    asyncio.run(serve(Service(arguments.projects, arguments.addons, arguments.backups, arguments.latency)))


def counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


class Service:
    """What all connections share."""

    def __init__(self, projects: int, addons: int, backups: list[int], latency: float) -> None:
        self.latency = latency
        self._requests = 0
        self._answers = {
            (target.path.encode(), target.cursor.encode()): answer
            for target, answer in answers(projects, addons, backups)
        }

    def answer(self, head: bytes) -> bytes:
        """The answer to a request without a body."""
        path, _, query = head.split(b" ", 2)[1].partition(b"?")
        if path == b"/requests":
            return render({"sent": self._requests, "least": len(self._answers)})
        self._requests += 1
        return self._answers.get((path, query.partition(b"cursor=")[2].partition(b"&")[0]), _NOT_FOUND)


class Connection(asyncio.Protocol):
    """One client's connection; answers come in the order of the requests."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._received = (self._received + data).split(_END)
        for head in heads:
            answer = self._service.answer(head)
            if self._service.latency:
                self._loop.call_later(self._service.latency, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(answer)


async def serve(service: Service) -> None:
    server = await asyncio.get_running_loop().create_server(partial(Connection, service), "127.0.0.1")
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    main()
