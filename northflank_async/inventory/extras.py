from collections.abc import Iterator
from contextlib import contextmanager

from northflank_async.errors import ConfigurationError

_EXTRAS = {"pyarrow": "parquet", "asyncpg": "postgres", "greenlet": "postgres", "sqlalchemy": "sql", "filelock": "sql"}
"""Of the packages that not every installation has: the extra that brings each."""


@contextmanager
def extra() -> Iterator[None]:
    """Say what to install if a package is missing that an extra brings.

    Raises:
        ConfigurationError: one is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise
        name = _EXTRAS[error.name]
        raise ConfigurationError(f"{error.name} is missing: pip install 'northflank-async[{name}]'") from None
