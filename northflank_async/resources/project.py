from collections.abc import Sequence

from northflank_async.http.request import MAX_PER_PAGE, segment
from northflank_async.paging import Paginator
from northflank_async.records import Addon, AddonSource, Project, TypeSpecificSettings, Volume
from northflank_async.resources.addon import AddonResource
from northflank_async.resources.arguments import addon_body
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

    async def create_addon(
        self,
        *,
        name: str,
        addon_type: str,
        version: str,
        deployment_plan: str,
        storage: int,
        replicas: int = 1,
        storage_class: str | None = None,
        source: AddonSource | None = None,
        description: str | None = None,
        tags: Sequence[str] = (),
        tls_enabled: bool | None = None,
        external_access_enabled: bool | None = None,
        type_specific_settings: TypeSpecificSettings | None = None,
    ) -> Addon:
        """Create an addon, empty or as a copy of a backup. It costs money until it is deleted.

        `project.addon(created.id).wait()` waits until it is running. For settings that are not arguments here, send
        the request with `nf.request()`.

        Args:
            name: 3 to 39 letters and digits, separated by single spaces or `-`, with a letter first.
            addon_type: such as `"postgresql"`; see `nf.addon_types()`.
            version: such as `"16.4.0"` or `"latest"`.
            deployment_plan: the plan of each replica, such as `"nf-compute-20"`.
            storage: the storage of each replica in megabytes.
            replicas: the number of replicas.
            storage_class: such as `"nvme"`.
            source: the backup to copy: of an addon of the same type and major version, with no more storage.
            description: at most 200 characters.
            tags: each 3 to 100 letters and digits, separated by single `-`.
            tls_enabled: encrypt connections with TLS.
            external_access_enabled: allow connections from outside the project's network.
            type_specific_settings: settings of this addon type.

        Returns:
            The addon without its `spec`, which `addon(…).get()` has.

        Raises:
            ConfigurationError: an argument is invalid.
            NorthflankError: any other failure.

        https://northflank.com/docs/v1/api/project/addons/create-addon
        """
        body = addon_body(
            name=name,
            addon_type=addon_type,
            version=version,
            deployment_plan=deployment_plan,
            storage=storage,
            replicas=replicas,
            storage_class=storage_class,
            source=source,
            description=description,
            tags=tags,
            tls_enabled=tls_enabled,
            external_access_enabled=external_access_enabled,
            type_specific_settings=type_specific_settings,
        )
        return await self._create("/addons", Addon, json=body)

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
