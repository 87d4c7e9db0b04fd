"""The rate limit against a model of a server that counts: whatever happens to requests and responses, in any order."""

from copy import deepcopy

import pytest
from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from northflank_async.http.rate_limit import Charge, RateLimiter

pytestmark = pytest.mark.slow

WINDOW = 600.0
GRACE = 30.0
"""Seconds in which the server counts a request that was sent, if it does at all."""
LONGEST_BACKOFF = 60.0


@define(eq=False)
class ModelServer:
    """Allows `limit` requests from the first one until `WINDOW` seconds later."""

    limit: int
    used: int = 0
    window_end: float = 0.0

    def count(self, now: float) -> tuple[int, dict[str, str]]:
        """Count a request, or refuse it; its status and headers."""
        if now >= self.window_end:
            self.used, self.window_end = 0, now + WINDOW
        status = 200 if self.used < self.limit else 429
        self.used = min(self.used + 1, self.limit)
        return status, {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.limit - self.used),
            "x-ratelimit-reset": f"{self.window_end - now:.6f}",
        }


@define(eq=False)
class Sent:
    """A request that was sent."""

    charge: Charge
    at: float
    response: tuple[int, dict[str, str]] | None = None
    """Once the server has counted it."""
    is_awaited: bool = True


@define(eq=False)
class Told:
    """What the client was told last."""

    blocked_until: float = 0.0
    sent_at: float = -GRACE
    knows_numbers: bool = False

    def learn(self, status: int, headers: dict[str, str], now: float, reserve: int) -> None:
        self.knows_numbers = self.knows_numbers or bool(headers)
        is_empty = bool(headers) and int(headers["x-ratelimit-remaining"]) <= reserve
        wait = float(headers["x-ratelimit-reset"]) if is_empty else 0.0
        if status == 429:
            wait = max(wait, LONGEST_BACKOFF)
        self.blocked_until = max(self.blocked_until, now + wait)


def some(requests: list[Sent], data: st.DataObject) -> list[Sent]:
    """Some of the requests, usually all, in any order."""
    order = data.draw(st.permutations(requests), "order")
    return order[: data.draw(st.sampled_from([len(order), len(order), 1]), "of them")]


class RateLimitMachine(RuleBasedStateMachine):
    """Sends requests whenever the limiter allows it, and lets the server count and respond to them in any order."""

    @initialize(limit=st.integers(1, 6), reserve=st.integers(0, 2))
    def begin(self, limit: int, reserve: int) -> None:
        self.now = 1_000_000.0
        self.server = ModelServer(limit + reserve)
        self.limiter = RateLimiter(reserve)
        self.sent: list[Sent] = []
        self.told = Told()

    def send(self, data: st.DataObject) -> None:
        for _ in range(data.draw(st.integers(1, 8), "most")):
            if not self.limiter.is_affordable(self.now):
                return
            self.sent.append(Sent(self.limiter.charge(self.now), self.now))
            self.told.sent_at = self.now

    def count(self, data: st.DataObject) -> None:
        """The server counts some requests, in any order."""
        for sent in some(self.uncounted, data):
            sent.response = self.server.count(self.now)
            assert sent.response[0] == 200 or sent.charge.is_probe, "only a probe may exceed the limit"
            if not sent.is_awaited:
                self.sent.remove(sent)

    def respond(self, data: st.DataObject) -> None:
        """Some responses arrive, in any order, with and without numbers."""
        for sent in some(self.answered, data):
            assert sent.response
            status, headers = sent.response
            kinds = ["numbers"] * 4 + ["gateway", "burst"] + ["cached"] * self.told.knows_numbers
            match data.draw(st.sampled_from(kinds), "as"):
                case "burst":
                    status = 429
                case "gateway":
                    status, headers = 502 if status == 200 else 429, {}
                case "cached":
                    status, headers = status, {}
            self.sent.remove(sent)
            self.told.learn(status, headers, self.now, self.limiter._reserve)
            self.limiter.update(sent.charge, status, headers, self.now)
            self.end(sent)

    def lose(self, data: st.DataObject) -> None:
        """The caller cancels a request, or its response is lost. The server may count it later."""
        sent = data.draw(st.sampled_from(self.awaited))
        sent.is_awaited = False
        if sent.response:
            self.sent.remove(sent)
        self.end(sent)

    def refund(self, data: st.DataObject) -> None:
        """No connection was made."""
        sent = data.draw(st.sampled_from(self.refundable))
        self.sent.remove(sent)
        self.limiter.refund(sent.charge)

    def wait(self, data: st.DataObject) -> None:
        """For some seconds, or until the client's window ends: with the server's, or a moment later."""
        reset = max(0.5, self.told.blocked_until - self.now)
        self.now += data.draw(st.sampled_from([0.5, 5.0, 29.0, 31.0, 601.0, reset, reset]), "seconds")
        for sent in [sent for sent in self.uncounted if sent.at + GRACE <= self.now]:
            self.sent.remove(sent)  # it was lost on the way
            if sent.is_awaited:
                self.end(sent)

    def reset_early(self, data: st.DataObject) -> None:
        """The operator of the server resets the window, or lifts what was used."""
        if data.draw(st.booleans(), "window"):
            self.server.window_end = self.now
        else:
            self.server.used = max(0, self.server.used - 1)

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        # One rule, as Hypothesis would leave out some of several rules for a whole run.
        actions = [self.send] * 3 + [self.wait, self.reset_early]
        actions += [self.count] * 3 * bool(self.uncounted) + [self.respond] * 4 * bool(self.answered)
        actions += [self.lose] * bool(self.awaited) + [self.refund] * bool(self.refundable)
        data.draw(st.sampled_from(actions), "action")(data)

    @property
    def uncounted(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.response is None]

    @property
    def awaited(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.is_awaited]

    @property
    def answered(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.is_awaited and sent.response]

    @property
    def refundable(self) -> list[Sent]:
        return [sent for sent in self.sent if sent.is_awaited and not sent.response]

    def end(self, sent: Sent) -> None:
        if sent.charge.is_open:
            self.limiter.close(sent.charge, self.now)

    @invariant()
    def it_never_stands_still_longer_than_stated(self) -> None:
        """For 30 s after the last request, or until the time that the server named."""
        until = max(self.told.sent_at + GRACE, self.told.blocked_until, self.now)
        assert deepcopy(self.limiter).is_affordable(until)

    @invariant()
    def it_counts_what_is_in_flight(self) -> None:
        assert self.limiter.in_flight == sum(sent.is_awaited for sent in self.sent)


TestRateLimitMachine = RateLimitMachine.TestCase
TestRateLimitMachine.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
