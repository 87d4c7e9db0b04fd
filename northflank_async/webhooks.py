"""Events that a Northflank notification integration sends to a webhook."""

import hmac
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from northflank_async.errors import ConfigurationError, InvalidEvent

_PREFIX = "X-Northflank-Notification-Integration-"
_TRIGGER = "trigger:"
"""The start of an event's name where it is subscribed to."""


class EventName(StrEnum):
    """The events of addons' backups and restores."""

    BACKUP_START = "addon-backup:start"
    BACKUP_SUCCESS = "addon-backup:success"
    BACKUP_FAILURE = "addon-backup:failure"
    BACKUP_ABORT = "addon-backup:abort"
    RESTORE_START = "addon-restore:start"
    RESTORE_SUCCESS = "addon-restore:success"
    RESTORE_FAILURE = "addon-restore:failure"
    RESTORE_ABORT = "addon-restore:abort"


@frozen(kw_only=True)
class Event:
    """An event. A field that was not sent is `None`.

    Northflank does not document what the events of backups contain, and they are not signed: take from them where
    something has happened, and read from the API what.

    `name` is an `EventName`, or the text of any other event. `id` is the same each time that an event is sent again.
    """

    name: EventName | str
    id: str
    integration_id: str | None = None
    integration_name: str | None = None
    project_id: str | None = None
    addon_id: str | None = None
    data: dict[str, Any] = field(factory=dict, repr=False)


def parse_event(headers: Mapping[str, str], body: str | bytes, token: str) -> Event:
    """Check the token of a request to a webhook, in constant time, and read its event.

    Args:
        headers: of the request; their case does not matter.
        body: of the request.
        token: the secret of the notification integration.

    Raises:
        InvalidEvent: it is not an event with this token; its `status` is the one to respond with.
        ConfigurationError: `token` is empty, which would let everybody in.

    https://northflank.com/docs/v1/api/integrations/create-notification-integration
    """
    if not isinstance(token, str) or not token:
        raise ConfigurationError("the webhook's token must be text that is not empty")
    sent = _header(headers, "Token")
    if sent is None:
        raise InvalidEvent(f"the header {_PREFIX}Token is missing: set a secret for the integration", status=401)
    if not hmac.compare_digest(_bytes(sent), _bytes(token)):
        raise InvalidEvent("the token is wrong", status=401)
    content = _parse(body)
    data = content.get("data")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise InvalidEvent("the event's data is not an object", status=400)
    return Event(
        name=_name(content.get("event", _header(headers, "Event-Type"))),
        id=_required(headers, "Event-Id"),
        integration_id=_header(headers, "Id"),
        integration_name=_header(headers, "Name"),
        project_id=_id(data.get("project")),
        addon_id=_id(data.get("addon")),
        data=data,
    )


def _header(headers: Mapping[str, str], name: str) -> str | None:
    wanted = f"{_PREFIX}{name}".lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), None)


def _required(headers: Mapping[str, str], name: str) -> str:
    value = _header(headers, name)
    if not value:
        raise InvalidEvent(f"the header {_PREFIX}{name} is missing", status=400)
    return value


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _parse(body: str | bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise InvalidEvent("the body is not JSON", status=400) from None
    if not isinstance(content, dict):
        raise InvalidEvent("the body is not a JSON object", status=400)
    return content


def _name(name: object) -> EventName | str:
    if not isinstance(name, str) or not name.removeprefix(_TRIGGER):
        raise InvalidEvent("the event has no name", status=400)
    name = name.removeprefix(_TRIGGER)
    try:
        return EventName(name)
    except ValueError:
        return name


def _id(resource: object) -> str | None:
    found = resource.get("id") if isinstance(resource, dict) else None
    return found if isinstance(found, str) and found else None
