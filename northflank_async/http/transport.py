"""One exchange over aiohttp, with retries and the budget."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from northflank_async.errors import (
    ConfigurationError,
    DecodeError,
    NorthflankError,
    RateLimited,
    TransportError,
)
from northflank_async.http.budget import Admission, Budget
from northflank_async.http.redaction import Secret
from northflank_async.http.request import Request, build_request
from northflank_async.http.response import Envelope, Response, is_success, read_envelope, retry_delay

_log = logging.getLogger("northflank_async")

T = TypeVar("T")

_NO_TIMEOUT = aiohttp.ClientTimeout()
"""Of aiohttp's own: an attempt's goes over all that it does."""
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
_SHORTEST_SECRET = 8
"""Characters."""


class Transport:
    """Sends requests: each attempt within `timeout` seconds and paid for by the budget, `attempts` at the most.

    It opens a session with the first request and closes it with itself; a caller's session stays open.
    """

    def __init__(
        self,
        *,
        base_url: URL,
        token: Secret,
        budget: Budget,
        session: aiohttp.ClientSession | None,
        timeout: float,
        attempts: int,
        max_response_bytes: int,
        trace_configs: Sequence[aiohttp.TraceConfig],
    ) -> None:
        self.budget = budget
        self.base_url = base_url
        self._token = token
        self._session = session
        self._owns_session = session is None
        self._timeout = timeout
        self.attempts = attempts
        self._max_response_bytes = max_response_bytes
        self._trace_configs = list(trace_configs)
        self._closed = False
        self._under_way: set[asyncio.Timeout] = set()

    async def send(
        self,
        method: str,
        path: str,
        read: Callable[[Envelope], T],
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
    ) -> T:
        """Send a request, again where that helps, and `read` the answer.

        Raises:
            NorthflankError: with the request, the number of attempts and the time that went into them.
        """
        request = build_request(self.base_url, self._token, method, path, params, json)
        started = self.budget.time()
        handled = sys.exception()
        retries = _Retries(request, self.attempts, self.budget.waits)
        try:
            self._check_open()
            return await self.until_closed(self._retry(request, read, retries))
        except (NorthflankError, asyncio.CancelledError) as error:
            if isinstance(error, NorthflankError):
                error.method, error.url = request.method, request.url
                error.attempts, error.elapsed = retries.attempt, self.budget.time() - started
            self._drop_frames(error, handled, request.secrets)
            raise

    async def until_closed(self, work: Awaitable[T]) -> T:
        """The result of something that ends with a `TransportError` when the client is closed."""
        try:
            async with asyncio.timeout(None) as scope:
                self._under_way.add(scope)
                try:
                    return await work
                finally:
                    self._under_way.discard(scope)
        except TimeoutError:
            if not scope.expired():
                raise
        raise TransportError("the client was closed before the answer came")

    def read_later(self, read: Callable[[], T], response: Response) -> T:
        """Read more of an answer that `send` has given back: an error is that request's all the same."""
        handled = sys.exception()
        try:
            return read()
        except NorthflankError as error:
            error.method, error.url = response.method, response.url
            self._redact(error, ())
            self._drop_frames(error, handled, ())
            raise

    async def close(self) -> None:
        """Close the session, unless it is the caller's. Requests under way end with a `TransportError`."""
        self._closed = True
        now = asyncio.get_running_loop().time()
        for scope in self._under_way:
            scope.reschedule(now)
        self._under_way.clear()
        if self._session and self._owns_session:
            await self._session.close()

    def holds_token(self, text: str) -> bool:
        """Whether a server has sent the token back."""
        return self._holds_secret(text, ())

    def _holds_secret(self, text: str, of_body: Sequence[Secret]) -> bool:
        return any(secret in text for secret in self._secrets(of_body))

    def _redact(self, error: NorthflankError, of_body: Sequence[Secret]) -> None:
        for secret in self._secrets(of_body):
            error.redact(secret)

    def _secrets(self, of_body: Sequence[Secret]) -> list[Secret]:
        """What no error may show. Not the short ones: each "t" would be one, and nothing would be hidden."""
        return [secret for secret in (self._token, *of_body) if len(secret) >= _SHORTEST_SECRET]

    async def _retry(self, request: Request, read: Callable[[Envelope], T], retries: "_Retries") -> T:
        try:
            return await self._attempt(request, read, retries)  # most succeed, and need nothing of what follows
        except NorthflankError as error:
            failed: NorthflankError | None = error
        import stamina  # most processes never need it, and it takes a while

        async for attempt in stamina.retry_context(
            on=retries.decide,
            attempts=self.attempts,
            timeout=None,
            wait_initial=FIRST_BACKOFF,
            wait_max=LONGEST_BACKOFF,
        ):
            with attempt:
                if failed:
                    first, failed = failed, None
                    raise first
                return await self._attempt(request, read, retries)
        raise AssertionError("an attempt returns or raises")

    async def _attempt(self, request: Request, read: Callable[[Envelope], T], retries: "_Retries") -> T:
        async with self.budget.admit() as admission:
            retries.attempt += 1
            started = self.budget.time()
            outcome: object = "cancelled"
            try:
                response, body = await self._exchange(request, admission)
                outcome = response.status
                return read(read_envelope(response, body))
            except NorthflankError as error:
                self._redact(error, request.secrets)
                outcome = outcome if isinstance(outcome, int) else error
                raise
            finally:
                if _log.isEnabledFor(logging.DEBUG):
                    self._log_attempt(request, outcome, started, retries.attempt)

    def _log_attempt(self, request: Request, outcome: object, started: float, attempt: int) -> None:
        window = self.budget.rate_limit
        _log.debug(
            "%s %s -> %s in %.0f ms (attempt %d, %s requests left)",
            request.method,
            request.url.raw_path_qs,
            outcome,
            (self.budget.time() - started) * 1000,
            attempt,
            window.remaining if window else "unknown",
        )

    async def _exchange(self, request: Request, admission: Admission) -> tuple[Response, bytes]:
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
                    middlewares=(_send_once, *session._middlewares),  # there is no public name for them
                ) as answer,
            ):
                admission.told(answer.status, answer.headers)
                response = Response(
                    status=answer.status, headers=answer.headers, url=request.url, method=request.method
                )
                body = await self._read_body(answer)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            if response is None or is_success(response.status):  # a refusal counts, whatever has become of its body
                raise self._lost(error, admission) from error
        except ValueError as error:
            raise ConfigurationError(
                f"the session cannot send this ({error}): has it an auth of its own, or ~/.netrc an entry?"
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

    def _lost(self, error: Exception, admission: Admission) -> TransportError:
        """What to say of an exchange without an answer, or with half of one."""
        match error:
            case aiohttp.ClientConnectorError():
                admission.unsent()
                return TransportError(f"no connection to {error.host}:{error.port}: {error.os_error}", sent=False)
            case TimeoutError():
                return TransportError(f"no answer within {self._timeout:g} s")
            case aiohttp.ClientPayloadError():
                return TransportError("the answer was cut short")
            case aiohttp.ClientResponseError():
                return TransportError(f"the answer is no HTTP: {error.message}")
        return TransportError(f"the connection broke: {error}")

    def _drop_frames(self, error: BaseException, handled: BaseException | None, of_body: Sequence[Secret]) -> None:
        """Drop the frames below `send`: some reports show locals, and theirs hold the token, or a server's echo of it.

        A cause whose own text holds a secret goes with them. What the caller was handling is not touched.
        """
        while True:
            error.__traceback__ = None
            cause = error.__cause__ or error.__context__
            if cause is None or cause is handled:
                return
            if self._holds_secret(f"{cause} {cause!r}", of_body):
                error.__cause__ = error.__context__ = None
                return
            error = cause

    def bare_session(self) -> aiohttp.ClientSession:
        """A session over the same connections for other hosts, without the token or what a caller's session adds.

        Its timeout is for a connection to be made, and for the next bytes to come.
        """
        session = self._open_session()
        return aiohttp.ClientSession(
            connector=session.connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(sock_connect=self._timeout, sock_read=self._timeout),
            trust_env=session.trust_env,
            proxy=session._default_proxy,  # there is no public name for it
            proxy_auth=session._default_proxy_auth,
        )

    def _check_open(self) -> None:
        if self._closed:
            raise TransportError("the client is closed", sent=False)

    def _open_session(self) -> aiohttp.ClientSession:
        self._check_open()  # it may have been closed while the budget waited
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), trace_configs=self._trace_configs
            )
        if self._session.closed:
            raise ConfigurationError("the session that was passed in is closed")
        return self._session


class _Retries:
    """Decides for one request whether a failed attempt is followed by another, and says so in the log."""

    def __init__(self, request: Request, attempts: int, waits: bool) -> None:
        self.attempt = 0
        self._request = request
        self._attempts = attempts
        self._waits = waits

    def decide(self, error: Exception) -> bool | float:
        if isinstance(error, RateLimited) and not self._waits:
            return False
        delay = retry_delay(error, self._request.method)
        if delay is False or self.attempt >= self._attempts:
            return False
        _log.warning(
            "%s %s failed: %s; trying again%s (attempt %d of %d)",
            self._request.method,
            self._request.url.raw_path_qs,
            error,
            "" if delay is True or not delay else f" in {delay:.0f} s, as it asks for",
            self.attempt + 1,
            self._attempts,
        )
        return delay


async def _send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request a second time by itself: nobody would have paid for it."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error) or type(error).__name__) from error
