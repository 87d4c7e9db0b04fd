from collections.abc import Mapping
from typing import Any

from northflank_async.http.budget import Budget
from northflank_async.http.rate_limit import RateLimit
from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.http.transport import Transport
from northflank_async.paging import Paginator
from northflank_async.records import (
    AddonType,
    Auth,
    CustomDestination,
    DestinationCredentials,
    DestinationUsage,
    DestinationUsageName,
    Project,
)
from northflank_async.records.addon_type import AddonTypes
from northflank_async.resources.arguments import destination_body
from northflank_async.resources.destination import DestinationResource
from northflank_async.resources.project import ProjectResource
from northflank_async.resources.resource import Resource


class AccountResource(Resource):
    """The account at `/v1` (`team_id` is `None`), or a team at `/v1/teams/{teamId}`."""

    def __init__(self, transport: Transport, team_id: str | None = None) -> None:
        super().__init__(transport, "/v1" if team_id is None else f"/v1/teams/{segment('the team id', team_id)}")
        self.team_id = team_id

    @property
    def budget(self) -> Budget:
        """The request budget, which all accounts of one client share."""
        return self._transport.budget

    @property
    def token_fingerprint(self) -> str:
        """A hash that tells the token apart from others, and does not reveal it."""
        return self._transport.token_fingerprint

    @property
    def name(self) -> str | None:
        """The name that was given to the client."""
        return self.budget.name

    @property
    def base_url(self) -> str:
        """The base URL of the API."""
        return str(self._transport.base_url)

    @property
    def rate_limit(self) -> RateLimit | None:
        """The current rate limit window; `None` before the first response and after the window's reset."""
        return self.budget.rate_limit

    async def auth(self) -> Auth:
        """Fetch the account that the token belongs to, and what the token may see. It needs no permission.

        Raises:
            NorthflankError: the request failed.

        https://northflank.com/docs/v1/api/introduction
        """
        return await Resource(self._transport, "/v1")._fetch(Auth, "/auth")

    async def addon_types(self) -> list[AddonType]:
        """Fetch the types of addons that exist, such as `postgresql`. It needs no permission, and no team has its own.

        Raises:
            NorthflankError: the request failed.

        https://northflank.com/docs/v1/api/addons/get-addon-types
        """
        return list((await Resource(self._transport, "/v1")._fetch(AddonTypes, "/addon-types")).addon_types)

    def projects(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[Project]:
        """List the projects that the token has access to.

        Args:
            per_page: projects per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/team/projects/list-projects
        """
        return self._paginate("/projects", Project, items="projects", per_page=per_page, page=page, cursor=cursor)

    def project(self, project_id: str) -> ProjectResource:
        """The project with this id. Sends no request.

        Raises:
            ConfigurationError: the id is not a valid path segment.
        """
        return ProjectResource(self._transport, f"{self._path}/projects/{segment('the project id', project_id)}")

    def backup_destinations(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[CustomDestination]:
        """List the backup destinations: buckets of your own for backups.

        Args:
            per_page: destinations per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/team/backup-destinations/list-backup-destinations
        """
        return self._paginate(
            "/backup-destinations",
            CustomDestination,
            items="backupDestinations",
            per_page=per_page,
            page=page,
            cursor=cursor,
        )

    def backup_destination(self, destination_id: str) -> DestinationResource:
        """The backup destination with this id. Sends no request.

        Raises:
            ConfigurationError: the id is not a valid path segment.
        """
        return DestinationResource(
            self._transport, f"{self._path}/backup-destinations/{segment('the destination id', destination_id)}"
        )

    async def create_backup_destination(
        self,
        *,
        name: str,
        prefix: str,
        credentials: DestinationCredentials,
        usage: DestinationUsageName | DestinationUsage = "globalBackups",
        description: str | None = None,
    ) -> CustomDestination:
        """Create a backup destination from an S3-compatible bucket.

        Args:
            name: 3 to 100 letters and digits, separated by single spaces or `-`.
            prefix: the folder in the bucket: letters, digits, `-` and `_`, with one `/` at the end.
            credentials: the bucket, and its access keys or a workload identity. No message shows the keys.
            usage: `"globalBackups"` of addons (default), or `"containerSnapshots"`.
            description: at most 200 characters.

        Raises:
            ConfigurationError: an argument is invalid.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/team/backup-destinations/add-backup-destination
        """
        body = destination_body(name=name, prefix=prefix, credentials=credentials, usage=usage, description=description)
        return await self._create("/backup-destinations", CustomDestination, json=body, defaults={"name": name})

    async def request(self, method: str, path: str, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """Call any endpoint of the API with plain JSON, and with the client's retries and budget.

        Args:
            method: `"GET"`, `"POST"`, …; only GET is retried when the server may have acted on the request.
            path: the full, percent-encoded path, such as `"/v1/projects/p/services"`.
            params: the query; `None` is left out, and a list repeats its name.
            json: the request body.

        Returns:
            The `data` of the response; `None` if it has no body. For a method other than GET, it is the whole
            response if that has no `data`.

        Raises:
            NorthflankError: the request is invalid, was rejected or failed, or the response cannot be decoded.

        https://northflank.com/docs/v1/api
        """
        return (await self._transport.send(method, path, params, json)).data

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
        """List the items of any endpoint of the API as plain JSON.

        Args:
            path: the full, percent-encoded path, such as `"/v1/projects/p/services"`.
            items: the name of the array under `data`, such as `"services"`; `None` if `data` is the array.
            params: additional query parameters.
            per_page: items per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api
        """
        return Paginator(
            transport=self._transport,
            path=path,
            params=params or {},
            items=items,
            record=None,
            per_page=per_page,
            page=page,
            cursor=cursor,
        )
