from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.paging import Paginator
from northflank_async.records import Addon, Project, Volume
from northflank_async.resources.addon import AddonResource
from northflank_async.resources.resource import Resource
from northflank_async.resources.volume import VolumeResource


class ProjectResource(Resource):
    """A project: `/v1/projects/{projectId}`."""

    async def get(self) -> Project:
        """Get the project.

        Raises:
            NotFound: the project does not exist, or the token has no access to it.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/team/projects/get-project
        """
        return await self._fetch(Project)

    def addons(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[Addon]:
        """List the addons of the project.

        Args:
            per_page: addons per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/addons/list-addons
        """
        return self._paginate("/addons", Addon, items="addons", per_page=per_page, page=page, cursor=cursor)

    def addon(self, addon_id: str) -> AddonResource:
        """The addon with this id. Sends no request.

        Raises:
            ConfigurationError: the id is not a valid path segment.
        """
        return AddonResource(self._transport, f"{self._path}/addons/{segment('the addon id', addon_id)}")

    def volumes(
        self, *, per_page: int = MAX_PER_PAGE, page: int | None = None, cursor: str | None = None
    ) -> Paginator[Volume]:
        """List the volumes of the project.

        Args:
            per_page: volumes per page, 1 to 100.
            page: the number of the page to start at, from 1.
            cursor: the cursor of the page to start at.

        Raises:
            ConfigurationError: `per_page` or `page` is out of range.

        https://northflank.com/docs/v1/api/project/volumes/list-volumes
        """
        return self._paginate("/volumes", Volume, items=None, per_page=per_page, page=page, cursor=cursor)

    def volume(self, volume_id: str) -> VolumeResource:
        """The volume with this id. Sends no request.

        Raises:
            ConfigurationError: the id is not a valid path segment.
        """
        return VolumeResource(self._transport, f"{self._path}/volumes/{segment('the volume id', volume_id)}")
