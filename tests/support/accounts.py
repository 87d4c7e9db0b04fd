"""An accounts file for the tenants of a simulator."""

from collections.abc import Iterable
from pathlib import Path

from northflank_async.simulator import Simulator, Tenant


def write_accounts(folder: Path, sim: Simulator, tenants: Iterable[Tenant] | None = None) -> Path:
    """Write an accounts file, and a token file for each tenant, that only their owner can read."""
    tables = []
    for tenant in sim.tenants if tenants is None else tenants:
        token = folder / f"{tenant.name}.token"
        _write_privately(token, tenant.token)
        tables.append(f'[[accounts]]\nname = "{tenant.name}"\ntoken_file = "{token.name}"\nbase_url = "{sim.url}"\n')
    path = folder / "accounts.toml"
    _write_privately(path, "\n".join(tables))
    return path


def _write_privately(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
