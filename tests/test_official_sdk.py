"""Every route, parameter and field of this client is that of the official Python SDK, apart from what is listed here.

A new release of the SDK is a new description of the API. Where these tests fail then, the API has changed: change the
client, the simulator and `tests/facts`, or add an exception with its reason.
"""

import inspect
import json
import re
import typing
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs
import pytest
from attrs import evolve, field, frozen

from northflank_async import (
    AccountResource,
    Addon,
    AddonCredentials,
    AddonResource,
    AddonSource,
    AddonType,
    Auth,
    Backup,
    BackupResource,
    BackupSchedule,
    CustomDestination,
    DecodeError,
    DestinationBackup,
    DestinationResource,
    Page,
    Paginator,
    Project,
    ProjectResource,
    Restore,
    Volume,
    VolumeBackup,
    VolumeBackupResource,
    VolumeResource,
    records,
    resources,
    unstructure,
)
from northflank_async.records.download import DownloadLink
from northflank_async.records.restore import StartedRestore
from northflank_async.records.schedule import CreatedSchedule
from northflank_async.records.values import camel_case
from northflank_async.resources.resource import Resource
from northflank_async.simulator import Simulator, schemas
from northflank_async.simulator.application import application
from northflank_async.simulator.validation import Validator
from tests.support.destinations import IDENTITY, KEYS, OFFSITE
from tests.support.official_sdk import (
    Endpoint,
    arms,
    fields,
    is_object,
    is_opaque,
    items,
    literals,
    official_endpoints,
    paths_of,
    sample,
)
from tests.support.scripted_server import envelope, serve

pytestmark = pytest.mark.slow

FACTS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "facts").glob("*.json")}

PROJECT = "/v1/projects/{projectId}"
ADDON = f"{PROJECT}/addons/{{addonId}}"
BACKUP = f"{ADDON}/backups/{{backupId}}"
VOLUME = f"{PROJECT}/volumes/{{volumeId}}"
VOLUME_BACKUP = f"{VOLUME}/backups/{{backupId}}"
DESTINATION = "/v1/backup-destinations/{backupDestinationId}"

# The exceptions

NOT_OFFICIAL = {f"GET {BACKUP}/logs", f"GET {BACKUP}/restores/{{restoreId}}/logs"}
"""Endpoints of the API's documentation that the SDK lacks."""

NOT_OURS: dict[str, str] = {}
"""Endpoints for backups that this client lacks, and why."""

NOT_COMPARED = {
    (AddonResource, "wait"): "calls get()",
    (AccountResource, "paginate"): "calls any endpoint",
    (AccountResource, "request"): "calls any endpoint",
    (BackupResource, "download"): "calls download_link()",
    (BackupResource, "download_into"): "calls download_link()",
    (BackupResource, "logs"): "see NOT_OFFICIAL",
    (BackupResource, "restore_logs"): "see NOT_OFFICIAL",
    (BackupResource, "wait"): "calls get()",
    (BackupResource, "wait_restore"): "calls restores()",
}

OTHERWISE_REQUIRED: dict[tuple[type[Resource], str], set[str]] = {
    # Without access keys, a workload identity is required.
    (AccountResource, "create_backup_destination"): {"credentials.accessKey", "credentials.secretKey"},
    # An update needs something to change.
    (DestinationResource, "update"): {"name"},
}
"""Fields of a body that this client requires, and the SDK does not."""

UNSENT = {
    "backupSchedules": "create_backup_schedule() creates them",
    "billing.diskAutoscaling": "",
    "billing.zonalRedundancy": "",
    "customCredentials": "",
    "infrastructure": "",
    "ipPolicies": "",
    "metadata": "",
    "projectId": "the path names it",
    "stageId": "",
    "vpcAccessible": "",
    **{
        f"typeSpecificSettings.{name}": "not a setting of the record, which an addon has when it is read"
        for name in (
            "mysqlHaModeEnabled",
            "mysqlHaRouterEnabled",
            "mysqlRouterReplicas",
            "postgresqlConnectionPoolerEnabled",
            "postgresqlConnectionPoolerReplicas",
            "postgresqlImportMode",
            "postgresqlReadConnectionPoolerEnabled",
            "postgresqlReadConnectionPoolerReplicas",
            "postgresqlWalLevel",
            "redisMaxMemoryPolicy",
            "redisSentinelEnabled",
        )
    },
}
"""Fields of the body of `create_addon` that this client leaves to `request()`: a copy of a backup needs none."""

