from datetime import datetime
from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class LogLine:
    """A log line of a backup or a restore. `log` is usually text; the API does not document its type.

    https://northflank.com/docs/v1/api/project/addons/get-addon-backup-logs
    """

    ts: datetime
    log: Any
    container_id: str | None = None
