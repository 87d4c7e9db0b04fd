"""Proxies: for https only, never for loopback, and never with the token in clear text."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from northflank_async import ConfigurationError, Northflank, TransportError
from northflank_async.http.redaction import Secret
from northflank_async.http.session import ProxySettings
from tests.support.scripted_server import TOKEN, ScriptedServer, envelope, serve, serve_bytes
from tests.support.sockets import CA, HOST, Proxy, serve_proxy, server_context, trusting_session

CONTENT = b"the backup"
VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def _no_proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def respond(request: web.Request) -> web.Response:
    if request.path.endswith("/download-link"):
        return envelope({"downloadLink": f"https://{HOST}/storage/1"})
    if request.path.startswith("/storage"):
        return web.Response(body=CONTENT)
    return envelope({"projects": [{"id": "p"}]})


def port_of(server: ScriptedServer | Proxy) -> int:
    port = URL(server.url).port
    assert port
    return port


CONFIGURATIONS = ["the argument", "the argument of a client with a session", "the environment"]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
async def test_a_proxy_tunnels_the_api_and_downloads(
    configuration: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(respond, server_context()) as server, serve_proxy(port_of(server)) as proxy:
        url = proxy.url.replace("//", "//user:password@")
        options: dict[str, Any] = {}
        if configuration.startswith("the argument"):
            options["proxy"] = url
            monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        elif configuration == "the environment":
            monkeypatch.setenv("HTTPS_PROXY", url)
        async with (
            trusting_session(trust_env=configuration == "the environment") as session,
            Northflank(TOKEN, base_url=f"https://{HOST}", session=session, **options) as nf,
        ):
            assert [project.id async for project in nf.projects()] == ["p"]
            path = await nf.project("p").addon("a").backup("b").download(tmp_path / "b")
        assert path.read_bytes() == CONTENT
        assert proxy.heads
        for head in proxy.heads:
            assert head.startswith(f"CONNECT {HOST}:443 ")
            assert "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==" in head
            assert TOKEN not in head


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_is_never_used_for_loopback(
    configuration: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        serve(lambda _: envelope({})) as proxy,
        serve(respond, server_context() if scheme == "https" else None) as server,
    ):
        options: dict[str, Any] = {"proxy": proxy.url} if configuration.startswith("the argument") else {}
        if configuration == "the environment":
            for name in VARIABLES[:2]:
                monkeypatch.setenv(name, proxy.url)
                monkeypatch.setenv(name.upper(), proxy.url)
        async with trusting_session(trust_env=True) as session:
            for host in ("127.0.0.1", "localhost"):
                url = f"{scheme}://{host}:{port_of(server)}"
                async with Northflank(TOKEN, base_url=url, session=session, **options) as nf:
                    await nf.projects()
        assert proxy.requests == []
        assert len(server.requests) == 2


def test_the_environment_is_respected_by_default(tmp_path: Path) -> None:
    """HTTPS_PROXY, NO_PROXY and SSL_CERT_FILE, in a process of its own: the last is read when it starts."""
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    program = """
import asyncio, os
from northflank_async import Northflank, TransportError
from tests.http.test_proxy import HOST, TOKEN, port_of, respond, serve, serve_proxy, server_context
from tests.support import sockets

async def main():
    context = sockets.server_context()
    os.environ["SSL_CERT_FILE"] = sockets_ca
    async with serve(respond, context) as server, serve_proxy(port_of(server)) as proxy:
        os.environ["HTTPS_PROXY"] = proxy.url
        async with Northflank(TOKEN, base_url=f"https://{HOST}") as nf:
            print(len((await nf.projects()).items), len(proxy.heads))
        for options in ({"trust_env": False}, {}):
            if not options:
                os.environ["NO_PROXY"] = "other.test,.example.test"
            async with Northflank(TOKEN, base_url=f"https://{HOST}", attempts=1, **options) as nf:
                try:
                    await nf.projects()
                except TransportError as error:
                    print(len(proxy.heads), error.sent)

