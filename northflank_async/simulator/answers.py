"""What is answered: data, or the documented error body."""

import json
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web

from northflank_async.simulator.inventory import Json

Found = TypeVar("Found")


class Refusal(Exception):
    """Why a request is not answered with data; `details` say what is wrong with which field."""

    def __init__(self, status: int, message: str, details: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details

    def answer(self) -> web.Response:
        """The error body."""
        return error(self.status, self.message, details=self.details)


def found(item: Found | None, kind: str, name: str) -> Found:
    """The item, or a 404."""
    if item is None:
        raise Refusal(404, f"There is no {kind} {name}.")
    return item


def data(content: object) -> web.Response:
    """An answer without pages."""
    return answer({"data": content})


def error(
    status: int, message: str, headers: dict[str, str] | None = None, details: dict[str, str] | None = None
) -> web.Response:
    """The documented error body."""
    problem: Json = {"status": status, "message": message, "id": HTTPStatus(status).phrase.lower().replace(" ", "-")}
    if details:
        problem["details"] = details
    return answer({"error": problem}, status, headers)


def answer(content: Json, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """That JSON."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return web.Response(status=status, headers=headers, body=body, content_type="application/json")
