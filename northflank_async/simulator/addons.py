"""The addons of every project: the computed ones, and those created and deleted since the start."""

from collections.abc import Iterator
from itertools import count

import attrs

from northflank_async.simulator.changes import ChangedListing, ListingChanges
from northflank_async.simulator.identifiers import unused_id
from northflank_async.simulator.inventory import (
    KINDS,
    PERIODS,
    Addon,
    Inventory,
    Json,
    Listing,
    Project,
    iso,
    random_bytes,
    uid,
    without,
)
from northflank_async.simulator.provisioning import Outcomes
from northflank_async.simulator.runs import NEVER, SimulatedTime

VERSIONS = {kind: versions for _, kind, versions in KINDS}
PORTS = {"mongodb": 27017, "postgresql": 5432, "redis": 6379, "mysql": 3306, "minio": 9000, "rabbitmq": 5672}
BLANK = 10_000_000  # bytes of data in an addon that is no fork
# The statuses of a new addon, each with the share of the time that passes before the next one.
STEPS = (("preDeployment", 0.1), ("triggerAllocation", 0.2), ("allocating", 0.7), ("postDeployment", 1.0))
ALLOCATING_ENDS = 0.7
NO_CONTAINERS = ("paused", "preDeployment", "triggerAllocation", "allocating", "errorAllocating", "deleting")


class CreatedAddon(Addon):
    """An addon created since the start, with the settings in the request's body."""

    def __init__(
        self,
        project: Project,
        addon_id: str,
        settings: Json,
        *,
        number: int,
        size: int,
        time: SimulatedTime,
        took: int,
        outcome: str,
    ) -> None:
        # Not the base class's: nothing here is computed from an index.
        self.project = project
        self.index = -1
        self.is_unreadable = False
        self.seed = project.inventory.seed
        self.number = number
        self.id = addon_id
        self.type = settings["type"]
        self.versions = (settings["version"],)
        self.newest_status = "completed"
        self.backup_count = self.first_restored = 0
        self.size = size
        self.rhythm, self.period = PERIODS[0]
        self.now = self.newest = time.now()
        self.settings = settings
        self.outcome = outcome
        self.time = time
        self.took = took
        self.gone_at = NEVER
        self.is_deleted = self.is_paused = False

    @property
    def status(self) -> str:
        """The status at this time."""
        if self.is_deleted:
            return "deleting"
        passed = self.time.now() - self.now
        for status, share in STEPS:
            if passed < share * self.took:
                return status
            if status == self.outcome or (self.outcome == "errorAllocating" and share == ALLOCATING_ENDS):
                return self.outcome
        return "paused" if self.is_paused else self.outcome

    @property
    def created(self) -> int:
        """The creation time."""
        return self.now

    def listed(self) -> Json:
        """The JSON in a listing."""
        optional: Json = {
            name: self.settings[name] for name in ("description", "tags", "stageId") if name in self.settings
        }
        return {
            "id": self.id,
            "name": self.settings["name"],
            "uid": uid(random_bytes(self.seed, "uid", "addon", self.number)),
            "appId": self.project.app_id(self.id),
            **optional,
            "spec": {"type": self.type},
            "status": self.status,
        }

    def described(self) -> Json:
        """The JSON that answers its creation."""
        time = iso(self.created)
        return {
            **without(self.settings, "projectId"),
            "id": self.id,
            "appId": self.project.app_id(self.id),
            "status": self.status,
            "cluster": self.project.cluster(),
            "createdAt": time,
            "updatedAt": time,
        }

    def _config(self) -> Json:
        billing = self.settings["billing"]
        return {
            "versionTag": self.versions[0],
            "lifecycleStatus": "active",
            "deployment": {
                "replicas": billing["replicas"],
                "storageClass": billing.get("storageClass", "ssd"),
                "storageSize": billing["storage"],
                "planId": billing["deploymentPlan"],
                "region": self.project.region,
            },
            "networking": {
                "tlsEnabled": self.settings.get("tlsEnabled", False),
                "externalAccessEnabled": self.settings.get("externalAccessEnabled", False),
                "ipPolicies": [
                    {"address": address, "action": policy["action"]}
                    for policy in self.settings.get("ipPolicies", ())
                    for address in policy.get("addresses", ())
                ],
            },
            "templateValues": "",
            "templateValuesRedacted": False,
            "region": self.project.region,
        }


