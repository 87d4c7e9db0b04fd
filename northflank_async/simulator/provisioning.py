"""How new addons come up, and how imports and restores end: on demand, for drills."""

from collections.abc import Sequence

import attrs

from northflank_async.simulator.inventory import Json

RUN_OUTCOMES = ("completed", "failed", "aborted", "not-supported", "in-progress")
ADDON_OUTCOMES = ("running", "failed", "error", "errorAllocating", "allocating")
CONTAINERS = ("TASK_RUNNING", "TASK_STARTING", "TASK_STAGING", "TASK_KILLED", "TASK_FAILED", "TASK_FINISHED")


@attrs.frozen(kw_only=True)
class Provisioning:
    """How new addons come up, and how imports and restores end; by default all of them succeed.

    - `seconds`: simulated time until a new addon is running. `deletion`: until a deleted one is gone.
    - `addons`: the status that the first new addon ends in, the second one and so on; later ones end as `running`.
      `allocating` never ends.
    - `imports` and `restores`: how the first one ends, the second one and so on; later ones end as `completed`, unless
      `Faults(runs=…)` lets them fail. `in-progress` never ends.
    - `containers`: the status of the containers of a new addon that is running.
    - `credentials`: the answer of every addon's credentials route, such as those of a real database.
    """

    seconds: float = 20.0
    deletion: float = 3.0
    addons: Sequence[str] = ()
    imports: Sequence[str] = ()
    restores: Sequence[str] = ()
    containers: str = "TASK_RUNNING"
    credentials: Json | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        for name in ("seconds", "deletion"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        for name, allowed in (("addons", ADDON_OUTCOMES), ("imports", RUN_OUTCOMES), ("restores", RUN_OUTCOMES)):
            unknown = set(getattr(self, name)) - set(allowed)
            if isinstance(getattr(self, name), str) or unknown:
                raise ValueError(f"{name} must be a list of {', '.join(allowed)}, not {getattr(self, name)!r}")
        if self.containers not in CONTAINERS:
            raise ValueError(f"containers must be one of {', '.join(CONTAINERS)}, not {self.containers!r}")


@attrs.define
class Outcomes:
    """The outcomes of a `Provisioning` that are still to come."""

    provisioning: Provisioning
    _counts: dict[str, int] = attrs.field(factory=dict)

    def next(self, kind: str) -> str | None:
        """The outcome of the next of the `addons`, `imports` or `restores`; None if it is the usual one."""
        number = self._counts.get(kind, 0)
        self._counts[kind] = number + 1
        outcomes: Sequence[str] = getattr(self.provisioning, kind)
        return outcomes[number] if number < len(outcomes) else None
