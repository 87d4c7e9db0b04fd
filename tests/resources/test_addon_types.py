"""The types of addons: Northflank's own, and those of the account."""

import json
from pathlib import Path
from typing import Any

import pytest

from northflank_async import AddonType, AddonTypeConfig, DecodeError, Northflank
from northflank_async.simulator import Simulator
from tests.support.scripted_server import envelope, serve

FACT = json.loads((Path(__file__).parents[1] / "facts" / "get-addon-types.json").read_text())
MANAGED = FACT["example_response"]["body"]["data"]["addonTypes"][0]
CUSTOM = {
    "type": "message-bus",
    "name": "Message bus",
    "description": "Our own chart",
    "config": {"installCrds": True, "showTemplateValues": False},
    "scope": "cluster",
}


async def test_both_kinds_of_types_are_read_in_one_request_without_a_team() -> None:
    async with serve(lambda _: envelope({"addonTypes": [MANAGED, CUSTOM]})) as server, server.client() as nf:
        managed, custom = await nf.team("acme").addon_types()
        (request,) = server.requests
        assert (request.method, request.path_qs) == ("GET", "/v1/addon-types")
    assert (managed.type, managed.major, managed.scope) == ("postgresql", ("16", "15"), None)
    assert managed.features
    assert (managed.features.backups_dump, managed.features.custom_db_name) == (True, True)
    assert custom == AddonType(
        type="message-bus",
        name="Message bus",
        description="Our own chart",
        config=AddonTypeConfig(install_crds=True, show_template_values=False),
        scope="cluster",
    )


async def test_the_simulator_has_a_type_for_every_addon() -> None:
    async with Simulator() as simulator, Northflank(simulator.token, base_url=simulator.url) as nf:
        known = {found.type: found.versions or () for found in await nf.addon_types()}
        async for listed in nf.project("default-project").addons():
            addon = await nf.project("default-project").addon(listed.id).get()
            assert addon.spec
            assert addon.spec.type
            assert addon.spec.config
            assert addon.spec.config.version_tag in known[addon.spec.type]


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({}, "data.addonTypes"),
        ({"addonTypes": [MANAGED, {**MANAGED, "features": {"customDBName": 1}}]}, "data.addonTypes[1].features"),
        ({"addonTypes": [{**MANAGED, "resources": {"storage": []}}]}, "data.addonTypes[0].resources.storage"),
    ],
)
async def test_an_undocumented_response_is_a_decode_error_that_names_the_place(raw: Any, place: str) -> None:
    async with serve(lambda _: envelope(raw)) as server, server.client() as nf:
        with pytest.raises(DecodeError) as caught:
            await nf.addon_types()
    assert caught.value.place.startswith(place)
