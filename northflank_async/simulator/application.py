"""The web application: its routes behind the middleware."""

from aiohttp import web

from northflank_async.simulator.middleware import Middleware
from northflank_async.simulator.routes.addon_types import AddonTypeRoutes
from northflank_async.simulator.routes.addons import AddonRoutes
from northflank_async.simulator.routes.auth import AuthRoutes
from northflank_async.simulator.routes.backups import BackupRoutes
from northflank_async.simulator.routes.destinations import DestinationRoutes
from northflank_async.simulator.routes.lookup import Lookup
from northflank_async.simulator.routes.projects import ProjectRoutes
from northflank_async.simulator.routes.restores import RestoreRoutes
from northflank_async.simulator.routes.schedules import ScheduleRoutes
from northflank_async.simulator.routes.volumes import VolumeRoutes
from northflank_async.simulator.storage import Downloads, Storage
from northflank_async.simulator.tenants import Tenants

SLUG = "[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*"


def application(tenants: Tenants, middleware: Middleware, downloads: Downloads) -> web.Application:
    """Create the application; routes of an account are also under `/teams/{team}`."""
    app = web.Application(middlewares=[middleware.handle])
    lookup = Lookup()
    storage = Storage(lookup, tenants, downloads)
    routes = [
        *ProjectRoutes(lookup).routes(),
        *AddonRoutes(lookup).routes(),
        *BackupRoutes(lookup, storage).routes(),
        *RestoreRoutes(lookup).routes(),
        *ScheduleRoutes(lookup).routes(),
        *VolumeRoutes(lookup).routes(),
        *DestinationRoutes(lookup).routes(),
    ]
    for prefix in ("/v1", f"/v1/teams/{{team:{SLUG}}}"):
        for method, path, handler in routes:
            app.router.add_route(method, prefix + path, handler)
    for method, path, handler in [*AuthRoutes(lookup).routes(), *AddonTypeRoutes().routes(), *storage.routes()]:
        app.router.add_route(method, path, handler)
    return app