UNSENT_BODIES: dict[tuple[type[Resource], str], int] = {(ProjectResource, "create_addon"): 2}
"""Variants of a body that this client leaves to `request()`: those of addon types of your own."""

EXCERPTS: dict[tuple[type[Resource], str], str] = {
    (ProjectResource, "create_addon"): "an Addon, of which the response has no spec, and the body's fields"
}
"""Methods whose record has only a part of the fields of the response."""

_IN_ADDON = "the SDK has Dict[str, Any] in the config of an addon; tests/facts/get-addon.json has the fields"
UNDOCUMENTED = {
    "AddonDeployment": _IN_ADDON,
    "AddonSource": "an argument",
    "SourceBackupType": "an argument",
    "AddonNetworking": _IN_ADDON,
    "IpPolicy": _IN_ADDON,
    "IpPolicyAction": _IN_ADDON,
    "TypeSpecificSettings": _IN_ADDON,
    "LogLine": "see NOT_OFFICIAL",
    "Pagination": "beside the data of a response",
}
"""Records and enums that the SDK does not describe."""


@frozen
class Arguments:
    """Arguments of a method: those that are required, and all, in several calls where some exclude others."""

    least: dict[str, Any] = field(factory=dict)
    most: tuple[dict[str, Any], ...] = ({},)


@frozen
class Method:
    """A method of a resource: its endpoint, the record of the response, and arguments for each variant of its body."""

    endpoint: str
    record: type[Any] | None = None
    arguments: tuple[Arguments, ...] = (Arguments(),)


def listing(endpoint: str, record: type[Any], **others: str) -> Method:
    """A method that returns a listing."""
    start = ({"per_page": 2, "page": 2, **others}, {"cursor": "c"})
    return Method(f"GET {endpoint}", record, (Arguments(most=start),))


SOURCE = {"source_project_id": "p", "source_addon_id": "a"}
DUMP = {"backup_type": "dump", "compression_type": "gz", "custom_destination_id": "bucket"}
SNAPSHOT = {"backup_type": "snapshot", "additional_destinations": [OFFSITE]}
HOURLY = {"interval": "hourly", "minute": [0], "retention_time": 1}
WEEKLY = {"interval": "weekly", "minute": [30], "hour": [18], "day": [4], "retention_time": 7}
NEW = {"name": "Off site", "prefix": "backups/", "credentials": KEYS}
UID = "12345678-1234-1234-1234-123456789abc"
NEW_ADDON = {
    "name": "abc",
    "addon_type": "postgresql",
    "version": "16",
    "deployment_plan": "nf-compute-20",
    "storage": 4096,
}
SETTINGS = {
    "replicas": 2,
    "storage_class": "nvme",
    "source": AddonSource(project_id="p", addon_id="a", backup_id="b", backup_type="global"),
    "description": "d",
    "tags": ["drill"],
    "tls_enabled": True,
    "external_access_enabled": False,
    "type_specific_settings": records.TypeSpecificSettings(postgresql_supabase_mode=True, postgresql_edb_mode=True),
}
CREDENTIALS = evolve(IDENTITY, access_key="a", secret_key="s")

