from collections.abc import Iterator
from contextlib import contextmanager

from northflank_async.errors import ConfigurationError

_EXTRAS = {
    "backports": "zstd",
    "backports.zstd": "zstd",
    "croniter": "worker",
    "filelock": "sql",
    "jinja2": "report",
    "obstore": "mirror",
    "prometheus_client": "prometheus",
    "psycopg": "postgres",
    "procrastinate": "worker",
    "psycopg_pool": "worker",
    "pyarrow": "parquet",
    "rich": "cli",
    "sqlalchemy": "sql",
}
"""The extra that installs each optional package."""


@contextmanager
def require_extra() -> Iterator[None]:
    """Name the extra to install if an import inside the block lacks its package.

    Raises:
        ConfigurationError: an optional package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        name = _EXTRAS[error.name]
        raise ConfigurationError(f"{error.name} is missing: pip install 'northflank-async[{name}]'") from None
