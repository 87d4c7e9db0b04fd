"""What a token may see of its account, and whether that covers what another token saw."""

import json
import logging
from typing import Self

from attrs import evolve, frozen

from northflank_async.errors import (
    NorthflankError,
    NotFound,
    PermissionDenied,
    printable,
)
from northflank_async.inventory.crawl import ends_reading
from northflank_async.inventory.encoding import is_too_long, storable, storable_json
from northflank_async.records import (
    Auth,
    AuthPermissions,
    AuthRole,
    ProjectRestrictions,
    RestrictionMode,
    TokenScope,
    structure,
    unstructure,
)
from northflank_async.resources import AccountResource

_log = logging.getLogger("northflank_async")


async def identify(account: AccountResource, *, must_answer: bool = False) -> Auth | None:
    """Find out whose token it is, and what it may see; `None` if the API does not say.

    Args:
        account: any account of the client.
        must_answer: raise every error, except that the API does not have the route or does not allow it.

    Raises:
        NorthflankError: nothing else can be read either.
    """
    try:
        auth = await account.auth()
    except NorthflankError as error:
        if ends_reading(error, account):
            raise
        if must_answer and not isinstance(error, (NotFound, PermissionDenied)):
            raise
        label = f"{printable(account.name)}: " if account.name else ""
        _log.warning(
            "%sthe account of the token is not known; an inventory then marks less as deleted: %s", label, error
        )
        return None
    return auth if auth.entity_id and not is_too_long(auth.entity_id) else None


async def find_account_id(account: AccountResource) -> str | None:
    """Find out what to call the account of a token: what the API calls it, or else the name of the client.

    Raises:
        NorthflankError: nothing else can be read either.
    """
    auth = await identify(account)
    return storable(auth.entity_id) if auth else account.name


@frozen(kw_only=True)
class Visibility:
    """What a token may see of its account; `None` for what the API did not say."""

    role: AuthRole | None = None
    permissions: AuthPermissions | None = None
    project_restrictions: ProjectRestrictions | None = None

    @classmethod
    def of(cls, auth: Auth) -> Self:
        """Read the visibility of a token. It equals itself after it was stored, whatever text it holds."""
        found = cls(role=auth.role, permissions=auth.permissions, project_restrictions=_restrictions(auth))
        return cls.from_json(found.to_json())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is not JSON.
            DecodeError: the JSON is not a visibility.
        """
        return structure(json.loads(text), cls)

    def to_json(self) -> str:
        """Write the visibility as text. Equal ones are equal text."""
        return storable_json(unstructure(self))


def covers(present: Visibility, former: Visibility) -> bool:
    """Return whether a token sees every project that another token of the same account could see.

    Only then does a project's or addon's absence mean that it was deleted. In doubt the answer is no.
    """
    return _covers_permissions(present, former) and _covers_projects(
        present.project_restrictions, former.project_restrictions
    )


def _covers_permissions(present: Visibility, former: Visibility) -> bool:
    if present.permissions is None and former.permissions is None:
        return _same_role(present.role, former.role)
    if present.permissions is None or former.permissions is None:
        return present.role is not None and _same_role(present.role, former.role)
    # An equal role is not enough here: somebody may have taken permissions away from it.
    mine, theirs = present.permissions, former.permissions
    return (
        set(mine.org_scope or ()) >= set(theirs.org_scope or ())
        and set(mine.team_scope or ()) >= set(theirs.team_scope or ())
        and set(mine.project_scope or ()) >= set(theirs.project_scope or ())
    )


def _same_role(present: AuthRole | None, former: AuthRole | None) -> bool:
    """Compare roles by their ids where both have one, as a role can be renamed."""
    if present is None or former is None or present.role_id is None or former.role_id is None:
        return present == former
    return evolve(present, name=None) == evolve(former, name=None)


def _covers_projects(present: ProjectRestrictions | None, former: ProjectRestrictions | None) -> bool:
    if not _is_restricted(present) or present == former:
        return True
    if present is None or present.projects is None or not _is_restricted(former):
        return False
    if former is None or former.projects is None:
        return False
    mine, theirs = set(present.projects), set(former.projects)
    match present.restriction_mode, former.restriction_mode:
        case RestrictionMode.IN, RestrictionMode.IN:
            return mine >= theirs
        case RestrictionMode.NOT_IN, RestrictionMode.NOT_IN:
            return mine <= theirs
        case RestrictionMode.NOT_IN, RestrictionMode.IN:
            return mine.isdisjoint(theirs)
    return False


def _is_restricted(restrictions: ProjectRestrictions | None) -> bool:
    return restrictions is not None and restrictions.enabled is not False


def _restrictions(auth: Auth) -> ProjectRestrictions | None:
    """Return a token's restrictions; a workload's token may be restricted to its own project without saying so."""
    restrictions = auth.project_restrictions
    if auth.scope != TokenScope.OWN_PROJECT or _is_restricted(restrictions):
        return restrictions
    own = auth.workload.project_id if auth.workload else None
    return ProjectRestrictions(
        enabled=True, projects=None if own is None else (own,), restriction_mode=RestrictionMode.IN
    )
