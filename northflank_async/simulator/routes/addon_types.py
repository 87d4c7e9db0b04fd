"""The types of addons."""

import attrs
from aiohttp import web

from northflank_async.simulator import responses
from northflank_async.simulator.forks import FORKABLE
from northflank_async.simulator.inventory import KINDS, Json
from northflank_async.simulator.routes.lookup import Routes


@attrs.frozen
class AddonTypeRoutes:
    """The handler, which no team has."""

    def routes(self) -> Routes:
        """What it serves."""
        return [("GET", "/v1/addon-types", self.list_types)]

    async def list_types(self, request: web.Request) -> web.Response:
        """GET addon-types."""
        return responses.data({"addonTypes": [_addon_type(kind, versions) for _, kind, versions in KINDS]})


def _addon_type(kind: str, versions: tuple[str, ...]) -> Json:
    is_database = kind in FORKABLE
    return {
        "type": kind,
        "name": kind.capitalize(),
        "description": f"Managed {kind}",
        "features": {
            "backupsDump": True,
            "customDBName": is_database,
            "externalAccess": True,
            "forkAddon": is_database,
            "importDump": is_database,
            "importLive": is_database,
            "scaleReplicas": True,
            "tls": True,
        },
        "major": list(dict.fromkeys(version.partition(".")[0] for version in versions)),
        "versions": list(versions),
        "resources": {"replicas": {}, "storage": {}},
    }
