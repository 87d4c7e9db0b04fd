"""A server with prerendered responses, so that the client is measured and not the server.

    python -m benchmarks.server [--projects 10] [--addons 20] [--backups 300] [--latency 0.05]

It prints its URL and runs until it is terminated. `GET /requests` returns the number of requests answered so far, and
the minimum number that reads everything.

It is not a simulator: it supports only GET, checks no token, always sends 100 items per page, and has a rate limit that
nobody reaches. Each response is delayed by the latency, and up to one millisecond more, because the event loop rounds
up to milliseconds.
"""

import argparse
import asyncio
from functools import partial

from benchmarks.responses import all_responses, render

_END = b"\r\n\r\n"
_NOT_FOUND = render({"error": {"status": 404, "message": "No such page.", "id": "not-found"}}, "404 Not Found")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Serve prerendered pages of backups.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--projects", type=int, default=10, help="number of projects")
    parser.add_argument("--addons", type=int, default=20, help="addons per project")
    parser.add_argument(
        "--backups", type=counts, default="300", help="backups per addon, one number or several in turn: 0,150"
    )
    parser.add_argument("--latency", type=float, default=0.05, help="delay of each response, in seconds")
    arguments = parser.parse_args()
    asyncio.run(serve(Service(arguments.projects, arguments.addons, arguments.backups, arguments.latency)))


def counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


_AUTH = render({"data": {"entityId": "benchmark"}})


class Service:
    """The state shared by all connections."""

    def __init__(self, projects: int, addons: int, backups: list[int], latency: float) -> None:
        self.latency = latency
        self._requests = 0
        self._responses = {
            (key.path.encode(), key.cursor.encode()): response
            for key, response in all_responses(projects, addons, backups)
        }

    def respond(self, head: bytes) -> bytes:
        """Return the response to a request without a body."""
        path, _, query = head.split(b" ", 2)[1].partition(b"?")
        if path == b"/requests":
            return render({"sent": self._requests, "minimum": len(self._responses)})
        self._requests += 1
        if path == b"/v1/auth":  # only an inventory asks whose token it is
            return _AUTH
        return self._responses.get((path, query.partition(b"cursor=")[2].partition(b"&")[0]), _NOT_FOUND)


class Connection(asyncio.Protocol):
    """One client's connection. It sends responses in the order of the requests."""

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
            response = self._service.respond(head)
            if self._service.latency:
                self._loop.call_later(self._service.latency, self._send, response)
            else:
                self._send(response)

    def _send(self, response: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(response)


async def serve(service: Service) -> None:
    server = await asyncio.get_running_loop().create_server(partial(Connection, service), "127.0.0.1")
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    main()
