"""Whose rows they are: the account of a token, and the accounts that an inventory has."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from northflank_async.errors import ConfigurationError
from northflank_async.inventory.encoding import storable
from northflank_async.inventory.identity import Visibility
from northflank_async.inventory.query import Query
from northflank_async.inventory.store.schema import (
    ROWS,
    account_names,
    accounts,
    copies,
    drills,
    failures,
    listings,
    sync_runs,
)
from northflank_async.records import Auth

_NAME_IT = "allow it to read /v1/auth, or give the client a name"


def find_account(
    connection: Connection,
    query: Query,
    auth: Auth | None,
    release: Callable[[Connection, str], None],
    *,
    is_only: bool,
    temporary: bool = False,
) -> str:
    """Find the account whose rows a sync run reads, and store what is known of it.

    An account that the API names for the first time takes over the rows that were stored under the client's name, or
    without any.

    Args:
        connection: the transaction.
        query: what the run reads, of one client.
        auth: whose token it is; `None` if the API did not say.
        release: called before the rows of an account become another one's.
        is_only: no other client is synced at the same time.
        temporary: the store is only for this export.

    Returns:
        What the API calls the account, or else the client's name, or nothing.

    Raises:
        ConfigurationError: the inventory has this account of another host, or several that it could be.
        BlockingIOError: another process is writing to the account whose rows are taken over.
    """
    known = {row.account_id: row for row in connection.execute(select(accounts))}
    names: dict[str, str] = {row.name: row.account_id for row in connection.execute(select(account_names))}
    name = None if query.name is None else storable(query.name)
    if "" in known and not (is_only or temporary):
        raise ConfigurationError(
            "the inventory does not say whose rows it has: sync the client that they belong to by itself first"
        )
    account_id = storable(auth.entity_id) if auth else _assume(known, names, name, is_only=is_only, temporary=temporary)
    former = known.get(account_id)
    former_id = None if name is None else names.get(name)
    if former_id is None and former is None and is_only:
        former_id = ""
    replaced = None if former_id in (None, account_id) else known.get(former_id)
    if replaced is not None and replaced.visibility is not None:  # the token has got another account
        replaced = None
    _check_host(query, former or replaced, temporary=temporary)
    if replaced is not None:
        release(connection, replaced.account_id)
        if former is None:
            _rename(connection, replaced.account_id, account_id)
            former = replaced
        else:
            _delete(connection, replaced.account_id, account_id)
    _save(connection, account_id, query, auth, former)
    if name is not None:
        connection.execute(delete(account_names).where(account_names.c.name == name))
        connection.execute(insert(account_names), {"name": name, "account_id": account_id})
    return account_id


def _assume(
    known: Mapping[str, Row[Any]], names: Mapping[str, str], name: str | None, *, is_only: bool, temporary: bool
) -> str:
    """Return the account that it must be, although the API did not say it."""
    if name is not None and name in names:
        return names[name]
    unnamed = known.keys() - {"", *names.values()}
    if is_only and len(known) == 1 and "" not in known and (name is None or unnamed):
        return next(iter(known))
    if name is not None and (temporary or not (unnamed or name in known)):
        return name
    if name is None and is_only and (temporary or set(known) <= {""}):
        return ""
    if not is_only and name is None:
        raise ConfigurationError(
            f"the API does not say which account the token of one of the clients belongs to: {_NAME_IT}"
        )
    of = "" if name is None else f" {name!r}"
    raise ConfigurationError(
        f"the inventory has several accounts, and the API does not say which one this token{of} belongs to: {_NAME_IT}"
    )


def _check_host(query: Query, former: Row[Any] | None, *, temporary: bool) -> None:
    if former is not None and former.host != query.host and not temporary:
        raise ConfigurationError(
            f"this inventory belongs to {former.host}; syncing from {query.host} would mark everything deleted: "
            "use another target"
        )


def _rename(connection: Connection, former_id: str, account_id: str) -> None:
    for table in (accounts, account_names, listings, sync_runs, failures, copies, drills):
        is_former = table.c.account_id == former_id
        connection.execute(update(table).where(is_former).values(account_id=account_id))


def _delete(connection: Connection, former_id: str, account_id: str) -> None:
    """Soft-delete the rows of an account which is another one, as is now known: that one has them, too.

    Its copies and drills become the other one's: no sync can read them.
    """
    for table in (copies, drills):
        connection.execute(update(table).where(table.c.account_id == former_id).values(account_id=account_id))
    of_former = select(listings.c.listing_id).where(listings.c.account_id == former_id)
    for rows in ROWS.values():
        is_there = (rows.c.listing_id.in_(of_former), rows.c.deleted_at.is_(None))
        connection.execute(update(rows).where(*is_there).values(deleted_at=datetime.now(UTC)))


def _save(connection: Connection, account_id: str, query: Query, auth: Auth | None, former: Row[Any] | None) -> None:
    now = datetime.now(UTC)
    values: dict[str, Any] = {"host": query.host, "last_seen_at": now}
    if auth is not None:
        entity_type = None if auth.entity_type is None else storable(auth.entity_type)
        values |= {"entity_type": entity_type, "visibility": Visibility.of(auth).to_json()}
    if former is None:
        connection.execute(insert(accounts).values(account_id=account_id, first_seen_at=now, **values))
    else:
        connection.execute(update(accounts).where(accounts.c.account_id == account_id).values(values))
