"""Tenants: the accounts of one simulator, each with its own token, rate limit and inventory."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from northflank_async.simulator.account import Account
from northflank_async.simulator.faults import FaultGenerator, Faults
from northflank_async.simulator.identity import Identity
from northflank_async.simulator.inventory import Addon, Inventory
from northflank_async.simulator.provisioning import Outcomes, Provisioning
from northflank_async.simulator.rate_limit import RateLimitWindow
from northflank_async.simulator.runs import RunGenerator, SimulatedTime
from northflank_async.simulator.scenarios import addon_maker

TOKEN = "simulator-token"
SCENARIO_REGION = "europe-west"  # of all projects, so that each can hold a fork of any backup
MOST_BACKUPS = 1_000_000  # for each addon: more than a century of hourly backups


@attrs.define(kw_only=True, eq=False)
class Tenant:
    """One token and the account behind it. Ids may be equal to those of another tenant.

    - `name`: what the request records call it.
    - `token`: the API token. Assign another one to replace it; the old one is then refused.
    - `identity`: the answer of `GET /v1/auth`, and the projects that the token is restricted to; by default an account
      whose id is the tenant's name.
    - `seed`: another seed generates another inventory.
    - `projects`: their number; `addons`: the number in each project; `backups`: the average number of each addon.
    - `rate_limit`: requests in each window of `window` seconds. Each token has its own window.
    - `faults`: requests and runs that fail on purpose.
    - `scenario` and `addon_size`: what its backups look like, as in `Simulator`.
    - `is_revoked`: the token is refused with a 401.
    - `outage`: the status that every request is answered with, such as 503, or `None`. Such requests do not count
      toward the rate limit.

    A running simulator obeys changes of `token`, `identity`, `is_revoked` and `outage` with the next request.
    """

    name: str
    token: str = attrs.field(repr=False)
    identity: Identity = attrs.field()
    seed: int = 0
    projects: int = 5
    addons: int = 4
    backups: int = 150
    rate_limit: int = 1000
    window: float = 3600.0
    faults: Faults = attrs.field(factory=Faults)
    scenario: str | None = None
    addon_size: int | None = None
    is_revoked: bool = False
    outage: int | None = None
    _owner: "Tenant | None" = None
    _runtime: "_Runtime | None" = attrs.field(default=None, init=False, repr=False)

    @identity.default
    def _own_account(self) -> Identity:
        return Identity(entity_id=self.name)

    def __attrs_post_init__(self) -> None:
        check("projects", self.projects, 0)
        check("addons", self.addons, 0)
        check("backups", self.backups, 0, MOST_BACKUPS)
        if self.addon_size is not None:
            check("addon_size", self.addon_size, 0)
        check("rate_limit", self.rate_limit, 0)
        check("window", self.window, 0)
        if self.window == 0:
            raise ValueError("window must be more than 0 seconds")
        if not self.token:
            raise ValueError("token must not be empty")
        if not isinstance(self.faults, Faults):
            raise ValueError(f"faults must be Faults(...), not {self.faults!r}")

    @classmethod
    def many(cls, count: int, *, token: str = TOKEN, seed: int = 0, **options: Any) -> "list[Tenant]":
        """Create tenants named `tenant-1`, `tenant-2` and so on.

        Their project and addon ids are equal; the sizes of their backups differ, because each has the next seed.
        `token` is what their tokens start with: `simulator-token-1` and so on. `options` are those of each tenant.
        """
        check("count", count, 1)
        return [
            cls(name=f"tenant-{number}", token=f"{token}-{number}", seed=seed + number, **options)
            for number in range(1, count + 1)
        ]

    def with_token(self, name: str, token: str, **changes: Any) -> "Tenant":
        """Create a tenant with another token of the same account: the same items, and its own rate limit.

        `changes` can name another `identity`, `rate_limit` or `window`. Both must be passed to the simulator.
        """
        owner = self._owner or self
        usable = {"is_revoked": False, "outage": None}
        return attrs.evolve(self, name=name, token=token, owner=owner, **{**usable, **changes})

    @property
    def account(self) -> Account:
        """What it stores."""
        return self._running.account

    @property
    def limit(self) -> RateLimitWindow:
        """The rate limit's state."""
        return self._running.limit

    @property
    def fault_generator(self) -> FaultGenerator:
        """The source of the faults."""
        return self._running.faults

    def spend_window(self, remaining: int = 0) -> None:
        """Use up the window, as another user of the token would; start one if there is none."""
        self.limit.spend(remaining)

    def start(self, clock: Callable[[], float], speed: float, now: int, provisioning: Provisioning) -> None:
        """Prepare it for a simulator with this clock, at the simulated time `now`.

        Raises:
            ValueError: The owner of its account was not started before.
        """
        if self._owner is not None and self._owner._runtime is None:
            raise ValueError(f"the tenant {self.name} needs {self._owner.name} in the same simulator, before it")
        inventory = Inventory(
            seed=self.seed,
            project_count=self.projects,
            addon_count=self.addons,
            backup_average=self.backups,
            now=now,
            addon_size=self.addon_size,
            region=SCENARIO_REGION if self.scenario else None,
            make_addon=addon_maker(self.scenario) if self.scenario else Addon,
        )
        time = SimulatedTime(clock=clock, speed=speed, began=clock(), start=now)
        runs = RunGenerator(seed=self.faults.seed, rate=self.faults.runs)
        self._runtime = _Runtime(
            account=self._owner.account if self._owner else Account(inventory, time, runs, Outcomes(provisioning)),
            limit=RateLimitWindow(limit=self.rate_limit, seconds=self.window, clock=clock),
            faults=FaultGenerator(self.faults),
        )

    @property
    def _running(self) -> "_Runtime":
        if self._runtime is None:
            raise RuntimeError(f"the tenant {self.name} belongs to no simulator")
        return self._runtime


@attrs.frozen(kw_only=True)
class _Runtime:
    """The state of a tenant in a simulator."""

    account: Account
    limit: RateLimitWindow
    faults: FaultGenerator


@attrs.frozen
class Tenants:
    """The tenants of a simulator."""

    items: tuple[Tenant, ...]

    def __attrs_post_init__(self) -> None:
        if not self.items:
            raise ValueError("tenants must not be empty")
        for attribute in ("name", "token"):
            values = [getattr(tenant, attribute) for tenant in self.items]
            if len(set(values)) < len(values):
                raise ValueError(f"tenants must have different {attribute}s")

    def __iter__(self) -> Iterator[Tenant]:
        return iter(self.items)

    def of_token(self, authorization: str) -> Tenant | None:
        """The tenant whose token is in this header, even if it is revoked."""
        return next((tenant for tenant in self.items if authorization == f"Bearer {tenant.token}"), None)

    def limited_by(self, tenant: Tenant | None) -> Tenant | None:
        """The tenant whose rate limit the response shows; without a valid token, that of the only tenant."""
        return tenant or (self.items[0] if len(self.items) == 1 else None)

    def named(self, name: str) -> Tenant | None:
        """The tenant with this name."""
        return next((tenant for tenant in self.items if tenant.name == name), None)


def check(name: str, value: float, least: float, most: float = math.inf) -> None:
    """Check that an argument is within limits.

    Raises:
        ValueError: It is not.
    """
    if not (least <= value <= most and math.isfinite(value)):
        limits = f"at least {least}" if most == math.inf else f"from {least} to {most}"
        raise ValueError(f"{name} must be {limits}, not {value}")
