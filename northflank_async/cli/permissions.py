"""The permissions that commands need, as the API documents them."""

from northflank_async.records import Auth

_READ_PROJECTS = "Project > Projects > Manage > Read"
_READ = "Project > Addons > General > Read"
_READ_SPEC = "Project > Addons > General > Read Spec"
_READ_LOGS = "Project > Addons > Deployment > View Instance Logs"
_UPDATE = "Project > Addons > General > Update"
_CREATE = "Project > Addons > General > Create"
_DELETE = "Project > Addons > General > Delete"
_VOLUMES = "Project > Volumes > Backups"
_DESTINATIONS = "Account > Platform > BackupDestinations"

PERMISSIONS: dict[str, tuple[str, ...]] = {
    "list projects": (_READ_PROJECTS,),
    "list addons": (_READ,),
    "list backup-destinations": (f"{_DESTINATIONS} > Read",),
    "get auth": (),
    "get addon types": (),
    "get addon backups": (_READ,),
    "get addon backup": (_READ,),
    "get addon backup download": (_READ_SPEC,),
    "get addon backup logs": (_READ_LOGS,),
    "get addon backup restores": (_READ,),
    "get addon restores": (_READ,),
    "get addon restore logs": (_READ_LOGS,),
    "get addon backup-schedules": (_READ,),
    "get volume backup-schedules": (f"{_VOLUMES} > Read",),
    "backup addon": (_UPDATE,),
    "restore addon backup": (_UPDATE,),
    "abort addon backup": (_UPDATE,),
    "abort addon restore": (_UPDATE,),
    "retain addon backup": (_UPDATE,),
    "download addon backup": (_READ_SPEC,),
    "delete backup": (_UPDATE,),
    "create addon backup-schedule": (_UPDATE,),
    "delete addon backup-schedule": (_UPDATE,),
    "create volume backup-schedule": (f"{_VOLUMES} > Create",),
    "delete volume backup-schedule": (f"{_VOLUMES} > Delete",),
    "add backup-destination": (f"{_DESTINATIONS} > Create",),
    "audit": (_READ_PROJECTS, _READ),
    "drill": (_READ_PROJECTS, _READ, _READ_SPEC, _UPDATE, _CREATE, _DELETE),
    "export": (_READ_PROJECTS, _READ),
    "mirror": (_READ_PROJECTS, _READ, _READ_SPEC),
    "plan": (_READ_PROJECTS, _READ),
    "watch": (_READ_PROJECTS, _READ),
    "worker": (_READ_PROJECTS, _READ),
}
"""The permissions of each command that sends requests."""


def allowed_commands(auth: Auth) -> dict[str, bool | None]:
    """Return for each command whether a token's permissions allow it; `None` if that is unknown.

    A role without a list of permissions is unknown. So is a list that is not written as the documented permissions.
    """
    found = auth.permissions
    scopes = [] if found is None else [found.org_scope, found.team_scope, found.project_scope]
    granted = {permission for scope in scopes for permission in scope or ()}
    is_known = any(scope is not None for scope in scopes) and all(" > " in permission for permission in granted)
    return {
        command: granted.issuperset(needed) if is_known or not needed else None
        for command, needed in PERMISSIONS.items()
    }