@attrs.frozen(kw_only=True)
class Addons:
    """All addons. A deleted one is gone after some time if it was created since the start, and at once otherwise."""

    inventory: Inventory
    time: SimulatedTime
    outcomes: Outcomes
    _changes: dict[int, ListingChanges[CreatedAddon]] = attrs.field(factory=dict)  # by the project's index
    _paused: dict[int, bool] = attrs.field(factory=dict)  # of computed addons, by number
    _serials: Iterator[int] = attrs.field(factory=count)

    def listing(self, project: Project) -> ChangedListing[CreatedAddon]:
        """All addons of the project: first the created ones, newest first."""
        base = Listing(self.inventory.addon_count, lambda index: self._computed(project.addon_at(index)).listed())
        return self._of(project).apply(base, lambda addon: addon.listed())

    def find(self, project: Project, addon_id: str) -> Addon | None:
        """The addon with this id."""
        changes = self._of(project)
        added = changes.find_added(lambda addon: addon.id == addon_id)
        if added is not None:
            return added.item
        addon = project.addon(addon_id)
        if addon is None or not changes.has_computed(addon.index):
            return None
        return self._computed(addon)

    def all(self) -> Iterator[Addon]:
        """All addons of all projects, including created ones."""
        for project in (Project(self.inventory, index) for index in range(self.inventory.project_count)):
            changes = self._of(project)
            yield from (entry.item for entry in changes.entries if not entry.is_removed)
            for index in range(self.inventory.addon_count):
                if changes.has_computed(index):
                    yield project.addon_at(index)

    def create(self, project: Project, settings: Json, size: int | None) -> CreatedAddon:
        """Create an addon from the request's body, with this size of its data."""
        changes = self._changes.setdefault(project.index, ListingChanges())
        taken = {entry.item.id for entry in self._of(project).entries if not entry.is_removed}
        addon_id = unused_id(
            settings["name"], lambda candidate: candidate in taken or project.addon(candidate) is not None
        )
        number = self.inventory.project_count * self.inventory.addon_count + next(self._serials)
        addon = CreatedAddon(
            project,
            addon_id,
            settings,
            number=number,
            size=BLANK if size is None else size,
            time=self.time,
            took=round(self.outcomes.provisioning.seconds * 1000),
            outcome=self.outcomes.next("addons") or "running",
        )
        changes.add(addon)
        return addon

    def delete(self, addon: Addon) -> None:
        """Delete the addon."""
        if isinstance(addon, CreatedAddon):
            if not addon.is_deleted:
                addon.is_deleted = True
                addon.gone_at = self.time.now() + round(self.outcomes.provisioning.deletion * 1000)
            return
        self._changes.setdefault(addon.project.index, ListingChanges()).remove_computed([addon.index])

    def pause(self, addon: Addon, is_paused: bool) -> None:
        """Pause the addon, or resume it."""
        if isinstance(addon, CreatedAddon):
            addon.is_paused = is_paused
        else:
            self._paused[addon.number] = is_paused

    def containers(self, addon: Addon) -> list[Json]:
        """The containers of the addon: none while it is paused, not allocated or being deleted."""
        status = "TASK_RUNNING"
        if isinstance(addon, CreatedAddon):
            status = self.outcomes.provisioning.containers if addon.status == "running" else "TASK_STARTING"
        if addon.status in NO_CONTAINERS:
            return []
        if addon.status in ("failed", "error"):
            status = "TASK_FAILED"
        created = addon.created // 1000
        names = (
            f"{addon.id}-{number}" for number in range(addon.details()["spec"]["config"]["deployment"]["replicas"])
        )
        return [{"name": name, "createdAt": created, "status": status, "updatedAt": created} for name in names]

    def credentials(self, addon: Addon) -> Json:
        """The credentials of the addon."""
        if self.outcomes.provisioning.credentials is not None:
            return self.outcomes.provisioning.credentials
        secret = random_bytes(addon.seed, "credentials", addon.number).hex()
        user, password, database = secret[:16], secret[16:50], secret[50:64]
        host = f"primary.{addon.id}--{secret[:12]}.addon.code.run"
        port = PORTS[addon.type]
        uri = f"{addon.type}://{user}:{password}@{host}:{port}/{database}"
        return {
            "secrets": {"username": user, "password": password, f"{addon.type.upper()}_URI": uri},
            "envs": {"HOST": host, "PORT": str(port), "DATABASE": database, "TLS_ENABLED": "true"},
        }

    def _computed(self, addon: Addon) -> Addon:
        if addon.number in self._paused:
            addon.usual_status = "paused" if self._paused[addon.number] else "running"
        return addon

    def _of(self, project: Project) -> ListingChanges[CreatedAddon]:
        changes = self._changes.get(project.index) or ListingChanges()
        for entry in changes.entries:
            entry.is_removed = entry.is_removed or entry.item.gone_at <= self.time.now()
        return changes
