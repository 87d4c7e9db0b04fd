"""Building requests: URLs, parameters, headers and bodies."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from northflank_async import ConfigurationError
from northflank_async.http.redaction import Secret
from northflank_async.http.request import build_request, parse_base_url, parse_proxy, parse_token, segment

BASE = URL("https://api.northflank.com")
TOKEN = Secret("nf-secret-token")


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "a/b", "a?b", "a#b", " ", "a b", "a\tb", "a\nb", "\x00", "a\x7f", "\x85", "\u2028", "\ud800"]
)
def test_an_id_that_is_not_one_path_segment_is_refused(bad: str) -> None:
    with pytest.raises(ConfigurationError, match="the addon id"):
        segment("the addon id", bad)


@pytest.mark.parametrize("bad", [None, 7, b"a", ["a"]])
def test_an_id_that_is_not_text_is_refused(bad: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be text"):
        segment("the addon id", bad)


@given(st.text(min_size=1))
def test_any_other_id_survives_as_one_segment(text: str) -> None:
    try:
        quoted = segment("the id", text)
    except ConfigurationError:
        return
    path = build_request(BASE, TOKEN, "GET", f"/v1/projects/{quoted}/addons").url.path
    assert URL.build(path=path, encoded=False).parts == ("/", "v1", "projects", text, "addons")


@pytest.mark.parametrize("id_", ["a%2Fb", "a%b", "%2e%2e", "a+b", "a:b", "a\\b", "ä", "a;b", "a=b&c"])
def test_special_characters_of_an_id_are_preserved(id_: str) -> None:
    assert build_request(BASE, TOKEN, "GET", f"/v1/projects/{segment('the id', id_)}").url.parts[-1] == id_


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_cursor_survives_as_one_parameter(cursor: str) -> None:
    url = build_request(BASE, TOKEN, "GET", "/v1/projects", {"cursor": cursor, "page": None}).url
    assert dict(URL(str(url)).query) == {"cursor": cursor}


@pytest.mark.parametrize(
    "path",
    ["", "v1/projects", "//evil.example/v1", "https://evil.example/", "/v1/a b", "/v1/a?b=1", "/v1/a#b", "/v1/\r\nX: y",
     "/v1/../admin", "/v1/%2E%2e/admin", "/v1/ä", "/v1/%zz", "/"],
)  # fmt: skip
def test_a_path_that_would_change_in_transit_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError):
        build_request(BASE, TOKEN, "GET", path)


def test_a_path_is_sent_unchanged_below_the_base_url() -> None:
    base = parse_base_url("https://proxy.example:8443/northflank/")
    assert str(build_request(base, TOKEN, "GET", "/v1/x%2Fy").url) == "https://proxy.example:8443/northflank/v1/x%2Fy"


@pytest.mark.parametrize("value", [float("nan"), object(), {"a": 1}, b"x", "\udfff"])
def test_a_parameter_that_cannot_be_sent_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="the parameter p"):
        build_request(BASE, TOKEN, "GET", "/v1/projects", {"p": value})


def test_parameters_are_formatted_as_the_api_expects() -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    url = build_request(BASE, TOKEN, "GET", "/v1/p", {"a": True, "b": 5, "c": ["x", "y"], "d": None, "e": when}).url
    assert list(url.query.items()) == [("a", "true"), ("b", "5"), ("c", "x"), ("c", "y"), ("e", when.isoformat())]


@pytest.mark.parametrize("body", [{1, 2}, float("inf"), object()])
def test_a_body_that_is_not_json_is_refused(body: Any) -> None:
    with pytest.raises(ConfigurationError, match="JSON"):
        build_request(BASE, TOKEN, "POST", "/v1/projects", json_body=body)


@pytest.mark.parametrize("method", ["", "GET /", "GE T", "G\r\nET", "ΓΕΤ"])
def test_an_invalid_http_method_is_refused(method: str) -> None:
    with pytest.raises(ConfigurationError, match="method"):
        build_request(BASE, TOKEN, method, "/v1/projects")


@pytest.mark.parametrize(
    "url",
    ["", "http://a.localhost", "http://.localhost", "api.northflank.com", "ftp://api.northflank.com", "https://", "https://u:p@api.northflank.com",
     "https://api.northflank.com?x=1", "https://api.northflank.com#x", "http://api.northflank.com", "http://10.0.0.1",
     "http://127.0.0.1.evil.example", "http://localhost.evil.example", "https://[::1", "http://0.0.0.0", "https://api.northflank.com/v1/",
     "http://localhost.", "http://[::ffff:8.8.8.8]"],
)  # fmt: skip
def test_a_base_url_that_would_leak_the_token_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_base_url(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.northflank.com",
        "http://127.0.0.1:8080",
        "http://localhost:1",
        "http://[::1]:1",
        "http://[::ffff:7f00:1]",
        "http://127.8.9.1",
    ],
)
def test_https_and_loopback_are_accepted(url: str) -> None:
    assert str(parse_base_url(url)).startswith(url)


@pytest.mark.parametrize("token", ["", " ", "a b", "a\r\nX: y", "a\x00", "tökén"])
def test_a_token_that_cannot_be_a_header_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_token(token)
    assert not token.strip() or token not in str(caught.value)


def test_the_user_agent_names_the_package_and_its_version() -> None:
    agent = build_request(BASE, TOKEN, "GET", "/v1/projects").headers["User-Agent"]
    assert agent.startswith("northflank-async/0.")


@pytest.mark.parametrize(
    "proxy", ["", "proxy.example:3128", "socks5://u:hunter22@x", "http://", "http://u:hunter22@[::1"]
)
def test_a_proxy_that_is_not_an_http_url_is_refused_and_not_shown(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="the proxy") as caught:
        parse_proxy(proxy)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["http://u:hunter22@proxy.example:3128", URL("http://u:hunter22@proxy.example:3128")])
def test_a_proxy_may_contain_a_password_and_does_not_show_it(proxy: str | URL) -> None:
    parsed = parse_proxy(proxy)
    assert parsed == "http://u:hunter22@proxy.example:3128"
    assert "hunter22" not in repr(parsed)