RESOURCES: dict[type[Resource], typing.Callable[[AccountResource], Any]] = {
    AccountResource: lambda account: account,
    ProjectResource: lambda account: account.project("projectId"),
    AddonResource: lambda account: account.project("projectId").addon("addonId"),
    BackupResource: lambda account: account.project("projectId").addon("addonId").backup("backupId"),
    VolumeResource: lambda account: account.project("projectId").volume("volumeId"),
    VolumeBackupResource: lambda account: account.project("projectId").volume("volumeId").backup("backupId"),
    DestinationResource: lambda account: account.backup_destination("backupDestinationId"),
}
METHODS: dict[tuple[type[Resource], str], Method] = {
    (AccountResource, "auth"): Method("GET /v1/auth", Auth),
    (AccountResource, "addon_types"): Method("GET /v1/addon-types", AddonType),
    (AccountResource, "projects"): listing("/v1/projects", Project),
    (AccountResource, "backup_destinations"): listing("/v1/backup-destinations", CustomDestination),
    (AccountResource, "create_backup_destination"): Method(
        "POST /v1/backup-destinations",
        CustomDestination,
        (Arguments(NEW, ({**NEW, "description": "d", "usage": "containerSnapshots", "credentials": CREDENTIALS},)),),
    ),
    (DestinationResource, "get"): Method(f"GET {DESTINATION}", CustomDestination),
    (DestinationResource, "update"): Method(
        f"PATCH {DESTINATION}",
        None,
        (Arguments({"name": "abc"}, ({"name": "abc", "description": "d", "credentials": CREDENTIALS},)),),
    ),
    (DestinationResource, "delete"): Method(f"DELETE {DESTINATION}"),
    (DestinationResource, "backups"): listing(f"{DESTINATION}/backups", DestinationBackup),
    (ProjectResource, "get"): Method(f"GET {PROJECT}", Project),
    (ProjectResource, "addons"): listing(f"{PROJECT}/addons", Addon),
    (ProjectResource, "create_addon"): Method(
        f"POST {PROJECT}/addons",
        Addon,
        (Arguments(NEW_ADDON, ({**NEW_ADDON, **SETTINGS}, {**NEW_ADDON, "source": AddonSource(backup_uid=UID)})),),
    ),
    (ProjectResource, "volumes"): listing(f"{PROJECT}/volumes", Volume),
    (AddonResource, "get"): Method(f"GET {ADDON}", Addon),
    (AddonResource, "credentials"): Method(f"GET {ADDON}/credentials", AddonCredentials),
    (AddonResource, "delete"): Method(f"DELETE {ADDON}"),
    (AddonResource, "backups"): listing(f"{ADDON}/backups", Backup),
    (AddonResource, "restores"): listing(f"{ADDON}/restores", Restore),
    (AddonResource, "create_backup"): Method(
        f"POST {ADDON}/backups", Backup, (Arguments({}, ({"name": "abc", **DUMP}, SNAPSHOT)),)
    ),
    (AddonResource, "import_backup"): Method(
        f"POST {ADDON}/import",
        None,
        (
            Arguments(
                {"connection_string": "mongodb://x"},
                (
                    {
                        "connection_string": "mongodb://x",
                        "name": "abc",
                        "import_all_databases": True,
                        "compression_type": "gz",
                        "custom_destination_id": "bucket",
                    },
                ),
            ),
            Arguments(
                {"url": "https://x/y.gz"},
                ({"url": "https://x/y.gz", "name": "abc", "custom_destination_id": "bucket"},),
            ),
        ),
    ),
    (AddonResource, "backup_schedules"): listing(f"{ADDON}/backup-schedules", BackupSchedule),
    (AddonResource, "create_backup_schedule"): Method(
        f"POST {ADDON}/backup-schedules",
        CreatedSchedule,
        (Arguments({**HOURLY, "backup_type": "dump"}, ({**WEEKLY, **DUMP}, {**WEEKLY, **SNAPSHOT})),),
    ),
    (AddonResource, "delete_backup_schedule"): Method(
        f"DELETE {ADDON}/backup-schedules/{{scheduleId}}",
        arguments=(Arguments({"schedule_id": "scheduleId"}, ({"schedule_id": "scheduleId"},)),),
    ),
    (BackupResource, "get"): Method(f"GET {BACKUP}", Backup),
    (BackupResource, "delete"): Method(f"DELETE {BACKUP}"),
    (BackupResource, "abort"): Method(f"POST {BACKUP}/abort"),
    (BackupResource, "retain"): Method(f"POST {BACKUP}/retain"),
    (BackupResource, "download_link"): Method(f"GET {BACKUP}/download-link", DownloadLink),
    (BackupResource, "restores"): listing(f"{BACKUP}/restores", Restore, **SOURCE),
    (BackupResource, "restore"): Method(f"POST {BACKUP}/restore", StartedRestore, (Arguments({}, (SOURCE,)),)),
    (BackupResource, "abort_restore"): Method(
        f"POST {BACKUP}/abort-restore",
        None,
        (Arguments({"restore_id": "r"}, ({"restore_id": "r", **SOURCE},)),),
    ),
    (VolumeResource, "get"): Method(f"GET {VOLUME}", Volume),
    (VolumeResource, "backups"): listing(f"{VOLUME}/backups", VolumeBackup),
    (VolumeResource, "create_backup"): Method(
        f"POST {VOLUME}/backups",
        VolumeBackup,
        (Arguments({"name": "abc"}, ({"name": "abc", "description": "d"},)),),
    ),
    (VolumeResource, "backup_schedules"): listing(f"{VOLUME}/backup-schedules", BackupSchedule),
    (VolumeResource, "create_backup_schedule"): Method(
        f"POST {VOLUME}/backup-schedules", CreatedSchedule, (Arguments(HOURLY, (WEEKLY,)),)
    ),
    (VolumeResource, "delete_backup_schedule"): Method(
        f"DELETE {VOLUME}/backup-schedules/{{scheduleId}}",
        arguments=(Arguments({"schedule_id": "scheduleId"}, ({"schedule_id": "scheduleId"},)),),
    ),
    (VolumeBackupResource, "get"): Method(f"GET {VOLUME_BACKUP}", VolumeBackup),
    (VolumeBackupResource, "delete"): Method(f"DELETE {VOLUME_BACKUP}"),
}
each_method = pytest.mark.parametrize(("resource", "name"), METHODS, ids=lambda part: getattr(part, "__name__", part))


