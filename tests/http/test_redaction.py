"""Redaction: no error, repr, log line or traceback shows a secret."""

import asyncio
import base64
import html
import io
import json
import logging
import pickle
import re
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, quote_plus

import aiohttp
import pytest
from aiohttp import web
from rich.console import Console
from rich.traceback import Traceback

from northflank_async import ApiError, DecodeError, DestinationCredentials, Northflank, NorthflankError
from northflank_async.http.redaction import Redactor, Secret
from northflank_async.records.secrets import without_secrets
from tests.support.scripted_server import (
    TOKEN,
    drop_connection,
    envelope,
    http_response,
    never_answer,
    serve,
    serve_bytes,
)


def everything_a_report_shows(error: BaseException) -> str:
    """The texts of an error and of its causes, with the locals of each frame, as two libraries show them."""
    shown = io.StringIO()
    plain = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown.write("".join(plain.format()))
    rich = Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True, locals_max_string=10_000)
    Console(file=shown, width=300).print(rich)
    seen: BaseException | None = error
    while seen is not None:
        shown.write(f"{seen!r} {seen!s} {vars(seen)} {seen.args}")
        seen = seen.__cause__ or seen.__context__
    return shown.getvalue()


def echo(request: web.Request, status: int = 200) -> web.Response:
    """A server that echoes the headers of the request."""
    sent = request.headers["Authorization"]
    error = {"status": status, "message": f"Bad {sent}", "id": sent, "details": {sent: [sent]}}
    backups = [{"id": "b", "status": "x", "createdAt": sent}]
    return web.json_response(
        {"data": {"backups": backups}, "error": error}, status=status, headers={"Location": f"/{sent.split()[1]}"}
    )


@asynccontextmanager
async def nowhere() -> AsyncIterator[str]:
    yield "http://127.0.0.1:1"


@asynccontextmanager
async def responding(respond: Any) -> AsyncIterator[str]:
    async with serve(respond) as server:
        yield server.url


SERVERS: dict[str, Callable[[], Any]] = {
    "an echo of 200": lambda: responding(echo),
    "an echo of 302": lambda: responding(lambda request: echo(request, 302)),
    "an echo of 401": lambda: responding(lambda request: echo(request, 401)),
    "an echo of 503": lambda: responding(lambda request: echo(request, 503)),
    "a dropped connection": lambda: responding(drop_connection),
    "a timeout": lambda: responding(never_answer),
    "no server": nowhere,
    "not HTTP": lambda: serve_bytes(b"SSH-2.0\r\n\r\n"),
    "an echo in the status line": lambda: serve_bytes(f"HTTP/1.1 abc Bearer {TOKEN}\r\n\r\n".encode()),
    "an echo in a header": lambda: serve_bytes(http_response(b"{}", "200 OK", f"Content-Length: {TOKEN}")),
    "an echo in a chunk": lambda: serve_bytes(
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{TOKEN}\r\n".encode()
    ),
    "an invalid header": lambda: serve_bytes(http_response(b"{}", "200 OK", "\x00: 1")),
    "a body cut short": lambda: serve_bytes(http_response(b"{}").replace(b"Length: ", b"Length: 9")),
    "HTML": lambda: serve_bytes(http_response(b"<html>")),
    "too much": lambda: serve_bytes(http_response(b" " * 10_000)),
}


@pytest.mark.parametrize("name", SERVERS)
async def test_no_failure_shows_the_token(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        SERVERS[name]() as url,
        Northflank(TOKEN, base_url=url, timeout=0.05, attempts=2, max_response_bytes=5000) as nf,
    ):
        with pytest.raises(NorthflankError) as caught:
            await nf.project("p").addon("a").backups().all()
    # The frames of this test contain the token themselves: check from the call of the client on.
    caught.value.__traceback__ = caught.tb.tb_next
    assert TOKEN not in everything_a_report_shows(caught.value)
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(pickle.loads(pickle.dumps(caught.value)))


