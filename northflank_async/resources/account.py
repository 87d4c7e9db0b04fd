from collections.abc import Mapping
from typing import Any

from northflank_async.http.budget import Budget, RateLimit
from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.http.transport import Transport
from northflank_async.paging import Listing, Paginator, as_sent
from northflank_async.records import CustomDestination, DestinationCredentials, Project
from northflank_async.resources.arguments import destination_body
from northflank_async.resources.destination import DestinationResource
from northflank_async.resources.project import ProjectResource
from northflank_async.resources.resource import Resource


class AccountResource(Resource):
    """What a token reaches under `/v1`, or under `/v1/teams/{teamId}`; `team_id` is `None` for the former."""

    def __init__(self, transport: Transport, team_id: str | None = None) -> None:
        super().__init__(transport, "/v1" if team_id is None else f"/v1/teams/{segment('the team id', team_id)}")
        self.team_id = team_id

    @property
    def budget(self) -> Budget:
        """The hour's requests, which all views of one client share."""
        return self._transport.budget

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return str(self._transport.base_url)

    @property
    def rate_limit(self) -> RateLimit | None:
        """The hour's requests as far as they are known; `None` before the first answer and after the window's end."""
        return self.budget.rate_limit

    def projects(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[Project]:
        """List the projects that the token can see.

        Args:
            per_page: projects a request, 1 to 100.
            page: the number of the page to begin with, from 1.
            cursor: the cursor of the page to begin with.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/team/projects/list-projects
        """
        return self._list("projects", Project, items="projects", per_page=per_page, page=page, cursor=cursor)

    def project(self, project_id: str) -> ProjectResource:
        """One project, by its id. Nothing is sent.

        Raises:
            ConfigurationError: the id cannot be part of a URL.
        """
        return ProjectResource(self._transport, f"{self._path}/projects/{segment('the project id', project_id)}")

    def backup_destinations(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[CustomDestination]:
        """List the backup destinations: buckets of your own that backups can be stored in.

        Args:
            per_page: destinations a request, 1 to 100.
            page: the number of the page to begin with, from 1.
            cursor: the cursor of the page to begin with.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/team/backup-destinations/list-backup-destinations
        """
        return self._list(
            "backup-destinations",
            CustomDestination,
            items="backupDestinations",
            per_page=per_page,
            page=page,
            cursor=cursor,
        )

    def backup_destination(self, destination_id: str) -> DestinationResource:
        """One backup destination, by its id. Nothing is sent.

        Raises:
            ConfigurationError: the id cannot be part of a URL.
        """
        return DestinationResource(
            self._transport, f"{self._path}/backup-destinations/{segment('the destination id', destination_id)}"
        )

    async def create_backup_destination(
        self,
        *,
        name: str,
        prefix: str,
        credentials: DestinationCredentials | None = None,
        description: str | None = None,
    ) -> CustomDestination:
        """Create a backup destination of a bucket that speaks S3.

        Args:
            name: 3 to 100 letters and digits, with single `-` or spaces between.
            prefix: the folder in the bucket: letters, digits, `-` and `_`, with one `/` at the end.
            credentials: how the bucket is reached; all of them. The keys show in no message.
            description: 200 characters at the most.

        Raises:
            ConfigurationError: an argument is not as documented.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/team/backup-destinations/add-backup-destination
        """
        body = destination_body(name=name, prefix=prefix, credentials=credentials, description=description)
        return await self._call("POST", CustomDestination, "/backup-destinations", json=body)

    async def request(self, method: str, path: str, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """Call any endpoint of the API, as plain JSON, with the same retries and budget.

        Args:
            method: `"GET"`, `"POST"`, …; a method other than GET is sent again only where the server cannot have acted.
            path: the whole path, such as `"/v1/projects/p/services"`, sent as it is.
            params: the query; `None` is left out, a list repeats its name.
            json: the body.

        Returns:
            What stands under `data`; `None` if the answer has no body.

        Raises:
            NorthflankError: the call cannot be sent, was refused, failed, or its answer cannot be read.

        https://northflank.com/docs/v1/api
        """
        return await self._transport.send(method, path, lambda envelope: envelope.data, params=params, json=json)

    def paginate(
        self,
        path: str,
        items: str | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        per_page: int = MAX_PER_PAGE,
        page: int | None = None,
        cursor: str | None = None,
    ) -> Paginator[dict[str, Any]]:
        """List at any endpoint of the API, as plain JSON.

        Args:
            path: the whole path, such as `"/v1/projects/p/services"`, sent as it is.
            items: the name of the array under `data`, such as `"services"`; `None` where `data` itself is the array.
            params: more of the query.
            per_page: items a request, 1 to 100.
            page: the number of the page to begin with, from 1.
            cursor: the cursor of the page to begin with.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api
        """
        listing = Listing(
            transport=self._transport, path=path, params=params or {}, items=items, decode=as_sent, per_page=per_page
        )
        return Paginator(listing, page=page, cursor=cursor)
