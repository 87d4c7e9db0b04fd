from datetime import datetime
from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class LogLine:
    """A line that a backup or a restore has logged. `log` is text as a rule; the API leaves open what it is.

    https://northflank.com/docs/v1/api/project/addons/get-addon-backup-logs
    """

    ts: datetime
    log: Any
    container_id: str | None = None
