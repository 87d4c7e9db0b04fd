"""Reading responses: data, pagination, errors, and whether to retry."""

import json
from typing import Any

import pytest
from multidict import CIMultiDict
from yarl import URL

from northflank_async import ApiError, DecodeError, NorthflankError, RateLimited, errors
from northflank_async.http import retry
from northflank_async.http.response import Response, read_body, read_pagination
from northflank_async.http.retry import retry_delay


def response(status: int, *, method: str = "GET", **headers: str) -> Response:
    return Response(
        status=status,
        headers=CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}),
        url=URL("https://api.northflank.com/v1/projects"),
        method=method,
    )


@pytest.mark.parametrize(
    ("status", "cls"),
    [(400, "BadRequest"), (401, "AuthenticationError"), (403, "PermissionDenied"), (404, "NotFound"), (409, "Conflict"),
     (418, "ApiError"), (429, "RateLimited"), (500, "ServerError"), (503, "ServerError"), (599, "ServerError")],
)  # fmt: skip
def test_each_status_has_its_error(status: int, cls: str) -> None:
    body = b'{"error": {"status": %d, "message": "No.", "id": "e1", "details": {"a": [1]}}}' % status
    with pytest.raises(ApiError) as caught:
        read_body(response(status), body)
    error = caught.value
    assert type(error) is getattr(errors, cls)
    assert (error.status, error.message, error.id, error.details) == (status, "No.", "e1", {"a": [1]})


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Bad gateway</html>", b"[]", b'{"error": "no"}', b'{"error": {"message": 7, "id": []}}', b"\xff"],
)
def test_an_error_without_the_documented_body_names_its_status(body: bytes) -> None:
    with pytest.raises(errors.ServerError, match="502 Bad Gateway"):
        read_body(response(502, Content_Type="text/html"), body)


def test_an_error_can_be_printed_whatever_the_server_sent() -> None:
    for headers, body in (({}, b'{"error": {"message": "\\ud800"}}'), ({"Content_Type": "\udcff"}, b"")):
        with pytest.raises(ApiError) as caught:
            read_body(response(500, **headers), body)
        assert f"{caught.value} {caught.value.message}".encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_that_names_its_target(status: int) -> None:
    with pytest.raises(ApiError, match=r"redirects to https://evil\.example") as caught:
        read_body(response(status, Location="https://evil.example"), b"")
    assert caught.value.status == status


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", b'{"data": NaN}', b'{"data": Infinity}', b'{"data": 1e999}', b"\xff\xfe", b"[" * 100_000,
     b'{"data": ' + b"9" * 5000 + b"}", b"[]", b"3", b"null", b"{}"],
)  # fmt: skip
def test_a_success_without_data_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        read_body(response(200), body)


@pytest.mark.parametrize("error", [{"status": 500, "message": "Out of order"}, "Out of order"])
@pytest.mark.parametrize("rest", [{}, {"data": None}, {"data": {}}])
def test_an_error_with_the_status_of_a_success_shows_its_message(rest: dict[str, Any], error: Any) -> None:
    with pytest.raises(DecodeError, match=r"^the status is 200, but the response is an error: Out of order$"):
        read_body(response(200), json.dumps({**rest, "error": error}).encode())


