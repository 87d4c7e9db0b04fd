"""What the commands that make one call of the API have in common: their options, the call, and its result."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from attrs import frozen

from northflank_async.cli.exits import ExitCode, fail
from northflank_async.cli.options import (
    Paging,
    collected,
    connection_options,
    output_option,
    paging_options,
    team_option,
    together,
)
from northflank_async.cli.output import format_of, write_data, write_item, write_items
from northflank_async.cli.runner import READ, UPDATE, Connection, Failing, plain_handler
from northflank_async.client import Account, Northflank
from northflank_async.errors import RunFailed, printable
from northflank_async.paging import Paginator
from northflank_async.records import Backup, Restore, unstructure

T = TypeVar("T")


@frozen(kw_only=True)
class Call(Connection):
    """A call, as it was said on the command line."""

    team_id: str | None
    output: str | None

    @property
    def format(self) -> str:
        """How the result is written."""
        return format_of(self.output)

    def change(self, work: Callable[[Account], Awaitable[T]]) -> T:
        """Make a call that changes something."""
        stopped = "it may have been done all the same: look before trying again"
        return self.run_work(work, Failing(if_stopped=stopped, if_refused="nothing was done", permission=UPDATE))

    def read(self, work: Callable[[Account], Awaitable[T]], permission: str = READ) -> T:
        """Make a call that changes nothing."""
        return self.run_work(work, Failing(permission=permission))

    def list(
        self,
        listing: Callable[[Account], Callable[..., Paginator[Any]]],
        key: str,
        paging: Paging,
        *,
        permission: str = READ,
        **arguments: Any,
    ) -> None:
        """Write a listing's items, which are at `key` of the JSON that is sent."""

        async def work(view: Account) -> None:
            pages = listing(view)(**paging.arguments(self.format), **arguments).raw().pages()
            kept: dict[str, Any] | None = None
            async for page in pages:
                data = {**page.data, key: list(page.items)}
                if self.format == "jsonl":
                    write_items(data, key, self.format)  # as they come
                elif kept is None:
                    kept = data
                else:
                    kept[key] += data[key]
                if not paging.whole(self.format):
                    break
            if kept is not None:
                write_items(kept, key, self.format)
            if not pages.ended:
                place = f"--page {pages.page}" if pages.cursor is None else f"--cursor {printable(pages.cursor)}"
                self.say(f"there is more: {place}, or all of it with --loadAll")

        self.read(work, permission)

    def get(self, path: Callable[[Account], str], key: str) -> None:
        """Write what is at a path, one of those that a listing has at `key`."""
        write_item(self.read(lambda view: view.request("GET", path(view))), key, self.format)

    def wait(self, begun: str, wait: Callable[[Account], Awaitable[Backup | Restore]], key: str) -> None:
        """Say what has begun and wait for its end, write the record of it, and fail where it has failed."""
        from rich.console import Console

        self.say(f"{begun} has begun")  # whoever gives up waiting needs its id
        shown = Console(stderr=True, quiet=self.quiet or not sys.stderr.isatty())

        async def work(view: Account) -> Backup | Restore | RunFailed | TimeoutError:
            try:
                with shown.status("waiting for its end…"):
                    return await wait(view)
            except (RunFailed, TimeoutError) as error:
                return error

        ended = self.run_work(work, Failing(if_stopped="what has been started goes on"))
        if isinstance(ended, TimeoutError):
            fail(f"{ended}; it goes on", ExitCode.TIMEOUT)
        record = ended.record if isinstance(ended, RunFailed) else ended
        write_item(unstructure(record), key, self.format)
        if isinstance(ended, RunFailed):
            fail(f"{ended}", ExitCode.RUN_FAILED)

    def done(self, message: str, data: dict[str, Any]) -> None:
        """Say at a terminal what has been done; elsewhere write what the API says of it."""
        if self.format == "table":
            click.echo(message)
        else:
            write_data(data, self.format)

    def run_work(self, work: Callable[[Account], Awaitable[T]], failing: Failing) -> T:
        """Make the calls of `work` in the account or in the team that was named."""

        def in_view(nf: Northflank) -> Awaitable[T]:
            return work(nf if self.team_id is None else nf.team(self.team_id))

        return self.run(in_view, failing, plain_handler())


call_options = collected(Call, "call", team_option, output_option, *connection_options)

listing_options = together(paging_options, call_options)
