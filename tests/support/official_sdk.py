"""The routes and types of the official Python SDK: the newest description of the API that a program can read."""

import pkgutil
import typing
from functools import cache
from importlib import import_module
from types import NoneType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin

import typing_extensions
from attrs import frozen
from northflank import endpoints
from northflank.endpoint import ApiEndpoint


@frozen
class Field:
    """A documented field: its type without `NotRequired`, and whether it is always there."""

    type: Any
    is_required: bool


@frozen
class Endpoint:
    """An endpoint: its method, its paths (such as `/v1/projects/{projectId}`), and what it takes, returns and needs."""

    method: str
    paths: tuple[str, ...]
    query: frozenset[str]
    request: Any
    response: Any
    permission: str | None

    @property
    def name(self) -> str:
        """The method and the path without a team."""
        return f"{self.method} {min(self.paths, key=len)}"


@cache
def official_endpoints() -> dict[str, Endpoint]:
    """All endpoints, by their names."""
    found = {}
    for module in pkgutil.walk_packages(endpoints.__path__, f"{endpoints.__name__}."):
        content = vars(import_module(module.name))
        for cls in content.values():
            if isinstance(cls, type) and issubclass(cls, ApiEndpoint) and cls.__module__ == module.name:
                endpoint = _endpoint(cls)
                found[endpoint.name] = endpoint
    return found


def _endpoint(cls: type[Any]) -> Endpoint:
    hints = typing.get_type_hints(cls.acall, include_extras=True)
    return Endpoint(
        method=cls.method.upper(),
        paths=tuple(cls.path_templates),
        query=frozenset(cls.query_params),
        request=hints.get("data"),
        response=get_args(hints["return"])[0],
        permission=cls.required_permissions,
    )


def is_object(kind: Any) -> bool:
    """Whether the fields of a type are documented: a TypedDict, or a union of them."""
    return all(typing_extensions.is_typeddict(arm) for arm in arms(kind))


def is_opaque(kind: Any) -> bool:
    """Whether a type is an object without documented fields: `Dict[str, Any]` or `Any`."""
    return kind is Any or get_origin(kind) is dict


def arms(kind: Any) -> tuple[Any, ...]:
    """The types of a union but `None`; of another type, the type itself."""
    return tuple(arm for arm in get_args(kind) if arm is not NoneType) if get_origin(kind) is Union else (kind,)


def fields(kind: Any) -> dict[str, Field]:
    """The fields of a TypedDict; of a union of them, all fields, and as required those that every one requires."""
    found: dict[str, list[Field]] = {}
    for arm in arms(kind):
        for name, hint in typing.get_type_hints(arm, include_extras=True).items():
            is_optional = get_origin(hint) is NotRequired
            found.setdefault(name, []).append(Field(get_args(hint)[0] if is_optional else hint, not is_optional))
    count = len(arms(kind))
    return {
        name: Field(
            Union[tuple(variant.type for variant in variants)],  # noqa: UP007
            len(variants) == count and all(variant.is_required for variant in variants),
        )
        for name, variants in found.items()
    }


def items(kind: Any) -> Any:
    """The type of an array's items; of a union of arrays, the union of their items. `None` for another type."""
    if all(get_origin(arm) is list for arm in arms(kind)):
        return Union[tuple(get_args(arm)[0] for arm in arms(kind))]  # noqa: UP007
    return None


def literals(kind: Any) -> list[str]:
    """The documented values of an enumerated type; none for another type."""
    return [value for arm in arms(kind) if get_origin(arm) is Literal for value in get_args(arm)]


def sample(kind: Any, *, full: bool, name: str = "") -> Any:
    """Make a value of a documented type, with all of its fields or with the required ones.

    Args:
        kind: the type.
        full: include optional fields.
        name: the name of the field, which tells a time or a size from other text.
    """
    if values := literals(kind):
        return values[0]
    if is_opaque(kind):
        return {}
    if (item := items(kind)) is not None:
        return [] if is_opaque(item) else [sample(item, full=full)]
    if is_object(kind):
        return {
            key: sample(field.type, full=full, name=key)
            for key, field in fields(kind).items()
            if full or field.is_required
        }
    if kind is str or str in arms(kind):
        if name.endswith(("At", "Timestamp")):
            return "2021-01-20T11:19:53.175Z"
        return "1234" if name == "size" else "example"
    return {bool: True, int: 7, float: 7.0}[kind]


def paths_of(kind: Any, *, only_required: bool = False, prefix: str = "") -> set[str]:
    """The names of all fields, such as `scheduling.minute`; arrays have the fields of their items."""
    found = set()
    if (item := items(kind)) is not None:
        return paths_of(item, only_required=only_required, prefix=prefix)
    if is_object(kind):
        for name, field in fields(kind).items():
            if field.is_required or not only_required:
                found |= {prefix + name} | paths_of(field.type, only_required=only_required, prefix=f"{prefix}{name}.")
    return found
