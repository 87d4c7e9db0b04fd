"""The rate limit's window: what is learned from headers, charged and refunded. No clock and no event loop."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from multidict import CIMultiDict

from northflank_async import RateLimit
from northflank_async.http.rate_limit import Charge, RateLimiter, read_rate_limit, read_retry_after


def limits(limit: str | None = "1000", remaining: str | None = "7", reset: str | None = "60") -> dict[str, str]:
    named = {"x-ratelimit-limit": limit, "x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}
    return {name: value for name, value in named.items() if value is not None}


def test_the_rate_limit_is_read_from_the_headers() -> None:
    rate_limit = read_rate_limit(200, limits(reset="59.5"))
    assert rate_limit == RateLimit(limit=1000, remaining=7, reset_after=59.5)


@pytest.mark.parametrize(
    "headers",
    [{}, limits(remaining=None), limits(reset=None), limits(remaining="many"), limits(reset="-1"), limits(reset="nan"),
     limits(remaining="1, 1"), limits(reset="1790000000"), limits(remaining="inf")],
)  # fmt: skip
def test_unreliable_headers_are_ignored(headers: dict[str, str]) -> None:
    assert read_rate_limit(200, headers) is None


@pytest.mark.parametrize(
    ("remaining", "reset", "retry_after", "wait"),
    [("0", "10", "30", 30), ("0", "30", "10", 30), (None, None, "10", 10), ("0", "10", None, 10), ("0", "0", None, 1),
     ("900", "3000", "2", 2), (None, "3000", None, 3000), ("0", "3000", "80000", 3000), (None, None, "80000", 3600),
     ("900", "30", "80000", 60)],
)  # fmt: skip
def test_after_a_429_nothing_remains_until_its_time(
    remaining: str | None, reset: str | None, retry_after: str | None, wait: float
) -> None:
    headers = limits(remaining=remaining, reset=reset)
    rate_limit = read_rate_limit(429, headers | ({"Retry-After": retry_after} if retry_after else {}))
    assert rate_limit
    assert (rate_limit.remaining, rate_limit.reset_after) == (0, wait)
    assert read_rate_limit(429, {}) is None


def test_a_429_with_requests_left_is_another_limit_than_the_window_s() -> None:
    assert read_rate_limit(429, limits(remaining="500", reset="3000")) is None


def test_retry_after_is_seconds_or_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    long_ago = format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True)
    assert read_retry_after(CIMultiDict({"retry-after": "120"})) == 120
    assert 55 < (read_retry_after({"Retry-After": in_a_minute}) or 0) <= 60
    assert read_retry_after({"Retry-After": long_ago}) == 0
    assert read_retry_after({"Retry-After": "80000"}) == 3600, "not longer than a window"
    assert read_retry_after({"Retry-After": "80000", "x-ratelimit-reset": "900"}) == 900, "not after its reset"
    assert read_retry_after({"Retry-After": "20", "x-ratelimit-reset": "5"}) == 20
    assert read_retry_after({}) is None
    assert read_retry_after({"Retry-After": "soon"}) is None
    assert read_retry_after({"Retry-After": "1e12"}) is None
    assert read_retry_after({"Retry-After": "1_0"}) is None
    assert read_retry_after({"Retry-After": "Mon, 01 Jan 2024 00:00:00 +99999999999999"}) is None


@pytest.mark.parametrize("minutes", [-90, 90])
def test_a_retry_after_date_counts_from_the_response_s_date(minutes: int) -> None:
    server = datetime.now(UTC) + timedelta(minutes=minutes)  # its clock differs
    headers = {"Date": format_datetime(server, usegmt=True)}
    headers["Retry-After"] = format_datetime(server + timedelta(seconds=45), usegmt=True)
    assert read_retry_after(headers) == 45
    assert read_retry_after(headers | {"Date": "noon"}) in (0, 3600), "without it, from the local clock"


def headers(remaining: int, reset: float = 60, limit: int = 10) -> dict[str, str]:
    return limits(str(limit), str(remaining), str(reset))


class Line:
    """Requests in flight, which the test responds to in any order, at a time that it sets."""

    def __init__(self, reserve: int = 0) -> None:
        self.limiter = RateLimiter(reserve)
        self.now = 1_000_000.0

    def admit(self) -> Charge | None:
        """Charge a request, if it is affordable."""
        return self.limiter.charge(self.now) if self.limiter.is_affordable(self.now) else None

    def send(self) -> Charge:
        """Charge a request that must be affordable."""
        charge = self.admit()
        assert charge
        return charge

    def respond(self, charge: Charge, status: int, headers: dict[str, str]) -> None:
        self.limiter.update(charge, status, headers, self.now)

    def end(self, charge: Charge) -> None:
        if charge.is_open:
            self.limiter.close(charge, self.now)

    def learn(self, remaining: int, reset: float = 60) -> None:
        self.respond(self.send(), 200, headers(remaining, reset))

    def remaining(self) -> int:
        rate_limit = self.limiter.rate_limit(self.now)
        assert rate_limit
        return rate_limit.remaining


@pytest.fixture
def line() -> Line:
    return Line()


def test_after_a_reset_one_request_is_sent_alone(line: Line) -> None:
    line.learn(3)
    line.now += 60
    probe = line.send()
    assert line.admit() is None
    line.respond(probe, 200, headers(9))
    assert line.admit()


def test_a_response_to_a_request_from_before_a_reset_is_ignored(line: Line) -> None:
    line.learn(4)
    late, lost = line.send(), line.send()
    line.now += 60
    probe = line.send()
    line.respond(late, 200, headers(0))
    line.end(lost)
    assert line.admit() is None, "the probe is still in flight"
    line.respond(probe, 200, headers(9))
    assert line.admit()


def test_no_more_requests_are_in_flight_than_remain(line: Line) -> None:
    line.learn(3)
    assert [bool(line.admit()) for _ in range(5)] == [True, True, True, False, False]
    assert line.limiter.in_flight == 3


def test_responses_that_overtake_each_other_cost_nothing(line: Line) -> None:
    line.learn(4)
    first, second = line.send(), line.send()
    line.respond(second, 200, headers(2))
    line.respond(first, 200, headers(3))
    assert [bool(line.admit()) for _ in range(3)] == [True, True, False]


def test_the_servers_number_includes_other_users_of_the_token(line: Line) -> None:
    line.learn(9)
    line.learn(1)
    assert [bool(line.admit()) for _ in range(2)] == [True, False]


def test_a_lost_request_may_be_counted_for_a_while(line: Line) -> None:
    line.learn(9, reset=600)
    line.end(line.send())  # no response
    for remaining in (7, 6):
        line.respond(line.send(), 200, headers(remaining + 1, reset=600))
        assert line.remaining() == remaining
    line.now += 30
    line.respond(line.send(), 200, headers(6, reset=570))  # a lost request is counted by now, or never will be
    assert line.remaining() == 6


def test_a_response_without_numbers_is_counted_by_the_next(line: Line) -> None:
    charge = line.send()
    line.respond(charge, 502, {})
    line.end(charge)
    line.now += 0.01
    line.respond(line.send(), 200, headers(9))
    assert line.remaining() == 9


def test_a_refund_costs_nothing(line: Line) -> None:
    line.learn(2)
    line.limiter.refund(line.send())
    assert (line.remaining(), line.limiter.in_flight) == (2, 0)


def test_a_reserve_is_left_to_others() -> None:
    line = Line(reserve=7)
    line.learn(9)
    assert [bool(line.admit()) for _ in range(3)] == [True, True, False]


def test_a_server_without_numbers_is_not_limited(line: Line) -> None:
    probe = line.send()
    assert line.admit() is None
    line.respond(probe, 200, {})
    assert all(line.admit() for _ in range(50))


def test_a_proxy_without_numbers_does_not_lift_the_limit(line: Line) -> None:
    probe = line.send()
    line.respond(probe, 502, {})
    assert line.admit() is None
    line.end(probe)
    assert line.admit()
    assert line.admit() is None


def test_a_429_blocks_every_request_until_its_time(line: Line) -> None:
    line.learn(9)
    line.respond(line.send(), 429, {"Retry-After": "30"})
    assert line.admit() is None
    line.now += 29.9
    assert line.admit() is None
    line.now += 0.1
    assert line.admit()


def test_429s_without_a_time_double_the_backoff_and_then_one_request_probes(line: Line) -> None:
    for pause in (1, 2, 4, 8, 16, 32, 60, 60):
        refused = line.send()
        line.respond(refused, 429, {})
        line.end(refused)
        line.now += pause * 0.99
        assert line.admit() is None
        line.now += pause * 0.52
    assert line.admit()
    assert line.admit() is None


def test_a_429_of_another_limit_blocks_for_its_own_time(line: Line) -> None:
    line.learn(9, reset=3000)
    line.respond(line.send(), 429, {**headers(8, reset=3000), "Retry-After": "2"})
    line.now += 1.9
    assert line.admit() is None
    line.now += 0.1
    assert line.admit()


def test_one_response_without_numbers_does_not_lift_a_known_limit(line: Line) -> None:
    line.learn(9)
    line.now += 60
    cached = line.send()
    line.respond(cached, 200, {})
    line.end(cached)
    assert line.admit()
    assert line.admit() is None


def test_the_rate_limit_is_shown_until_the_reset(line: Line) -> None:
    assert line.limiter.rate_limit(line.now) is None
    line.learn(9)
    line.send()
    line.now += 20
    assert line.limiter.rate_limit(line.now) == RateLimit(limit=10, remaining=8, reset_after=40)
    line.now += 40
    assert line.limiter.rate_limit(line.now) is None


def test_pollers_share_half_of_what_remains(line: Line) -> None:
    assert line.limiter.polling_pause(2, 30, 1, line.now) == 2, "unknown"
    line.learn(10, reset=100)
    assert line.limiter.polling_pause(2, 30, 1, line.now) == 2
    assert line.limiter.polling_pause(2, 30, 2, line.now) == 40
    assert line.limiter.polling_pause(2, 30, 20, line.now) == 100


# Estimates


def test_cancelled_requests_delay_the_next_one_by_30_seconds_and_not_until_the_reset(line: Line) -> None:
    line.learn(45, reset=3500)
    for _ in range(45):
        line.end(line.send())
    assert line.admit() is None
    line.now += 29.9
    assert line.admit() is None
    line.now += 0.1
    probe = line.send()
    assert line.admit() is None, "one request probes"
    line.respond(probe, 200, headers(44, reset=3470))
    assert [bool(line.admit()) for _ in range(45)] == [True] * 44 + [False]


def test_an_outage_is_probed_every_30_seconds(line: Line) -> None:
    line.learn(999, reset=3600)
    for _ in range(999):
        line.end(line.send())
    for _ in range(5):
        assert line.admit() is None
        line.now += 30
        line.end(line.send())
    line.now += 30
    line.respond(line.send(), 200, headers(998, reset=3400))
    assert line.remaining() == 998


def test_a_request_that_hangs_is_deducted_for_30_seconds(line: Line) -> None:
    line.learn(2)
    line.send(), line.send()
    assert line.admit() is None
    line.now += 30
    line.respond(line.send(), 200, headers(1, reset=30))
    assert line.admit()


def test_the_first_request_is_awaited_for_30_seconds(line: Line) -> None:
    line.send()
    assert line.admit() is None
    line.now += 30
    assert line.admit()
    assert line.admit() is None


def test_an_exhausted_window_is_not_probed(line: Line) -> None:
    line.learn(1, reset=600)
    line.learn(0, reset=600)
    line.now += 599
    assert line.admit() is None


def test_a_reserve_is_not_probed() -> None:
    line = Line(reserve=5)
    line.learn(6, reset=600)
    line.learn(5, reset=600)
    line.now += 599
    assert line.admit() is None


def test_a_server_that_stops_counting_is_noticed_by_the_probe(line: Line) -> None:
    line.learn(2, reset=3600)
    for _ in range(2):
        cached = line.send()
        line.respond(cached, 200, {})
        line.end(cached)
    assert line.admit() is None
    line.now += 30
    probe = line.send()
    line.respond(probe, 200, {})
    line.end(probe)
    assert line.admit(), "long before the reset"


@pytest.mark.parametrize("status", [200, 404, 502])
@pytest.mark.parametrize("metered", [True, False])
def test_responses_without_numbers_open_the_line_step_by_step(line: Line, status: int, metered: bool) -> None:
    if metered:
        line.learn(9)
        line.now += 60
    sent, rounds = 0, 0
    while sent < 60:
        batch: list[Charge] = []
        while len(batch) < 60 and (charge := line.admit()):
            batch.append(charge)
        for charge in batch:
            line.respond(charge, status, {})
            line.end(charge)
        sent, rounds = sent + len(batch), rounds + 1
    assert rounds <= 7


def test_a_429_ends_the_flood_of_requests_without_numbers(line: Line) -> None:
    for _ in range(8):
        charge = line.send()
        line.respond(charge, 404, {})
        line.end(charge)
    line.respond(line.send(), 429, {})
    line.now += 1.5
    assert line.admit()
    assert line.admit() is None


# The newest response


def test_a_number_that_rises_wins(line: Line) -> None:
    line.learn(3, reset=3000)
    line.learn(900, reset=3000)
    assert line.remaining() == 900


def test_a_number_that_rises_while_others_are_in_flight_wins(line: Line) -> None:
    line.learn(3, reset=3000)
    first, second, third = line.send(), line.send(), line.send()
    line.respond(first, 200, headers(999, reset=3600))
    assert line.remaining() == 997
    line.respond(third, 200, headers(997, reset=3600))
    line.respond(second, 200, headers(998, reset=3600))
    assert line.remaining() == 997


def test_a_response_to_an_earlier_request_does_not_overrule_a_newer_one(line: Line) -> None:
    line.learn(5, reset=3)
    early, late = line.send(), line.send()
    line.respond(late, 200, headers(998, reset=3600))
    line.respond(early, 200, headers(1, reset=2))
    assert line.remaining() >= 997


def test_requests_counted_in_another_order_than_sent_are_not_forgotten(line: Line) -> None:
    line.learn(10)
    for _ in range(2):  # the server counts the second one first, and its response comes last, or first
        remaining = line.remaining()
        first, second = line.send(), line.send()
        line.respond(first, 200, headers(remaining - 2))
        line.respond(second, 200, headers(remaining - 1))
        assert line.remaining() == remaining - 2
        first, second = line.send(), line.send()
        line.respond(second, 200, headers(remaining - 3))
        line.respond(first, 200, headers(remaining - 4))
        assert line.remaining() == remaining - 4


def test_responses_in_flight_do_not_lift_a_429(line: Line) -> None:
    line.learn(500)
    refused, fine, refused_too = line.send(), line.send(), line.send()
    line.respond(refused, 429, {**headers(499), "Retry-After": "20"})
    line.respond(fine, 200, headers(498))
    line.respond(refused_too, 429, {**headers(497), "Retry-After": "25"})
    line.now += 24.9
    assert line.admit() is None
    line.now += 0.1
    assert line.admit()


def test_a_burst_of_429s_backs_off_once_and_for_60_seconds_at_most(line: Line) -> None:
    line.learn(500, reset=3000)
    for _ in range(9):
        line.now += 60
        for charge in [line.send()]:
            line.respond(charge, 429, headers(500, reset=3000))
    rate_limit = line.limiter.rate_limit(line.now)
    assert rate_limit
    assert 0 < rate_limit.reset_after <= 60
    line.now += 60
    line.respond(line.send(), 200, headers(500, reset=2000))
    burst = [line.send() for _ in range(10)]
    for charge in burst:
        line.respond(charge, 429, headers(490, reset=2000))
    line.now += 1.5
    assert line.admit()


@pytest.mark.parametrize("status", [200, 429])
def test_no_header_delays_a_request_beyond_a_window(status: int) -> None:
    found = read_rate_limit(status, headers(0, reset=80_000) | {"Retry-After": "80000"})
    assert found
    assert found.reset_after == 3600
