"""The rules of URLs, headers and envelopes, without a socket."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from northflank_async import ApiError, ConfigurationError, DecodeError, NorthflankError, RateLimited, errors
from northflank_async.http.redaction import Secret
from northflank_async.http.request import build_request, parse_base_url, parse_token, segment
from northflank_async.http.response import (
    Response,
    read_envelope,
    read_pagination,
    read_rate_limit,
    read_retry_after,
    retry_delay,
)

BASE = URL("https://api.northflank.com")
TOKEN = Secret("nf-secret-token")


def response(status: int, **headers: str) -> Response:
    return Response(
        status=status,
        headers=CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}),
        url=BASE / "v1/projects",
        method="GET",
    )


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "a/b", "a?b", "a#b", " ", "a b", "a\tb", "a\nb", "\x00", "a\x7f", "\x85", "\u2028", "\ud800"]
)
def test_an_id_that_is_no_path_segment_is_refused(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="the addon id"):
        segment("the addon id", bad)


@pytest.mark.parametrize("bad", [None, 7, b"a", ["a"]])
def test_an_id_that_is_no_text_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be text"):
        segment("the addon id", bad)


@given(st.text(min_size=1))
def test_any_other_id_is_one_segment_that_means_the_same(text: str) -> None:
    try:
        quoted = segment("the id", text)
    except ConfigurationError:
        return
    path = build_request(BASE, TOKEN, "GET", f"/v1/projects/{quoted}/addons").url.path
    assert URL.build(path=path, encoded=False).parts == ("/", "v1", "projects", text, "addons")


@pytest.mark.parametrize("id_", ["a%2Fb", "a%b", "%2e%2e", "a+b", "a:b", "a\\b", "ä", "a;b", "a=b&c"])
def test_special_characters_of_an_id_arrive_as_they_were(id_: str) -> None:
    assert build_request(BASE, TOKEN, "GET", f"/v1/projects/{segment('the id', id_)}").url.parts[-1] == id_


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_cursor_is_one_parameter_that_means_the_same(cursor: str) -> None:
    url = build_request(BASE, TOKEN, "GET", "/v1/projects", {"cursor": cursor, "page": None}).url
    assert dict(URL(str(url)).query) == {"cursor": cursor}


@pytest.mark.parametrize(
    "path",
    ["", "v1/projects", "//evil.example/v1", "https://evil.example/", "/v1/a b", "/v1/a?b=1", "/v1/a#b", "/v1/\r\nX: y",
     "/v1/../admin", "/v1/%2E%2e/admin", "/v1/ä", "/v1/%zz", "/"],
)  # fmt: skip
def test_a_path_that_would_not_arrive_as_it_is_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError):
        build_request(BASE, TOKEN, "GET", path)


def test_a_path_is_sent_as_given_below_the_base_url() -> None:
    base = parse_base_url("https://proxy.example:8443/northflank/")
    assert str(build_request(base, TOKEN, "GET", "/v1/x%2Fy").url) == "https://proxy.example:8443/northflank/v1/x%2Fy"


@pytest.mark.parametrize("value", [float("nan"), object(), {"a": 1}, b"x", "\udfff"])
def test_a_parameter_that_cannot_be_sent_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="the parameter p"):
        build_request(BASE, TOKEN, "GET", "/v1/projects", {"p": value})


def test_parameters_become_text_as_the_api_writes_them() -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    url = build_request(BASE, TOKEN, "GET", "/v1/p", {"a": True, "b": 5, "c": ["x", "y"], "d": None, "e": when}).url
    assert list(url.query.items()) == [("a", "true"), ("b", "5"), ("c", "x"), ("c", "y"), ("e", when.isoformat())]


@pytest.mark.parametrize("body", [{1, 2}, float("inf"), object()])
def test_a_body_that_is_no_json_is_refused(body: Any) -> None:
    with pytest.raises(ConfigurationError, match="JSON"):
        build_request(BASE, TOKEN, "POST", "/v1/projects", json_body=body)


@pytest.mark.parametrize("method", ["", "GET /", "GE T", "G\r\nET", "ΓΕΤ"])
def test_a_method_that_http_does_not_have_is_refused(method: str) -> None:
    with pytest.raises(ConfigurationError, match="method"):
        build_request(BASE, TOKEN, method, "/v1/projects")


@pytest.mark.parametrize(
    "url",
    ["", "http://a.localhost", "http://.localhost", "api.northflank.com", "ftp://api.northflank.com", "https://", "https://u:p@api.northflank.com",
     "https://api.northflank.com?x=1", "https://api.northflank.com#x", "http://api.northflank.com", "http://10.0.0.1",
     "http://127.0.0.1.evil.example", "http://localhost.evil.example", "https://[::1", "http://0.0.0.0", "https://api.northflank.com/v1/"],
)  # fmt: skip
def test_a_base_url_that_would_misplace_the_token_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_base_url(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://api.northflank.com", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1", "http://127.8.9.1"],
)
def test_https_and_loopback_are_accepted(url: str) -> None:
    assert str(parse_base_url(url)).startswith(url)


@pytest.mark.parametrize("token", ["", " ", "a b", "a\r\nX: y", "a\x00", "tökén"])
def test_a_token_that_is_no_header_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_token(token)
    assert not token.strip() or token not in str(caught.value)


def test_the_user_agent_names_the_package_and_its_version() -> None:
    agent = build_request(BASE, TOKEN, "GET", "/v1/projects").headers["User-Agent"]
    assert agent.startswith("northflank-async/0.")


@pytest.mark.parametrize(
    ("status", "cls"),
    [(400, "BadRequest"), (401, "AuthenticationError"), (403, "PermissionDenied"), (404, "NotFound"), (409, "Conflict"),
     (418, "ApiError"), (429, "RateLimited"), (500, "ServerError"), (503, "ServerError"), (599, "ServerError")],
)  # fmt: skip
def test_each_status_has_its_error(status: int, cls: str) -> None:
    body = b'{"error": {"status": %d, "message": "No.", "id": "e1", "details": {"a": [1]}}}' % status
    with pytest.raises(ApiError) as caught:
        read_envelope(response(status), body)
    error = caught.value
    assert type(error) is getattr(errors, cls)
    assert (error.status, error.message, error.id, error.details) == (status, "No.", "e1", {"a": [1]})


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Bad gateway</html>", b"[]", b'{"error": "no"}', b'{"error": {"message": 7, "id": []}}', b"\xff"],
)
def test_an_error_without_the_documented_body_still_says_what_it_is(body: bytes) -> None:
    with pytest.raises(errors.ServerError, match="502 Bad Gateway"):
        read_envelope(response(502, Content_Type="text/html"), body)


def test_an_error_can_be_printed_whatever_the_server_has_said() -> None:
    for headers, body in (({}, b'{"error": {"message": "\\ud800"}}'), ({"Content_Type": "\udcff"}, b"")):
        with pytest.raises(ApiError) as caught:
            read_envelope(response(500, **headers), body)
        assert f"{caught.value} {caught.value.message}".encode()


@pytest.mark.parametrize("depth", [100, 600, 900])
def test_an_error_with_details_of_any_depth_can_be_redacted(depth: int) -> None:
    body = b'{"error": {"message": "m", "details": ' + b"[" * depth + b"]" * depth + b"}}"
    with pytest.raises(ApiError) as caught:
        read_envelope(response(400), body)
    caught.value.redact("a-secret-token")
    assert caught.value.message == "m"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_that_says_where_to(status: int) -> None:
    with pytest.raises(ApiError, match=r"redirects to https://evil\.example") as caught:
        read_envelope(response(status, Location="https://evil.example"), b"")
    assert caught.value.status == status


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"{", b'{"data": NaN}', b'{"data": Infinity}', b'{"data": 1e999}', b"\xff\xfe", b"[" * 100_000,
     b'{"data": ' + b"9" * 5000 + b"}", b"[]", b"3", b"null", b"{}"],
)  # fmt: skip
def test_a_success_without_data_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        read_envelope(response(200), body)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, (False, None, 2)),
        ({"hasNextPage": True, "cursor": "c", "count": 2.0}, (True, "c", 2)),
        ({"hasNextPage": False, "count": None, "cursor": None}, (False, None, 2)),
        ({"hasNextPage": True, "cursor": ""}, (True, None, 2)),
        ({"cursor": "c"}, (True, "c", 2)),
        ({}, (False, None, 2)),
    ],
)
def test_pagination_is_read_with_what_may_be_missing(raw: Any, expected: Any) -> None:
    pagination = read_pagination(raw, 2)
    assert (pagination.has_next_page, pagination.cursor, pagination.count) == expected
    assert isinstance(pagination.count, int)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ([], "pagination"),
        ({"hasNextPage": "true"}, "pagination.hasNextPage"),
        ({"hasNextPage": True, "cursor": 7}, "pagination.cursor"),
        ({"hasNextPage": True, "cursor": "\ud800"}, "pagination.cursor"),
        ({"hasNextPage": False, "count": 1.5}, "pagination.count"),
    ],
)
def test_pagination_that_cannot_be_read_is_named_by_its_place(raw: Any, place: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_pagination(raw, 2)
    assert caught.value.place == place


def limits(limit: str | None = "1000", remaining: str | None = "7", reset: str | None = "60") -> dict[str, str]:
    named = {"x-ratelimit-limit": limit, "x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}
    return {name: value for name, value in named.items() if value is not None}


def test_the_rate_limit_is_read_from_the_headers() -> None:
    told = read_rate_limit(200, limits(reset="59.5"))
    assert told
    assert (told.limit, told.remaining, told.reset_after) == (1000, 7, 59.5)


@pytest.mark.parametrize(
    "headers",
    [{}, limits(remaining=None), limits(reset=None), limits(remaining="many"), limits(reset="-1"), limits(reset="nan"),
     limits(remaining="1, 1"), limits(reset="1790000000"), limits(remaining="inf")],
)  # fmt: skip
def test_headers_that_say_nothing_reliable_are_passed_over(headers: dict[str, str]) -> None:
    assert read_rate_limit(200, headers) is None


@pytest.mark.parametrize(
    ("remaining", "reset", "retry_after", "wait"),
    [("0", "10", "30", 30), ("0", "30", "10", 30), (None, None, "10", 10), ("0", "10", None, 10), ("0", "0", None, 1),
     ("900", "3000", "2", 2), ("900", "3000", None, 3000)],
)  # fmt: skip
def test_after_a_429_nothing_is_left_for_as_long_as_it_says(
    remaining: str | None, reset: str | None, retry_after: str | None, wait: float
) -> None:
    headers = limits(remaining=remaining, reset=reset)
    told = read_rate_limit(429, headers | ({"Retry-After": retry_after} if retry_after else {}))
    assert told
    assert (told.remaining, told.reset_after) == (0, wait)
    assert read_rate_limit(429, {}) is None


def test_retry_after_is_seconds_or_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    long_ago = format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True)
    assert read_retry_after(CIMultiDict({"retry-after": "120"})) == 120
    assert 55 < (read_retry_after({"Retry-After": in_a_minute}) or 0) <= 60
    assert read_retry_after({"Retry-After": long_ago}) == 0
    assert read_retry_after({}) is None
    assert read_retry_after({"Retry-After": "soon"}) is None
    assert read_retry_after({"Retry-After": "1e12"}) is None
    assert read_retry_after({"Retry-After": "1_0"}) is None
    assert read_retry_after({"Retry-After": "Mon, 01 Jan 2024 00:00:00 +99999999999999"}) is None


def failed(status: int, **headers: str) -> NorthflankError:
    with pytest.raises(ApiError) as caught:
        read_envelope(response(status, **headers), b"")
    return caught.value


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_get_is_tried_again_when_the_server_fails(status: int) -> None:
    assert retry_delay(failed(status), "GET") is True
    assert retry_delay(failed(status, Retry_After="3"), "GET") == 3


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 408, 409, 418, 422, 501, 505])
def test_other_refusals_are_final(status: int) -> None:
    assert retry_delay(failed(status), "GET") is False


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_change_is_tried_again_only_where_the_server_cannot_have_acted(method: str) -> None:
    assert retry_delay(errors.TransportError("no connection", sent=False), method) is True
    assert retry_delay(failed(503), method) is True
    assert retry_delay(failed(429), method) == 0.0
    assert retry_delay(errors.TransportError("cut short"), method) is False
    assert [retry_delay(failed(status), method) for status in (500, 502, 504)] == [False] * 3


def test_after_a_429_the_budget_waits_and_the_retry_does_not() -> None:
    error = failed(429, Retry_After="30")
    assert isinstance(error, RateLimited)
    assert error.reset_after == 30
    assert retry_delay(error, "GET") == 0.0


def test_a_success_that_is_no_json_is_a_fault_of_the_way() -> None:
    with pytest.raises(DecodeError, match=r"no JSON \(200, text/html\)") as html:
        read_envelope(response(200, Content_Type="text/html"), b"<html>")
    with pytest.raises(DecodeError) as shape:
        read_envelope(response(200), b"[]")
    assert retry_delay(html.value, "GET") is True
    assert retry_delay(html.value, "POST") is False
    assert retry_delay(shape.value, "GET") is False


def test_json_that_is_only_unusual_is_read_all_the_same() -> None:
    half = read_envelope(response(200), b'{"data": "\\ud800"}')
    assert half.data == "\ud800"
    assert read_envelope(response(200), '{"data": "ä"}'.encode("utf-16")).data == "ä"


@pytest.mark.parametrize("body", [b'{"data": NaN}', b'{"data": -Infinity}', b'{"data": 1e400}'])
def test_a_number_that_could_not_be_written_out_again_is_no_json(body: bytes) -> None:
    with pytest.raises(DecodeError, match="is no JSON"):
        read_envelope(response(200), body)