async def test_a_token_that_comes_back_as_a_cursor_never_becomes_part_of_a_url(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(lambda _: envelope({"backups": []}, hasNextPage=True, cursor=TOKEN)) as server:
        async with server.client() as nf:
            with pytest.raises(NorthflankError, match=r"pagination\.cursor") as caught:
                await nf.project("p").addon("a").backups().all()
        assert len(server.requests) == 1
    assert TOKEN not in f"{caught.value} {caught.value.cursor} {caplog.text}"
    caught.value.__traceback__ = caught.tb.tb_next
    assert TOKEN not in everything_a_report_shows(caught.value)


async def test_no_cancellation_shows_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with responding(never_answer) as url, Northflank(TOKEN, base_url=url) as nf:
        call: Coroutine[Any, Any, Any] = nf.projects().all()
        task = asyncio.create_task(call)
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    caught.value.__traceback__ = caught.tb.tb_next
    assert TOKEN not in everything_a_report_shows(caught.value)
    assert TOKEN not in caplog.text


async def test_the_exception_that_the_caller_was_handling_keeps_its_traceback() -> None:
    async with responding(lambda _: web.Response(status=404)) as url, Northflank(TOKEN, base_url=url) as nf:
        with pytest.raises(NorthflankError) as caught:
            try:
                raise KeyError("the caller's own")
            except KeyError:
                await nf.projects()
    assert isinstance(caught.value.__context__, KeyError)
    assert caught.value.__context__.__traceback__


async def test_no_repr_shows_the_token() -> None:
    async with responding(lambda _: envelope({"backups": []})) as url, Northflank(TOKEN, base_url=url) as nf:
        addon = nf.project("p").addon("a")
        page = await addon.backups()
        for shown in (nf, addon, addon.backups(), page, page.response, nf.team("t"), nf._transport, nf.rate_limit):
            assert TOKEN not in f"{shown!r} {shown!s}"
        assert TOKEN not in repr(vars(nf._transport))


@pytest.mark.parametrize("options", [{"base_url": "ftp://x"}, {"timeout": -1}, {"team_id": "a/b"}, {"ending": "\n"}])
def test_no_error_of_the_constructor_shows_the_token(options: Any) -> None:
    ending = options.pop("ending", "")
    with pytest.raises(NorthflankError) as caught:
        Northflank(TOKEN + ending, **options)
    caught.value.__traceback__ = caught.tb.tb_next
    assert TOKEN not in everything_a_report_shows(caught.value)


async def test_a_trace_config_that_prints_its_params_does_not_show_the_token() -> None:
    seen: list[str] = []
    trace = aiohttp.TraceConfig()

    async def on_start(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(repr(params))

    trace.on_request_start.append(on_start)
    async with (
        responding(lambda _: envelope({"projects": []})) as url,
        Northflank(TOKEN, base_url=url, trace_configs=[trace]) as nf,
    ):
        await nf.projects()
    assert seen
    assert TOKEN not in seen[0]


def test_a_secret_hides_only_its_repr() -> None:
    assert (repr(Secret("x")), str(Secret("x")), f"{Secret('x')}") == ("'***'", "x", "x")


SECRET = "mongodb://root:hunter22@db.example.com"
CREDENTIALS = DestinationCredentials(
    access_key=f"key {SECRET}", secret_key=SECRET, bucket_name="b", region="r", endpoint="e"
)
CHANGES: dict[str, Callable[[Northflank], Coroutine[Any, Any, Any]]] = {
    "a connection string": lambda nf: nf.project("p").addon("a").import_backup(connection_string=SECRET),
    "an import URL": lambda nf: nf.project("p").addon("a").import_backup(url=f"https://{SECRET}"),
    "credentials": lambda nf: nf.create_backup_destination(name="abc", prefix="p/", credentials=CREDENTIALS),
    "new credentials": lambda nf: nf.backup_destination("d").update(credentials=CREDENTIALS),
}


@pytest.mark.parametrize("status", [200, 400, 503])
@pytest.mark.parametrize("change", CHANGES)
async def test_no_failure_shows_the_secrets_of_a_body(
    change: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def echo_body(request: web.Request) -> web.Response:
        sent = (await request.json())["credentials"] if "destination" in request.path else await request.json()
        secrets = [value for value in sent.values() if SECRET in value]
        error = {"status": status, "message": f"Bad {secrets}", "id": secrets[0], "details": {secrets[0]: secrets}}
        return web.json_response({"error": error, "datum": secrets}, status=status)

    async with responding(echo_body) as url, Northflank(TOKEN, base_url=url, attempts=2) as nf:
        with pytest.raises(NorthflankError) as caught:
            await CHANGES[change](nf)
    caught.value.__traceback__ = caught.tb.tb_next
    assert SECRET not in everything_a_report_shows(caught.value)
    assert SECRET not in caplog.text


async def test_a_response_that_is_read_later_does_not_show_the_token() -> None:
    async with responding(echo) as url, Northflank(TOKEN, base_url=url) as nf:
        page = await nf.project("p").addon("a").backups()
        with pytest.raises(NorthflankError) as caught:
            _ = page.items
    caught.value.__traceback__ = caught.tb.tb_next
    assert TOKEN not in everything_a_report_shows(caught.value)


async def test_no_failure_shows_the_password_of_a_proxy(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Northflank(
        TOKEN, base_url="http://127.0.0.1:2", proxy="http://user:hunter22@127.0.0.1:1", attempts=2
    ) as nf:
        assert "hunter22" not in repr(vars(nf._transport))
        with pytest.raises(NorthflankError) as caught:
            await nf.projects()
    caught.value.__traceback__ = caught.tb.tb_next
    assert "hunter22" not in everything_a_report_shows(caught.value)
    assert "hunter22" not in caplog.text


@pytest.mark.parametrize("depth", [100, 600, 900, 10_000])
def test_details_of_any_depth_can_be_redacted(depth: int) -> None:
    details: list[Any] = []
    for _ in range(depth):
        details = [details]
    error = ApiError("m a-secret-token", details=details)
    Redactor([Secret("a-secret-token")]).clean_texts(error)
    assert error.message == "m ***"


def test_only_long_secrets_are_redacted() -> None:
    redactor = Redactor([Secret("short"), Secret("long-enough")])
    assert redactor.redact({"a long-enough key": ["short", "long-enough", 7]}) == {"a *** key": ["short", "***", 7]}
    assert redactor.found_in("it is long-enough")
    assert not redactor.found_in("it is short")


ECHOED = "p/a:s+s w&o=r%d\"\\'é-7"
FORMS: dict[str, Callable[[str], str]] = {
    "exactly": str,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "percent-encoded but for slashes": quote,
    "percent-encoded in lower case": lambda secret: quote(secret, safe="").lower(),
    "percent-encoded twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "plus-encoded": quote_plus,
    "as JSON": lambda secret: json.dumps(secret)[1:-1],
    "as JSON in UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "as JSON of JSON": lambda secret: json.dumps(json.dumps(secret)[1:-1])[1:-1],
    "as JSON with escaped slashes": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "as HTML": html.escape,
    "as a repr": lambda secret: repr(secret)[1:-1],
    "percent-encoded three times": lambda secret: quote(quote(quote(secret, safe=""), safe=""), safe=""),
    "quoted-printable": lambda secret: "".join(f"={byte:02X}" for byte in secret.encode()),
    "as the old escape()": lambda secret: "".join(f"%u{ord(char):04X}" for char in secret),
    "as HTML of HTML": lambda secret: html.escape(html.escape(secret)),
    "as numbers of HTML": lambda secret: "".join(f"&#{ord(char)};" for char in secret),
    "as hex numbers of HTML": lambda secret: "".join(f"&#X00{ord(char):X};" for char in secret),
    "as numbers of HTML without semicolons": lambda secret: "".join(f"&#{ord(char)}" for char in secret),
    "as names of HTML": lambda secret: html.escape(secret).replace("/", "&sol;").replace("+", "&plus;"),
    "as Unicode escapes": lambda secret: "".join(f"\\U{ord(char):08X}" for char in secret),
    "as braced escapes": lambda secret: "".join(f"\\u{{{ord(char):x}}}" for char in secret),
    "as octal escapes": lambda secret: "".join(f"\\{ord(char):03o}" for char in secret),
    "as hex escapes": lambda secret: "".join(f"\\x{ord(char):02X}" for char in secret),
    "in hex": lambda secret: secret.encode().hex().upper(),
    "in hex with colons": lambda secret: secret.encode().hex(":"),
    "in upper case": str.upper,
    "in base64 in lines": lambda secret: re.sub("(.{5})", r"\1\n", base64.b64encode(secret.encode()).decode()),
    "in base64, percent-encoded": lambda secret: quote(base64.b64encode(secret.encode()).decode(), safe=""),
    "in base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in base64 after a user": lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
    "in base64 in front of something": lambda secret: base64.b64encode(f"ab{secret}@host".encode()).decode(),
    "in base64 for URLs": lambda secret: base64.urlsafe_b64encode(f"a{secret}".encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", [ECHOED, TOKEN, "mongodb://user:p%40ss%2Fword@host/db", "a\nb\tcdefgh"])
def test_each_form_of_a_secret_is_redacted(form: str, secret: str) -> None:
    echoed = FORMS[form](secret)
    redactor = Redactor([Secret(secret)])
    assert redactor.found_in(f"before {echoed} after")
    shown = redactor.redact({"x": [f"before {echoed} after"]})["x"][0]
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    if "base64" in form:
        middle = len(echoed) // 2
        assert echoed[middle - 2 : middle + 2] not in shown
    else:
        assert shown == "before *** after"


@pytest.mark.parametrize(
    "echoed",
    ["mongodb://user:p@ss/word@host/db", "the password p@ss/word", "the password p%40ss%2fword", "p@ss\\/word"],
)
def test_a_decoded_echo_and_the_password_of_a_url_are_redacted(echoed: str) -> None:
    redactor = Redactor([Secret("mongodb://user:p%40ss%2Fword@host/db")])
    assert "word" not in redactor.redact(echoed).replace("password", "")


def test_a_message_without_a_secret_is_unchanged() -> None:
    redactor = Redactor([Secret(TOKEN), Secret(ECHOED), Secret("https://storage.test/a?X-Signature=0123456789")])
    text = "There is no backup b1 in example-addon of default-project at https://storage.test/"
    assert redactor.redact(text) == text


@pytest.mark.parametrize("name", ["accessKey", "secretKey", "downloadLink", "connectionString", "token", "apiToken",
                                  "password", "credentials", "X-Amz-Signature", "secret_key"])  # fmt: skip
@pytest.mark.parametrize("value", ["hunter22", 7, ["hunter22"], {"value": "hunter22"}, {"a": [{"b": "hunter22"}]}])
def test_the_value_of_a_secret_field_is_redacted_whatever_its_shape(name: str, value: Any) -> None:
    assert without_secrets({"x": [{name: value, "y": 1}]}) == {"x": [{name: "***", "y": 1}]}
    error = ApiError("m", details=[{name: value}])
    Redactor([]).clean_texts(error)
    assert error.details == [{name: "***"}]


LINK = "https://storage.test/x?X-Signature=0123456789"
MALFORMED = {
    "JSON cut short": http_response(f'{{"data": {{"downloadLink": "{LINK}'),
    "JSON with text behind it": http_response(f'{{"data": {{"downloadLink": "{LINK}"}}}}?'),
    "JSON with NaN": http_response(f'{{"data": {{"downloadLink": "{LINK}", "size": NaN}}}}'),
    "a header": f"HTTP/1.1 200 OK\r\n{LINK}\r\n\r\n".encode(),
    "a long header": f"HTTP/1.1 200 OK\r\nX: {LINK * 1000}\r\n\r\n".encode(),
    "a status line": f"HTTP/1.1 {LINK}\r\n\r\n".encode(),
    "a chunk": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{LINK}\r\n".encode(),
    "a body without its length": f'HTTP/1.1 304 X\r\nConnection: close\r\n\r\n{{"downloadLink": "{LINK}"}}'.encode(),
}


@pytest.mark.parametrize("malformed", MALFORMED)
async def test_no_error_quotes_a_malformed_response(malformed: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve_bytes(MALFORMED[malformed]) as url, Northflank(TOKEN, base_url=url, attempts=2) as nf:
        with pytest.raises(NorthflankError) as caught:
            await nf.project("p").addon("a").backup("b").download_link()
    caught.value.__traceback__ = caught.tb.tb_next
    assert "0123456789" not in everything_a_report_shows(caught.value) + caplog.text
    assert "\\n" not in str(caught.value)


SHAPES: list[Callable[[str], Any]] = [
    lambda secret: secret,
    lambda secret: [secret],
    lambda secret: {"url": secret},
    lambda secret: {"a": [[secret]]},
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", ["data", "downloadLink"])
async def test_no_error_shows_a_link_of_unexpected_shape(shape: Callable[[str], Any], place: str) -> None:
    link = "https://storage.test/x?X-Signature=0123456789"
    data = shape(link) if place == "data" else {place: [shape(link)]}
    async with responding(lambda _: envelope(data)) as url, Northflank(TOKEN, base_url=url) as nf:
        with pytest.raises(DecodeError) as caught:
            await nf.project("p").addon("a").backup("b").download_link()
    caught.value.__traceback__ = caught.tb.tb_next
    assert "0123456789" not in everything_a_report_shows(caught.value)
    assert "storage.test" not in str(caught.value)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("place", ["credentials", "accessKey", "secretKey"])
async def test_no_error_shows_a_key_of_unexpected_shape(shape: Callable[[str], Any], place: str) -> None:
    key = "AKIAIOSFODNN7"
    data: Any = {place: [shape(key)]}
    data = {"name": "n", **(data if place == "credentials" else {"credentials": data})}
    listing = {"backupDestinations": [data]}
    async with (
        responding(lambda request: envelope(listing if "per_page" in request.query else data)) as url,
        Northflank(TOKEN, base_url=url) as nf,
    ):
        reads: list[Callable[[], Any]] = [nf.backup_destination("d").get, nf.backup_destinations().all]
        for read in reads:
            with pytest.raises(DecodeError, match=r"expected |missing") as caught:
                await read()
            caught.value.__traceback__ = caught.tb.tb_next
            assert key not in everything_a_report_shows(caught.value)


async def test_the_data_of_an_error_about_a_change_hides_its_secrets() -> None:
    data = ["AKIAIOSFODNN7", {"credentials": {"secretKey": "hunter22"}}, CREDENTIALS.secret_key]
    async with responding(lambda _: envelope(data)) as url, Northflank(TOKEN, base_url=url) as nf:
        with pytest.raises(DecodeError) as caught:
            await nf.create_backup_destination(name="abc", prefix="p/", credentials=CREDENTIALS)
    assert caught.value.data == ["AKIAIOSFODNN7", {"credentials": "***"}, "***"]
