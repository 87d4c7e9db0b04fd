"""Many accounts: the file that names them, and the workers that sync them."""

from northflank_async.fleet.accounts import AccountEntry, load_accounts, open_clients

__all__ = ["AccountEntry", "load_accounts", "open_clients"]