def official(method: Method) -> Endpoint:
    assert method.endpoint in official_endpoints(), "the SDK has no such endpoint"
    return official_endpoints()[method.endpoint]


# Routes


def public_methods(resource: type[Resource]) -> Iterator[str]:
    """The methods of a resource that send requests."""
    for name, function in vars(resource).items():
        if not name.startswith("_") and inspect.isfunction(function):
            returned = typing.get_type_hints(function)["return"]
            if inspect.iscoroutinefunction(function) or get_origin(returned) is Paginator:
                yield name


def test_every_method_that_sends_a_request_is_compared() -> None:
    public = (getattr(resources, name) for name in resources.__all__)
    assert RESOURCES.keys() == {cls for cls in public if isinstance(cls, type) and issubclass(cls, Resource)}
    found = {(resource, name) for resource in RESOURCES for name in public_methods(resource)}
    assert found - NOT_COMPARED.keys() == METHODS.keys()


def test_every_official_endpoint_for_backups_has_a_method() -> None:
    areas = (f"{ADDON}/backup", f"{ADDON}/restore", f"{ADDON}/import", f"{VOLUME}/backup", "/v1/backup-destinations")
    paths = (*areas, "/v1/addon-types", "/v1/auth")
    theirs = {name for name in official_endpoints() if name.partition(" ")[2].startswith(paths)}
    assert theirs - {method.endpoint for method in METHODS.values()} == NOT_OURS.keys()
    assert not NOT_OFFICIAL & official_endpoints().keys()


def test_every_route_of_the_simulator_is_official() -> None:
    simulator = Simulator()
    app = application(simulator._tenants, simulator._middleware, simulator._downloads)
    routes = {(route.method, _shape(route.resource.canonical)) for route in app.router.routes() if route.resource}
    known = {(endpoint.method, _shape(path)) for endpoint in official_endpoints().values() for path in endpoint.paths}
    others = {(method, path) for method, path in routes - known if method != "HEAD" and not path.startswith("/storage")}
    documented = [name.split(" ") for name in NOT_OFFICIAL]
    assert others == {(method, _shape(prefix(path))) for method, path in documented for prefix in (str, _of_team)}


def _of_team(path: str) -> str:
    return path.replace("/v1", "/v1/teams/{teamId}", 1)


def _shape(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"{.*?}", "{}", path)


# Requests


@frozen
class Sent:
    """What a method sent: its route, the names in its query, and its body."""

    route: str
    query: frozenset[str]
    body: Any


async def send(resource: type[Resource], name: str, arguments: Iterable[dict[str, Any]]) -> list[Sent]:
    """Call a method with each of the arguments, on the account's own route and on a team's."""
    response = sample(official(METHODS[resource, name]).response, full=True)
    async with serve(lambda _: envelope(response)) as server, server.client() as nf:
        for given in arguments:
            for account in (nf, nf.team("teamId")):
                await getattr(RESOURCES[resource](account), name)(**given)
        return [
            Sent(f"{sent.method} {sent.path}", frozenset(sent.query), json.loads(await sent.read() or b"null"))
            for sent in server.requests
        ]