@pytest.mark.parametrize("error", [None, {}, "", {"message": "Partly"}])
def test_data_beside_an_error_is_not_lost(error: Any) -> None:
    body = json.dumps({"data": {"id": "b"}, "error": error}).encode()
    assert read_body(response(200, method="POST"), body).data == {"id": "b"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, (False, None, 2)),
        ({"hasNextPage": True, "cursor": "c", "count": 2.0}, (True, "c", 2)),
        ({"hasNextPage": False, "count": None, "cursor": None}, (False, None, 2)),
        ({"hasNextPage": True, "cursor": ""}, (True, None, 2)),
        ({"hasNextPage": "true", "cursor": 7}, (True, "7", 2)),
        ({"hasNextPage": "False", "cursor": []}, (False, None, 2)),
        ({"hasNextPage": 1, "count": "0"}, (True, None, 0)),
        ({"hasNextPage": 0, "count": "12.0"}, (False, None, 12)),
        ({"hasNextPage": False, "count": 1.5}, (False, None, 2)),
        ({"hasNextPage": False, "count": -1}, (False, None, 2)),
        ({"hasNextPage": False, "count": "-1.0"}, (False, None, 2)),
        ({"hasNextPage": False, "count": "many"}, (False, None, 2)),
        ({"hasNextPage": False, "count": [True]}, (False, None, 2)),
        ({"hasNextPage": False, "count": float("inf")}, (False, None, 2)),
        ({"hasNextPage": False, "count": True}, (False, None, 2)),
        ({"cursor": "c"}, (True, "c", 2)),
        ({}, (False, None, 2)),
    ],
)
def test_pagination_fields_may_be_missing_or_odd(raw: Any, expected: Any) -> None:
    pagination = read_pagination(raw, 2)
    assert (pagination.has_next_page, pagination.cursor, pagination.count) == expected
    assert isinstance(pagination.count, int)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ([], "pagination"),
        ({"hasNextPage": "maybe"}, "pagination.hasNextPage"),
        ({"hasNextPage": []}, "pagination.hasNextPage"),
        ({"hasNextPage": True, "cursor": [7]}, "pagination.cursor"),
        ({"hasNextPage": True, "cursor": True}, "pagination.cursor"),
        ({"hasNextPage": True, "cursor": "\ud800"}, "pagination.cursor"),
    ],
)
def test_a_pagination_error_names_its_place(raw: Any, place: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_pagination(raw, 2)
    assert caught.value.place == place


def failed(status: int, **headers: str) -> NorthflankError:
    with pytest.raises(ApiError) as caught:
        read_body(response(status, **headers), b"")
    return caught.value


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520, 524, 530])
def test_a_get_is_retried_after_a_server_error(status: int) -> None:
    assert retry_delay(failed(status), "GET") is True
    assert retry_delay(failed(status, Retry_After="3"), "GET") == 3


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 418, 422, 501, 505, 519, 531])
def test_other_statuses_are_not_retried(status: int) -> None:
    assert retry_delay(failed(status), "GET") is False


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_change_is_retried_only_if_the_server_cannot_have_acted(method: str) -> None:
    assert retry_delay(errors.TransportError("no connection", sent=False), method) is True
    assert retry_delay(failed(503, Retry_After="3"), method) == 3
    assert retry_delay(failed(503, Retry_After="0"), method) is True
    for hint in ("soon", "-1", ""):
        assert retry_delay(failed(503, Retry_After=hint), method) is False
    assert retry_delay(failed(503), method) is False
    assert retry_delay(failed(429), method) == 0.0
    assert retry_delay(errors.TransportError("cut short"), method) is False
    for status in (408, 500, 502, 504, 520, 524):
        assert retry_delay(failed(status), method) is False
        assert retry_delay(failed(status, Retry_After="3"), method) is False


def test_the_retry_after_of_a_failed_server_is_bounded() -> None:
    assert retry_delay(failed(503, Retry_After="80000"), "GET") == retry.LONGEST_HINT


def test_after_a_429_the_budget_waits_not_the_retry() -> None:
    error = failed(429, Retry_After="30")
    assert isinstance(error, RateLimited)
    assert error.reset_after == 30
    assert retry_delay(error, "GET") == 0.0


def test_a_get_is_retried_if_its_response_is_not_json() -> None:
    with pytest.raises(DecodeError, match=r"not JSON \(200, text/html\)") as html:
        read_body(response(200, Content_Type="text/html"), b"<html>")
    with pytest.raises(DecodeError) as shape:
        read_body(response(200), b"[]")
    assert retry_delay(html.value, "GET") is True
    assert retry_delay(html.value, "POST") is False
    assert retry_delay(shape.value, "GET") is False


def test_unusual_json_is_read() -> None:
    half = read_body(response(200), b'{"data": "\\ud800"}')
    assert half.data == "\ud800"
    assert read_body(response(200), '{"data": "ä"}'.encode("utf-16")).data == "ä"


@pytest.mark.parametrize("body", [b'{"data": NaN}', b'{"data": -Infinity}', b'{"data": 1e400}'])
def test_numbers_that_json_cannot_express_are_refused(body: bytes) -> None:
    with pytest.raises(DecodeError, match="cannot be read: "):
        read_body(response(200), body)


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**30])
def test_integers_of_any_size_are_exact(number: int) -> None:
    data = read_body(response(200), json.dumps({"data": [number, str(number)]}).encode()).data
    assert data == [number, str(number)]
    assert type(data[0]) is int


@pytest.mark.parametrize(
    "body",
    [b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"data": NaN}', b'{"data": 1%s}' % (b"0" * 5000)],
    ids=["nested too deeply", "not a number", "too many digits"],
)
def test_a_get_is_not_retried_if_its_json_can_never_be_read(body: bytes) -> None:
    with pytest.raises(DecodeError, match=r"^the response cannot be read: ") as caught:
        read_body(response(200), body)
    assert retry_delay(caught.value, "GET") is False
    assert str(read_body(response(200, method="POST"), body).data).startswith('{"data": ')
