import json
from collections.abc import Iterable, Sequence, Sized
from datetime import UTC

from attrs import Factory, field, frozen

from northflank_async.inventory.crawl.crawler import check_concurrency
from northflank_async.inventory.crawl.listings import Branch, Kind, roots
from northflank_async.inventory.selection import Selection
from northflank_async.resources import AccountResource


def _as_given(projects: Iterable[str] | None) -> Iterable[str] | None:
    """Whatever it is, to be looked at more than once."""
    return projects if projects is None or isinstance(projects, str | Sized) else tuple(projects)


@frozen(kw_only=True)
class Scope:
    """What is read of the API, as `Inventory.sync` takes it.

    Raises:
        ConfigurationError: something of it is out of range.
    """

    views: Sequence[AccountResource]
    projects: Iterable[str] | None = field(default=None, converter=_as_given)
    selection: Selection = Factory(Selection)
    restores: bool = False
    concurrency: int = 16

    def __attrs_post_init__(self) -> None:
        check_concurrency(self.concurrency)
        self.roots()

    def roots(self) -> list[Branch]:
        """Where to begin."""
        return roots(self.views, self.projects)

    @property
    def listings(self) -> tuple[Kind, ...]:
        """What is read of each addon."""
        return (Kind.BACKUPS, Kind.RESTORES) if self.restores else (Kind.BACKUPS,)

    @property
    def name(self) -> str:
        """What is the same for two passes of which one has not to read what the other has."""
        since = self.selection.since
        return json.dumps(
            {
                "baseUrl": self.views[0].base_url,
                "roots": [[branch.view.team_id, branch.project_id] for branch in self.roots()],
                "since": None if since is None else since.astimezone(UTC).isoformat(),
                "statuses": sorted(self.selection.statuses),
                "addonTypes": sorted(self.selection.addon_types),
                "restores": self.restores,
            }
        )