@each_method
async def test_a_method_has_the_official_route_and_query(resource: type[Resource], name: str) -> None:
    method = METHODS[resource, name]
    endpoint = official(method)
    sent = await send(resource, name, (given for variant in method.arguments for given in variant.most))
    routes = {f"{endpoint.method} {path}" for path in endpoint.paths}
    assert {found.route for found in sent} == {re.sub("[{}]", "", route) for route in routes}
    assert {name for found in sent for name in found.query} == endpoint.query


@each_method
async def test_a_method_sends_the_official_body(resource: type[Resource], name: str) -> None:
    method = METHODS[resource, name]
    endpoint = official(method)
    if endpoint.request is None:
        requests = await send(resource, name, (given for variant in method.arguments for given in variant.most))
        assert [sent.body for sent in requests if sent.body is not None] == []
        return
    variants = arms(endpoint.request)
    compared = variants[: len(variants) - UNSENT_BODIES.get((resource, name), 0)]
    for variant, documented in zip(method.arguments, compared, strict=True):
        everything = await send(resource, name, variant.most)
        assert {path for sent in everything for path in _names(sent.body)} == paths_of(documented) - _unsent(
            resource, name
        )
        least = await send(resource, name, [variant.least])
        required = paths_of(documented, only_required=True) | OTHERWISE_REQUIRED.get((resource, name), set())
        assert {path for sent in least for path in _names(sent.body)} == required
        assert [missing for sent in everything for missing in _missing(sent.body, documented)] == []


@each_method
def test_a_method_has_no_parameter_that_is_not_compared(resource: type[Resource], name: str) -> None:
    parameters = dict(inspect.signature(getattr(resource, name)).parameters)
    del parameters["self"]
    variants = METHODS[resource, name].arguments
    assert parameters.keys() == {given for variant in variants for call in variant.most for given in call}
    required = {given for given, parameter in parameters.items() if parameter.default is parameter.empty}
    assert all(required <= variant.least.keys() for variant in variants)


@each_method
def test_a_parameter_accepts_the_official_values(resource: type[Resource], name: str) -> None:
    documented = official(METHODS[resource, name]).request
    for parameter, hint in typing.get_type_hints(getattr(resource, name)).items():
        accepted = {value for arm in get_args(hint) if get_origin(arm) is Literal for value in get_args(arm)}
        if accepted:
            assert accepted == _values(documented, camel_case(parameter))


def _unsent(resource: type[Resource], name: str) -> set[str]:
    """The paths of the fields that a method does not send."""
    if (resource, name) != (ProjectResource, "create_addon"):
        return set()
    paths = {path for body in arms(official(METHODS[resource, name]).request) for path in paths_of(body)}
    return {path for path in paths if any(path == field or path.startswith(f"{field}.") for field in UNSENT)}


def _names(body: Any, prefix: str = "") -> set[str]:
    """The names of all fields of a JSON value, as in `paths_of`."""
    if isinstance(body, list):
        return {name for item in body for name in _names(item, prefix)}
    if not isinstance(body, dict):
        return set()
    return {path for key in body for path in {prefix + key} | _names(body[key], f"{prefix}{key}.")}


def _missing(body: Any, kind: Any) -> list[str]:
    """The required fields that a JSON value lacks, also in optional objects."""
    if isinstance(body, list):
        return [name for item in body for name in _missing(item, items(kind))]
    if not isinstance(body, dict) or is_opaque(kind):
        return []
    known = fields(kind)
    missing = [name for name, field in known.items() if field.is_required and name not in body]
    return missing + [name for key in body for name in _missing(body[key], known[key].type)]


def _values(kind: Any, name: str) -> set[str]:
    """The documented values of the field with this name, wherever it is."""
    if (item := items(kind)) is not None:
        return _values(item, name)
    found: set[str] = set()
    for key, documented in fields(kind).items() if is_object(kind) else ():
        found |= set(literals(documented.type)) if key == name else _values(documented.type, name)
    return found


# Responses


