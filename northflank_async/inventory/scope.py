import json
from collections.abc import Iterable, Sequence

from attrs import Factory, frozen

from northflank_async.inventory.selection import Selection
from northflank_async.inventory.walk import Branch, Kind, roots
from northflank_async.resources import Account


@frozen(kw_only=True)
class Scope:
    """What is read of the API, as `Inventory.sync` takes it."""

    views: Sequence[Account]
    projects: Iterable[str] | None = None
    selection: Selection = Factory(Selection)
    restores: bool = False
    concurrency: int = 16

    def roots(self) -> list[Branch]:
        """Where to begin."""
        return roots(self.views, self.projects)

    @property
    def listings(self) -> tuple[Kind, ...]:
        """What is read of each addon."""
        return (Kind.BACKUPS, Kind.RESTORES) if self.restores else (Kind.BACKUPS,)

    def name(self, branches: Iterable[Branch]) -> str:
        """Whether two passes are the same: what one has read, the other has not to."""
        return json.dumps(
            {
                "host": self.views[0].host,
                "roots": [[branch.view.team_id, branch.project_id] for branch in branches],
                "since": self.selection.since and self.selection.since.isoformat(),
                "statuses": sorted(self.selection.statuses),
                "addonTypes": sorted(self.selection.addon_types),
                "restores": self.restores,
            }
        )
