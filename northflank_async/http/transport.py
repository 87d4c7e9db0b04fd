"""Sending requests over aiohttp, with retries and the budget."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from northflank_async.errors import ConfigurationError, DecodeError, NorthflankError, RateLimited, TransportError
from northflank_async.http.budget import Budget
from northflank_async.http.exchange import Answer, Exchange
from northflank_async.http.rate_limit import Charge
from northflank_async.http.redaction import Secret
from northflank_async.http.request import Request, build_request
from northflank_async.http.response import Response, is_success, read_envelope, retry_delay

_log = logging.getLogger("northflank_async")

T = TypeVar("T")

_NO_TIMEOUT = aiohttp.ClientTimeout()
"""Disables aiohttp's timeout; ours covers the whole attempt."""
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0


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
        timeout: float,
        attempts: int,
        max_response_bytes: int,
        trace_configs: Sequence[aiohttp.TraceConfig],
    ) -> None:
        self.budget = budget
        self.base_url = base_url
        self.attempts = attempts
        self._token = token
        self._session = session
        self._owns_session = session is None
        self._proxy = proxy
        self._timeout = timeout
        self._max_response_bytes = max_response_bytes
        self._trace_configs = list(trace_configs)
        self._closed = False
        self._running: set[asyncio.Timeout] = set()

    async def send(self, method: str, path: str, params: Mapping[str, Any] | None = None, json: Any = None) -> Answer:
        """Send a request, and retry it where that helps.

        Raises:
            NorthflankError: with the request, the number of attempts and the time spent on them.
        """
        exchange = Exchange(build_request(self.base_url, self._token, method, path, params, json), self.budget.time())
        handled = sys.exception()
        try:
            self._check_open()
            return await self.until_closed(self._retry(exchange))
        except (NorthflankError, asyncio.CancelledError) as error:
            exchange.annotate(error, self.budget.time(), handled)
            raise

    async def until_closed(self, work: Awaitable[T]) -> T:
        """Await something, and end it with a `TransportError` when the client is closed."""
        try:
            async with asyncio.timeout(None) as timeout:
                self._running.add(timeout)
                try:
                    return await work
                finally:
                    self._running.discard(timeout)
        except TimeoutError:
            if not timeout.expired():
                raise
        raise TransportError("the client was closed before the answer came")

    async def close(self) -> None:
        """Close the session, unless it is the caller's. Running requests end with a `TransportError`."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for timeout in self._running:
            timeout.reschedule(now)
        self._running.clear()
        if self._session and self._owns_session:
            await self._session.close()

    def open_storage_session(self) -> aiohttp.ClientSession:
        """Open a session over the same connections for other hosts: without the token, and without a caller's headers.

        Its timeout covers connecting and each read.
        """
        session = self._open_session()
        return aiohttp.ClientSession(
            connector=session.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(sock_connect=self._timeout, sock_read=self._timeout),
            trust_env=session.trust_env,
            proxy=self._proxy,
        )

    async def _retry(self, exchange: Exchange) -> Answer:
        try:
            return await self._attempt(exchange)  # most succeed, and need none of the following
        except NorthflankError as error:
            failed: NorthflankError | None = error
        import stamina  # slow to import, and most processes never need it

        async for attempt in stamina.retry_context(
            on=partial(self._retry_delay, exchange),
            attempts=self.attempts,
            timeout=None,
            wait_initial=FIRST_BACKOFF,
            wait_max=LONGEST_BACKOFF,
        ):
            with attempt:
                if failed:
                    first, failed = failed, None
                    raise first
                return await self._attempt(exchange)
        raise AssertionError("an attempt returns or raises")

    def _retry_delay(self, exchange: Exchange, error: Exception) -> bool | float:
        """Decide whether another attempt follows a failed one, and log it."""
        if isinstance(error, RateLimited) and self.budget.raises:
            return False
        delay = retry_delay(error, exchange.request.method)
        if delay is False or exchange.attempts >= self.attempts:
            return False
        self.budget.retries += 1
        _log.warning(
            "%s %s failed: %s; retrying%s (attempt %d of %d)",
            exchange.request.method,
            exchange.request.url.raw_path_qs,
            error,
            "" if delay is True or not delay else f" in {delay:.0f} s",
            exchange.attempts + 1,
            self.attempts,
            extra={"attempt": exchange.attempts + 1},  # tells retries from other warnings
        )
        return delay

    async def _attempt(self, exchange: Exchange) -> Answer:
        async with self.budget.admit() as charge:
            exchange.attempts += 1
            started = self.budget.time()
            outcome: object = "cancelled"
            try:
                response, body = await self._exchange(exchange.request, charge)
                outcome = response.status
                data, pagination = read_envelope(response, body)
                return Answer(
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
            "%s %s -> %s in %.0f ms (attempt %d, %s requests left)",
            exchange.request.method,
            exchange.request.url.raw_path_qs,
            outcome,
            elapsed * 1000,
            exchange.attempts,
            rate_limit.remaining if rate_limit else "unknown",
        )

    async def _exchange(self, request: Request, charge: Charge) -> tuple[Response, bytes]:
        session = self._open_session()
        response: Response | None = None
        body = b""
        try:
            async with (
                asyncio.timeout(self._timeout),
                session.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    data=request.body,
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=True,
                    timeout=_NO_TIMEOUT,
                    proxy=self._proxy,
                ) as answer,
            ):
                self.budget.learn(charge, answer.status, answer.headers)
                response = Response(
                    status=answer.status, headers=answer.headers, url=request.url, method=request.method
                )
                body = await self._read_body(answer)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            if isinstance(error, aiohttp.ClientConnectorError):
                self.budget.refund(charge)
            if response is None or is_success(response.status):  # a refusal counts, even if its body is incomplete
                raise self._transport_error(error) from error
        except ValueError as error:
            raise ConfigurationError(
                f"the session cannot send this ({error}): does it set auth, or does ~/.netrc match the host?"
            ) from error
        return response, body

    async def _read_body(self, answer: aiohttp.ClientResponse) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := await answer.content.readany():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_response_bytes:
                if is_success(answer.status):
                    raise DecodeError(f"the answer is larger than {self._max_response_bytes} bytes")
                break
        return b"".join(chunks)

    def _transport_error(self, error: Exception) -> TransportError:
        match error:
            case aiohttp.ClientConnectorError():
                return TransportError(f"no connection to {error.host}:{error.port}: {error.os_error}", sent=False)
            case TimeoutError():
                return TransportError(f"no answer within {self._timeout:g} s")
            case aiohttp.ClientPayloadError():
                return TransportError("the answer was cut short")
            case aiohttp.ClientResponseError():
                return TransportError(f"the answer is not HTTP: {error.message}")
        return TransportError(f"the connection broke: {error}")

    def _check_open(self) -> None:
        if self._closed:
            raise TransportError("the client is closed", sent=False)

    def _open_session(self) -> aiohttp.ClientSession:
        self._check_open()  # it may have been closed while the budget waited
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), trace_configs=self._trace_configs, middlewares=(_send_once,)
            )
        if self._session.closed:
            raise ConfigurationError("the session that was passed in is closed")
        return self._session


async def _send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request a second time by itself, past the budget and our rules for retries."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error) or type(error).__name__) from error