@each_method
@pytest.mark.parametrize("full", [True, False], ids=["all-fields", "required-fields"])
async def test_a_method_reads_every_official_field(resource: type[Resource], name: str, full: bool) -> None:
    method = METHODS[resource, name]
    response, item = _sample_response(official(method).response, full=full)
    async with serve(lambda _: envelope(response)) as server, server.client() as nf:
        result = await getattr(RESOURCES[resource](nf), name)(**method.arguments[0].least)
    if isinstance(result, Page):
        result = result.items
    if isinstance(result, tuple | list):
        (result,) = result
    if method.record is None:
        assert result is None
    elif attrs.has(type(result)):
        assert type(result) is method.record
        known = (
            {camel_case(only) for only in attrs.fields_dict(method.record)} if (resource, name) in EXCERPTS else item
        )
        assert unstructure(result) == {key: item[key] for key in item if key in known}
    else:
        assert {camel_case(only): result for only in attrs.fields_dict(method.record)} == item


def _sample_response(response: Any, *, full: bool) -> tuple[Any, Any]:
    """A sample of a response, and of the item that it consists of.

    The array of a listing is always there, although the SDK calls some of them optional.
    """
    item = sample(_element(response), full=full)
    if items(response) is not None:
        return [item], item
    if _element(response) is response:
        return item, item
    return {key: [item] for key in fields(response)}, item


@each_method
async def test_a_listing_may_be_empty_data_only_where_its_array_is_optional(
    resource: type[Resource], name: str
) -> None:
    response = official(METHODS[resource, name]).response
    if not inspect.iscoroutinefunction(getattr(resource, name)) and is_object(response):
        (array,) = fields(response).values()
        async with serve(lambda _: envelope({})) as server, server.client() as nf:
            listing = getattr(RESOURCES[resource](nf), name)()
            if array.is_required:
                with pytest.raises(DecodeError, match="missing"):
                    await listing.all()
            else:
                assert await listing.all() == []


def pairs() -> Iterator[tuple[type[Any], Any]]:
    """Each record, and each documented type of an object that it is read from."""
    seen = set()
    for key, method in METHODS.items():
        if method.record and key not in EXCERPTS:
            todo = [(method.record, _element(official(method).response))]
            while todo:
                record, kind = todo.pop()
                if (record, kind) not in seen:
                    seen.add((record, kind))
                    yield record, kind
                    todo += _below(record, kind)


def _element(response: Any) -> Any:
    """The type of one item, where a response is a listing."""
    if is_object(response) and len(fields(response)) == 1:
        (only,) = fields(response).values()
        response = only.type if items(only.type) is not None else response
    return items(response) or response


def _below(record: type[Any], kind: Any) -> Iterator[tuple[type[Any], Any]]:
    known = fields(kind) if is_object(kind) else {}
    for attribute in attrs.fields(record):
        nested = next((arm for arm in _all_arms(attribute.type) if attrs.has(arm)), None)
        documented = known.get(camel_case(attribute.name))
        if nested and documented:
            yield nested, items(documented.type) or documented.type


def _all_arms(hint: Any) -> Iterator[Any]:
    """The types in a hint: of an optional, a union, or an array."""
    yield hint
    for arm in get_args(hint):
        yield from _all_arms(arm)


def test_records_have_the_official_fields() -> None:
    documented: dict[str, set[str]] = {}
    for record, kind in pairs():
        if is_object(kind):
            documented.setdefault(record.__name__, set()).update(fields(kind))
    ours = {cls.__name__: {camel_case(name) for name in attrs.fields_dict(cls)} for cls in _public() if attrs.has(cls)}
    assert ours.keys() - documented.keys() == ours.keys() & UNDOCUMENTED.keys()
    known = ours.keys() & documented.keys()
    assert {name: ours[name] for name in known} == {name: documented[name] for name in known}


def test_enums_have_the_official_values() -> None:
    documented: dict[str, set[str]] = {}
    for record, kind in pairs():
        known = fields(kind) if is_object(kind) else {}
        for attribute in attrs.fields(record):
            enum = next((arm for arm in _all_arms(attribute.type) if _is_enum(arm)), None)
            if enum and camel_case(attribute.name) in known:
                values = literals(known[camel_case(attribute.name)].type)
                documented.setdefault(enum.__name__, set()).update(values)
    ours = {cls.__name__: set(cls) for cls in _public() if _is_enum(cls)}
    assert ours.keys() - documented.keys() == ours.keys() & UNDOCUMENTED.keys()
    assert {name: ours[name] for name in documented} == documented