sockets_ca = os.environ["SSL_CERT_FILE"]
asyncio.run(main())
"""
    # The certificate authority is made anew in each process, so hand its key down.
    child = program.replace("from tests.support import sockets\n", "from tests.support import sockets\n" + _REUSE_CA)
    done = subprocess.run(
        [sys.executable, "-c", child],
        env={"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "CA_KEY": CA.private_key_pem.bytes().decode(), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["1 1", "1 False", "1 False"]


_REUSE_CA = """
import pathlib, trustme
sockets.CA = trustme.CA.from_pem(pathlib.Path(os.environ["SSL_CERT_FILE"]).read_bytes(), os.environ["CA_KEY"].encode())
"""


@pytest.mark.parametrize(
    ("variables", "url", "expected"),
    [
        ({"HTTPS_PROXY": "http://proxy.test:3128"}, "https://api.northflank.com", "http://proxy.test:3128"),
        ({"https_proxy": "proxy.test:3128"}, "https://api.northflank.com", "http://proxy.test:3128"),
        ({"HTTP_PROXY": "http://proxy.test:3128"}, "https://api.northflank.com", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "*"}, "https://api.northflank.com", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "northflank.com"}, "https://api.northflank.com", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "api.test:8443"}, "https://api.test:8443", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "api.test:1"}, "https://api.test:8443", "http://proxy.test"),
        ({"HTTPS_PROXY": "http://proxy.test", "HTTP_PROXY": "http://proxy.test"}, "http://localhost", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "*.northflank.com"}, "https://api.northflank.com", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "a.test, *"}, "https://api.northflank.com", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "a.test b.test"}, "https://b.test", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "a.test"}, "https://a.test.", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "[2001:db8::1]"}, "https://[2001:db8::1]", None),
        ({"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "flank.com,"}, "https://northflank.com", "http://proxy.test"),
        ({"HTTPS_PROXY": " "}, "https://api.northflank.com", None),
        ({"HTTPS_PROXY": "http://proxy.test"}, "https://[::1]", None),
        ({"HTTPS_PROXY": "http://proxy.test"}, "https://localhost.", None),
        ({"HTTPS_PROXY": "http://proxy.test"}, "https://[::ffff:127.0.0.1]", None),
        ({"HTTPS_PROXY": "http://proxy.test"}, "https://127.9.9.9:8443", None),
    ],
)
def test_the_variables_of_the_environment(
    variables: dict[str, str], url: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ProxySettings().find(URL(url)) == expected
    assert ProxySettings(trust_env=False).find(URL(url)) is None


@pytest.mark.parametrize("value", ["socks5://user:hunter22@proxy.test", "http://[user:hunter22@"])
def test_a_proxy_of_the_environment_that_cannot_be_used_is_named_and_not_shown(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(ConfigurationError, match=r"^HTTPS_PROXY ") as caught:
        ProxySettings().find(URL("https://api.northflank.com"))
    assert "hunter22" not in f"{caught.value!r} {ProxySettings(Secret(value))!r}"


@pytest.mark.parametrize("configuration", ["the argument", "the environment"])
async def test_a_proxy_that_echoes_its_password_does_not_reveal_it(
    configuration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve_bytes(b"HTTP/1.1 407 hunter22-is-wrong\r\nContent-Length: 0\r\n\r\n") as url:
        proxy = url.replace("//", "//user:hunter22-is-wrong@")
        if configuration == "the environment":
            monkeypatch.setenv("HTTPS_PROXY", proxy)
        options: dict[str, Any] = {"proxy": proxy} if configuration == "the argument" else {}
        async with Northflank(TOKEN, base_url="https://api.test", attempts=1, **options) as nf:
            with pytest.raises(TransportError, match=r"^the proxy rejected the connection: 407 \*\*\*") as caught:
                await nf.projects()
    assert "hunter22" not in f"{caught.value!r} {caught.value.__cause__!r} {vars(caught.value)}"


async def test_a_session_decides_on_the_environment_unless_the_client_does() -> None:
    for trust_env in (True, False):
        async with aiohttp.ClientSession(trust_env=trust_env) as session:
            assert ProxySettings.of(None, None, session).trust_env is trust_env
            assert ProxySettings.of(None, not trust_env, session).trust_env is not trust_env
