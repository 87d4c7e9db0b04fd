"""The aiohttp session that requests are sent over, and the proxy of each URL."""

import asyncio
import re
from collections.abc import Sequence
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import aiohttp
from attrs import frozen
from yarl import URL

from northflank_async.errors import ConfigurationError
from northflank_async.http.phase import phase_tracing
from northflank_async.http.redaction import Secret
from northflank_async.http.request import is_loopback, parse_proxy


def open_session(
    trace_configs: Sequence[aiohttp.TraceConfig], middlewares: Sequence[aiohttp.ClientMiddlewareType]
) -> aiohttp.ClientSession:
    """Open a session of our own."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[phase_tracing(), *trace_configs],
        middlewares=(_send_once, *middlewares),
    )


def derive_session(
    session: aiohttp.ClientSession, middlewares: Sequence[aiohttp.ClientMiddlewareType]
) -> aiohttp.ClientSession:
    """Open a session over a caller's connections that also observes phases and sends each request once.

    It has the caller's headers, cookies and trace configs. aiohttp has no public names for the session's middlewares
    and proxy, so these are arguments of their own. Closing it leaves the caller's session open.

    Raises:
        ConfigurationError: the session is closed, sets auth, or belongs to another event loop.
    """
    if session.closed:
        raise ConfigurationError("the session that was passed in is closed")
    if session.auth is not None:
        raise ConfigurationError("the session that was passed in sets AUTH, which would replace the token")
    try:
        return aiohttp.ClientSession(
            loop=asyncio.get_running_loop(),
            connector=session.connector,
            connector_owner=False,
            cookie_jar=session.cookie_jar,
            headers=session.headers,
            skip_auto_headers=session.skip_auto_headers,
            trace_configs=[phase_tracing(), *session.trace_configs],
            middlewares=(_send_once, *middlewares),
        )
    except RuntimeError:
        raise ConfigurationError(
            "the session that was passed in belongs to another event loop: open one in each asyncio.run()"
        ) from None


def open_storage_session(session: aiohttp.ClientSession, timeout: float) -> aiohttp.ClientSession:
    """Open a session over the same connections for other hosts: without the token, and without a caller's headers.

    Its requests are not traced, as their URLs are secrets: neither by a caller's trace configs, nor by those that a
    tool such as OpenTelemetry's instrumentation adds to every session.

    `timeout` is for each read, in seconds; a `Phase` has the one for connecting.
    """
    tracing = phase_tracing()
    opened = aiohttp.ClientSession(
        connector=session.connector,
        connector_owner=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(sock_read=timeout),
        trace_configs=[tracing],
    )
    opened.trace_configs[:] = [tracing]
    return opened


@frozen
class ProxySettings:
    """Finds the proxy of a URL: one for all https, or those of the environment."""

    proxy: Secret | None = None
    trust_env: bool = True

    @classmethod
    def of(cls, proxy: Secret | None, trust_env: bool | None, session: aiohttp.ClientSession | None) -> "ProxySettings":
        """The settings of a client; `trust_env` defaults to that of a caller's session."""
        if session is not None and trust_env is None:
            trust_env = session.trust_env
        return cls(proxy, trust_env is not False)

    def find(self, url: URL) -> Secret | None:
        """The proxy for a URL. There is none for plain http, which would show the token to it, and for loopback.

        Raises:
            ConfigurationError: the environment's proxy is not the URL of one.
        """
        host = (url.host or "").removesuffix(".")
        if url.scheme != "https" or is_loopback(host):
            return None
        if self.proxy or not self.trust_env:
            return self.proxy
        variables = getproxies_environment()
        proxy = variables.get("https", "").strip()
        if not proxy or _is_exempt(host, url.port, variables.get("no", "")):
            return None
        return parse_proxy(proxy if "://" in proxy else f"http://{proxy}", "HTTPS_PROXY")


def _is_exempt(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether a host is in `NO_PROXY`, in any notation that is in use: `a,b`, `a b`, `.a`, `*.a`, `*`."""
    entries = [entry.removeprefix("*.").strip("[]") for entry in re.split(r"[\s,]+", no_proxy)]
    return "*" in entries or bool(proxy_bypass_environment(f"{host}:{port}", {"no": ",".join(entries)}))


async def _send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request a second time by itself, past the budget and our rules for retries."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ServerDisconnectedError as error:  # its text may be that of half a response
        raise aiohttp.ClientConnectionError("the server disconnected") from error
    except aiohttp.ClientOSError as error:
        raise aiohttp.ClientConnectionError(str(error) or type(error).__name__) from error