def _public() -> list[Any]:
    return [getattr(records, name) for name in records.__all__]


def _is_enum(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, StrEnum)


# The simulator

BODIES = {
    f"POST {PROJECT}/addons": [schemas.NEW_ADDON],
    f"POST {ADDON}/backups": [schemas.BACKUP],
    f"POST {ADDON}/import": [schemas.DATABASE_IMPORT, schemas.URL_IMPORT],
    f"POST {ADDON}/backup-schedules": [schemas.SCHEDULE],
    f"POST {BACKUP}/abort-restore": [schemas.ABORT_RESTORE],
    f"POST {VOLUME}/backups": [schemas.VOLUME_BACKUP],
    f"POST {VOLUME}/backup-schedules": [schemas.VOLUME_SCHEDULE],
    "POST /v1/backup-destinations": [schemas.NEW_DESTINATION],
    f"PATCH {DESTINATION}": [schemas.CHANGED_DESTINATION],
}
NOT_SIMULATED = {f"POST {PROJECT}/addons": 2}
"""Variants of a body that the simulator refuses: those of addon types of your own."""

EXCLUSIVE = {f"source.{name}" for name in ("projectId", "addonId", "backupId", "backupType")}
"""Fields that the simulator refuses beside `source.backupUid`: the SDK has a variant with these, and one with that."""


def test_the_simulator_checks_the_body_of_every_change() -> None:
    requests = {method.endpoint for method in METHODS.values() if official(method).request is not None}
    assert BODIES.keys() == requests


@pytest.mark.parametrize("name", BODIES)
def test_the_simulator_requires_and_accepts_the_official_fields(name: str) -> None:
    variants = arms(official_endpoints()[name].request)
    simulated = variants[: len(variants) - NOT_SIMULATED.get(name, 0)]
    for validate, documented in zip(BODIES[name], simulated, strict=True):
        assert _rejected(validate, sample(documented, full=True), "is unknown") <= EXCLUSIVE
        assert _rejected(validate, sample(documented, full=False), "is required") == set()
        required = {key for key, known in fields(documented).items() if known.is_required}
        assert _rejected(validate, {}, "is required") == required


def _rejected(validate: Validator, body: Any, reason: str) -> set[str]:
    problems: dict[str, str] = {}
    validate("", body, problems)
    return {name for name, problem in problems.items() if problem.startswith(reason)}


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_is_official(name: str) -> None:
    fact = FACTS[name]
    endpoint_name = f"{fact['method']} {fact['paths'][0]}"
    if endpoint_name in NOT_OFFICIAL:
        return
    endpoint = official_endpoints()[endpoint_name]
    assert set(fact["paths"]) == set(endpoint.paths)
    assert fact.get("query_parameters", {"properties": {}})["properties"].keys() == endpoint.query
    if endpoint.request is None:
        assert "request_body" not in fact
    else:
        schemas = fact["request_body"].get("oneOf", [fact["request_body"]])
        for schema, documented in zip(schemas, arms(endpoint.request), strict=True):
            assert _differences(schema, documented, compare_required=True) == []
    if "response_body" in fact and not is_opaque(endpoint.response):
        assert _differences(fact["response_body"]["properties"]["data"], endpoint.response) == []


def _differences(schema: dict[str, Any], kind: Any, place: str = "", *, compare_required: bool = False) -> list[str]:
    """The places where a JSON schema differs from a documented type."""
    if (item := items(kind)) is not None:
        return _differences(schema["items"], item, f"{place}[]", compare_required=compare_required)
    if not is_object(kind):
        return [place] if set(schema.get("enum", ())) != set(literals(kind)) else []
    known, properties = fields(kind), schema.get("properties", {})
    required = {name for name, field in known.items() if field.is_required}
    given = set(schema.get("required", ()))
    found = [f"{place}.{name}" for name in known.keys() ^ properties.keys()]
    found += [f"{place}.{name} is required" for name in (given ^ required if compare_required else given - required)]
    for name in known.keys() & properties.keys():
        found += _differences(properties[name], known[name].type, f"{place}.{name}", compare_required=compare_required)
    return found
