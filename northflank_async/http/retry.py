"""Retries: which requests are sent again, and after which pause."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from northflank_async.errors import ApiError, DecodeError, RateLimited, TransportError

T = TypeVar("T")

FIRST_BACKOFF = 0.5
"""Seconds before the second attempt; doubled for each one after it."""
LONGEST_BACKOFF = 30.0
"""Seconds."""
BACKOFF_JITTER = 1.0
"""Seconds. Each backoff is longer by a random part of them."""
LONGEST_HINT = 300.0
"""Seconds. A longer `Retry-After` of a failed server is shortened to them."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods of requests that change nothing."""
TRANSIENT_STATUSES = frozenset({408, 500, 502, 503, 504, *range(520, 531)})
"""Statuses after which a request that changes nothing is retried. 520 to 530 come from Cloudflare."""
AMBIGUOUS_STATUSES = frozenset({408, 499})
"""Refusals that say nothing of the request: a proxy may send them after it has forwarded it."""


def retry_delay(error: Exception, method: str) -> bool | float:
    """Whether to retry after this error: `False`, `True`, or after so many seconds.

    A change is retried only if it was certainly not made.
    """
    is_safe = method in SAFE_METHODS
    match error:
        case TransportError():
            return is_safe or not error.sent
        case DecodeError(is_json=False):
            return is_safe
        case RateLimited():
            return 0.0  # the budget waits
        case ApiError() if error.status in TRANSIENT_STATUSES and (is_safe or was_refused(error)):
            return min(error.retry_after, LONGEST_HINT) if error.retry_after else True
    return False


def was_refused(error: ApiError) -> bool:
    """Whether the API certainly did not act on a request that failed with this error.

    A server that names a time for the next attempt has not acted. A gateway that only says that it is unavailable may
    have forwarded the request.
    """
    if error.status == 503:
        return error.retry_after is not None
    return 400 <= error.status < 500 and error.status not in AMBIGUOUS_STATUSES


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    attempts: int,
    delay: Callable[[Exception], bool | float],
    announce: Callable[[Exception, float], None],
    sleep: Callable[[float], Awaitable[None]],
) -> T:
    """Call `work` until it succeeds, at most `attempts` times.

    Args:
        work: one attempt.
        attempts: the number of attempts, including the first.
        delay: whether to retry after this error: `False`, `True` for after a backoff, or after so many seconds.
        announce: called before each pause, with the error and the seconds.
        sleep: pauses for so many seconds.
    """
    # Not a library's loop: tenacity needs an adapter as long as this one, takes over cancellation, and keeps each error
    # with its frames, whose locals may be secrets; stamina's hooks are those of the whole process.
    attempt = 1
    while True:
        try:
            return await work()
        except Exception as error:
            wanted = delay(error) if attempt < attempts else False
            if wanted is False:
                raise
            pause = backoff(attempt) if wanted is True else float(wanted)
            announce(error, pause)
        await sleep(pause)
        attempt += 1


def backoff(attempt: int) -> float:
    """Seconds to pause after so many failed attempts."""
    return min(FIRST_BACKOFF * 2.0 ** (attempt - 1) + random.uniform(0, BACKOFF_JITTER), LONGEST_BACKOFF)
