"""Responses: JSON data, and the documented error body."""

import json
from http import HTTPStatus
from typing import TypeVar

from aiohttp import web

from northflank_async.simulator.inventory import Json

Found = TypeVar("Found")


class Rejection(Exception):
    """An error response, raised; `details` maps each invalid field to its problem."""

    def __init__(self, status: int, message: str, details: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details

    def response(self) -> web.Response:
        """The error response."""
        return error(self.status, self.message, details=self.details)


def found(item: Found | None, kind: str, name: str) -> Found:
    """Return the item, or raise a 404 if it is None."""
    if item is None:
        raise Rejection(404, f"There is no {kind} {name}.")
    return item


def data(content: object) -> web.Response:
    """A response without pagination."""
    return json_response({"data": content})


def error(
    status: int, message: str, headers: dict[str, str] | None = None, details: dict[str, str] | None = None
) -> web.Response:
    """The documented error response."""
    problem: Json = {"status": status, "message": message, "id": HTTPStatus(status).phrase.lower().replace(" ", "-")}
    if details:
        problem["details"] = details
    return json_response({"error": problem}, status, headers)


def json_response(content: Json, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A response with this JSON as its body."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return web.Response(status=status, headers=headers, body=body, content_type="application/json")
