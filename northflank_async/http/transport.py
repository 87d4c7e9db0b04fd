"""Sending requests over aiohttp, with retries and the budget."""

import asyncio
import hashlib
import logging
import re
import sys
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from northflank_async.errors import ConfigurationError, DecodeError, NorthflankError, RateLimited, TransportError
from northflank_async.http.budget import Budget
from northflank_async.http.deadline import current_deadline, deadline_block, end_at_deadline
from northflank_async.http.exchange import Envelope, Exchange
from northflank_async.http.phase import Phase
from northflank_async.http.rate_limit import Charge
from northflank_async.http.redaction import Redactor, Secret
from northflank_async.http.request import build_request
from northflank_async.http.response import Body, Response, is_success, read_body
from northflank_async.http.retry import retry, retry_delay
from northflank_async.http.session import ProxySettings, derive_session, open_session, open_storage_session

_log = logging.getLogger("northflank_async")

T = TypeVar("T")

_QUOTED = re.compile(r":?\s*(?:\n|b['\"])")
"""Where aiohttp quotes the response in the message of an error."""
_NO_TIMEOUT = aiohttp.ClientTimeout()
"""Disables aiohttp's timeout; ours covers the whole attempt."""


class Transport:
    """Sends requests: up to `attempts` times, each within `timeout` seconds and admitted by the budget.

    It opens a session with the first request and closes it on `close()`; a caller's session stays open.
    """

    def __init__(
        self,
        *,
        base_url: URL,
        token: Secret,
        budget: Budget,
        session: aiohttp.ClientSession | None,
        proxy: Secret | None,
        trust_env: bool | None,
        timeout: float,
        deadline: float | None,
        attempts: int,
        max_response_bytes: int,
        trace_configs: Sequence[aiohttp.TraceConfig],
        middlewares: Sequence[aiohttp.ClientMiddlewareType],
    ) -> None:
        self.budget = budget
        self.base_url = base_url
        self.attempts = attempts
        self.timeout = timeout
        self._token = token
        self._redactor = Redactor([token, *([proxy] if proxy else [])])
        self._callers_session = session
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._proxies = ProxySettings.of(proxy, trust_env, session)
        self._deadline = deadline
        self._max_response_bytes = max_response_bytes
        self._trace_configs = list(trace_configs)
        self._middlewares = tuple(middlewares)
        self._closed = False
        self._running: set[asyncio.Timeout] = set()

    @property
    def token_fingerprint(self) -> str:
        """A hash that tells the token apart from others, and does not reveal it."""
        return hashlib.sha256(f"northflank-async {self._token}".encode()).hexdigest()[:16]

    async def send(self, method: str, path: str, params: Mapping[str, Any] | None = None, json: Any = None) -> Envelope:
        """Send a request, and retry it where that helps.

        Raises:
            NorthflankError: with the request, the number of attempts and the time spent on them.
        """
        self._redactor = self._redactor.including(self.find_proxy(self.base_url))  # the environment's may change
        request = build_request(self.base_url, self._token, method, path, params, json, redactor=self._redactor)
        exchange = Exchange(request, self.budget.time())
        handled = sys.exception()
        try:
            self._check_open()
            return await self.until_closed(self._retry(exchange))
        except (NorthflankError, asyncio.CancelledError) as error:
            exchange.annotate(error, self.budget.time(), handled)
            raise

    async def until_closed(self, work: Awaitable[T]) -> T:
        """Await something, and end it when the client is closed or at the deadline.

        Raises:
            TransportError: the client was closed.
            DeadlineExceeded: it takes longer than the deadline.
        """
        try:
            async with asyncio.timeout(None) as timeout:
                self._running.add(timeout)
                try:
                    if self._deadline is None and current_deadline(self.budget) is None:
                        return await work
                    async with end_at_deadline(self.budget, self._deadline):
                        return await work
                finally:
                    self._running.discard(timeout)
        except TimeoutError:
            if not timeout.expired():
                raise
        raise TransportError("the client was closed before a response arrived")

    def deadline(self, seconds: float) -> AbstractContextManager[None]:
        """Set the deadline of all calls in a block."""
        return deadline_block(self.budget, seconds)

    async def close(self) -> None:
        """Close the session, but not the caller's. Running requests end with a `TransportError`."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for timeout in self._running:
            timeout.reschedule(now)
        self._running.clear()
        await self._close_sessions(asyncio.get_running_loop())

    async def open_storage_session(self) -> aiohttp.ClientSession:
        """Open a session over the same connections for other hosts: without the token, and without a caller's headers.

        Its requests need a `Phase` as `trace_request_ctx`.
        """
        return open_storage_session(await self._open_session(), self.timeout)

    def find_proxy(self, url: URL) -> Secret | None:
        """The proxy for requests to a URL."""
        return self._proxies.find(url)

    async def _retry(self, exchange: Exchange) -> Envelope:
        deadline = current_deadline(self.budget)
        if deadline:
            deadline.exchange = exchange

        def delay(error: Exception) -> bool | float:
            if isinstance(error, RateLimited) and self.budget.raises:
                return False
            return retry_delay(error, exchange.request.method)

        def announce(error: Exception, pause: float) -> None:
            exchange.phase, exchange.pausing = None, True
            self._log_retry(exchange, error, pause)

        return await retry(
            lambda: self._attempt(exchange),
            attempts=self.attempts,
            delay=delay,
            announce=announce,
            sleep=self.budget.sleep,
        )

    def _log_retry(self, exchange: Exchange, error: Exception, pause: float) -> None:
        self.budget.retries += 1
        _log.warning(
            "%s %s failed: %s; retrying%s (attempt %d of %d)",
            exchange.request.method,
            exchange.request.url.raw_path_qs,
            error,
            f" in {pause:.0f} s" if pause >= 1 else "",
            exchange.attempts + 1,
            self.attempts,
            extra={"attempt": exchange.attempts + 1},  # tells retries from other warnings
        )

    async def _attempt(self, exchange: Exchange) -> Envelope:
        exchange.pausing = False
        async with self.budget.admit() as charge:
            exchange.attempts += 1
            started = self.budget.time()
            outcome: object = "cancelled"
            try:
                response, body = await self._exchange(exchange, charge)
                outcome = response.status
                data, pagination = _read(exchange, response, body)
                return Envelope(
                    data=data,
                    pagination=pagination,
                    response=response,
                    exchange=exchange,
                    received=self.budget.time(),
                )
            except NorthflankError as error:
                exchange.request.redactor.clean_texts(error)  # a log line may show them
                outcome = outcome if isinstance(outcome, int) else error
                raise
            finally:
                if _log.isEnabledFor(logging.DEBUG):
                    self._log_attempt(exchange, outcome, self.budget.time() - started)

    def _log_attempt(self, exchange: Exchange, outcome: object, elapsed: float) -> None:
        rate_limit = self.budget.rate_limit
        _log.debug(
            "%s %s -> %s in %.0f ms (attempt %d, %s requests remaining)",
            exchange.request.method,
            exchange.request.url.raw_path_qs,
            outcome,
            elapsed * 1000,
            exchange.attempts,
            rate_limit.remaining if rate_limit else "unknown",
        )

    async def _exchange(self, exchange: Exchange, charge: Charge) -> tuple[Response, bytes]:
        request = exchange.request
        exchange.phase = phase = Phase(self.timeout)
        response: Response | None = None
        failure: TransportError | None = None
        body = b""
        try:
            session = await self._open_session()
            async with (
                phase.timeout(),
                session.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    data=request.body,
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=True,
                    timeout=_NO_TIMEOUT,
                    proxy=self._proxies.find(request.url),
                    trace_request_ctx=phase,
                ) as received,
            ):
                self.budget.update(charge, received.status, received.headers)
                phase.succeeded = is_success(received.status)
                response = Response(
                    status=received.status, headers=received.headers, url=request.url, method=request.method
                )
                body = await self._receive_body(received)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            if response is None or is_success(
                response.status
            ):  # an error status is enough, even with an incomplete body
                failure = _transport_error(error, phase)
        except ConfigurationError:
            raise  # it is a ValueError, too
        except ValueError as error:
            raise ConfigurationError(f"the request cannot be sent: {error}") from error
        finally:
            if not phase.sent:
                self.budget.refund(charge)
        if failure:
            raise failure  # outside the handler, so that its cause is only what _transport_error() chose
        assert response
        return response, body

    async def _receive_body(self, received: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := await received.content.readany():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_response_bytes:
                if is_success(received.status):
                    raise DecodeError(f"the response is larger than {self._max_response_bytes} bytes")
                break
        return b"".join(chunks)

    def _check_open(self) -> None:
        if self._closed:
            raise TransportError("the client is closed", sent=False)

    async def _open_session(self) -> aiohttp.ClientSession:
        self._check_open()  # it may have been closed while the budget waited
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:
            if self._callers_session is None:
                session = open_session(self._trace_configs, self._middlewares)
            else:
                session = derive_session(self._callers_session, self._middlewares)
            self._sessions[loop] = session
            await self._close_sessions()
        elif self._callers_session and self._callers_session.closed:
            raise ConfigurationError("the session that was passed in is closed")
        return session

    async def _close_sessions(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Close the sessions of this loop and of closed ones.

        Those of other loops stay open: only their own loop can close them, and in a forked process, they are in use by
        its parent.
        """
        for owner in [owner for owner in self._sessions if owner is loop or owner.is_closed()]:
            await self._sessions.pop(owner).close()


def _read(exchange: Exchange, response: Response, body: bytes) -> Body:
    try:
        return read_body(response, body)
    except DecodeError:
        if exchange.phase:
            exchange.phase.succeeded = False  # it may come from another server
        raise


def _transport_error(error: Exception, phase: Phase) -> TransportError:
    failure = TransportError(_reason(error, phase), sent=phase.sent)
    if not isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        failure.__cause__ = error  # those quote the response, which may contain secrets
    return failure


def _reason(error: Exception, phase: Phase) -> str:
    match error:
        case aiohttp.ClientProxyConnectionError():
            return f"no connection to the proxy {error.host}:{error.port}: {_text(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"no connection to {error.host}:{error.port}: {_text(error.os_error)}"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy rejected the connection: {error.status} {error.message}"
        case TimeoutError():
            return f"no {'response' if phase.sent else 'connection'} within {phase.seconds:g} s"
        case aiohttp.ClientPayloadError():
            return "the response was truncated"
        case aiohttp.ClientResponseError():
            return f"the response is not HTTP: {re.split(_QUOTED, error.message)[0]}"
        case aiohttp.ServerDisconnectedError():  # its text may be that of half a response
            return "the connection broke: the server disconnected"
    return f"the connection broke: {_text(error)}"


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
