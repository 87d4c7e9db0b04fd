"""The tree of commands. It prints the help pages of groups by itself: a command is imported only when it is used."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from northflank_async.errors import ConfigurationError
from northflank_async.validation import did_you_mean
from northflank_async.version import __version__

NAME = "northflank-async"

COMMANDS = {
    "list projects": ("projects:list_projects", "List the projects that the token can access."),
    "list addons": ("projects:list_addons", "List a project's addons."),
    "list backup-destinations": ("destinations:list_destinations", "List the backup destinations."),
    "get auth": ("account:get_auth", "Get the token's account and permissions."),
    "get addon types": ("account:list_addon_types", "List the types of addons."),
    "get addon backups": ("backups:list_backups", "List an addon's backups."),
    "get addon backup": ("backups:get_backup", "Get a backup and its last restore."),
    "get addon backup download": ("backups:get_download_link", "Get a download link for a dump."),
    "get addon backup logs": ("logs:backup_logs", "Get the logs of a backup."),
    "get addon backup restores": ("restores:list_backup_restores", "List a backup's restores."),
    "get addon restores": ("restores:list_restores", "List the restores of an addon's backups."),
    "get addon restore logs": ("logs:restore_logs", "Get the logs of a restore."),
    "get addon backup-schedules": ("schedules:list_schedules", "List an addon's backup schedules."),
    "get volume backup-schedules": ("volumes:list_schedules", "List a volume's backup schedules."),
    "backup addon": ("backups:create_backup", "Back up an addon."),
    "restore addon backup": ("restores:restore_backup", "Restore an addon from a backup."),
    "abort addon backup": ("backups:abort_backup", "Abort a running backup."),
    "abort addon restore": ("restores:abort_restore", "Abort a running restore."),
    "retain addon backup": ("backups:retain_backup", "Keep a backup after its retention period ends."),
    "download addon backup": ("backups:download_backup", "Download a dump to FILE."),
    "delete backup": ("backups:delete_backup", "Delete a backup."),
    "create addon backup-schedule": ("schedules:create_schedule", "Create a backup schedule."),
    "delete addon backup-schedule": ("schedules:delete_schedule", "Delete a backup schedule."),
    "create volume backup-schedule": ("volumes:create_schedule", "Create a backup schedule of a volume."),
    "delete volume backup-schedule": ("volumes:delete_schedule", "Delete a backup schedule of a volume."),
    "add backup-destination": ("destinations:add_destination", "Add a bucket as a backup destination."),
    "export": ("export:export_inventory", "Export the backup inventory to TARGET."),
    "convert": ("convert:convert_inventory", "Write the backups of the database SOURCE to the file TARGET."),
    "audit": ("audit:audit_inventory", "Judge the inventory TARGET by rules."),
    "watch": ("watch:watch_inventory", "Sync into TARGET on a timer, audit it, and serve the result."),
    "mirror": ("mirror:mirror_dumps", "Copy dumps to DESTINATION, outside the platform."),
    "drill": ("drill:drill_backup", "Restore a backup into a scratch addon, check it, and remove the addon."),
    "plan": ("plan:plan_export", "Estimate the requests and the time of an export to TARGET."),
    "doctor": ("doctor:check", "Check the token of each account."),
    "worker": ("worker:run_worker", "Sync many accounts into one database, again and again."),
    "worker status": ("worker:show_status", "Show the accounts that workers sync."),
    "simulate": ("simulate:serve_simulator", "Serve a simulated Northflank API."),
    "completion": ("completion:print_completion", "Generate a shell completion script."),
}
"""The module and function of each command, and the first sentence of its help, in the order of the help page."""

ALIASES = {
    "get addon backup schedules": "get addon backup-schedules",
    "get addon restores logs": "get addon restore logs",
    "delete addon backup": "delete backup",
}
"""Other names of commands, which help pages omit."""


class CommandTree(click.Group):
    """The commands whose names start with the words of `path`.

    A name can be a command and the start of others: both `get addon backup` and `get addon backup restores` exist.
    """

    def __init__(self, path: str = "", **attributes: Any) -> None:
        super().__init__(**attributes)
        self.path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the words that can come next."""
        return sorted({rest.split()[0] for rest, _ in self._below({**COMMANDS, **ALIASES})})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Get the command of that name, or the tree below it."""
        path = f"{self.path} {cmd_name}".strip()
        command, below = _load(path), _tree(path)
        if command and below:
            command.epilog = f"Subcommands: {path} {' | '.join(below.list_commands(ctx))}"
        return command or below

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Choose between a command and the tree below it by the next word.

        Raises:
            click.UsageError: there is no command of that name.
        """
        word, rest = args[0], args[1:]
        if not word.startswith("-") and not ctx.resilient_parsing and word not in self.list_commands(ctx):
            prefix = f"{self.path} ".lstrip()
            suggestion = did_you_mean(word, self.list_commands(ctx), prefix)
            raise click.UsageError(f"No such command {prefix + word!r}.{suggestion}", ctx)
        below = _tree(f"{self.path} {word}".strip())
        if below and (ctx.resilient_parsing if not rest else _is_name_below(below, rest[0])):
            return word, below, rest
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and report in one line what click would not."""
        with _reporting():
            return super().invoke(ctx)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the options, which print help and the version."""
        with _reporting():
            return super().make_context(info_name, args, parent, **extra)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List all commands below, with the rest of their names."""
        with formatter.section("Commands"):
            formatter.write_dl([(rest, COMMANDS[path][1]) for rest, path in self._below(COMMANDS)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the next word, or an option of the command so far."""
        words = [word for word in self.list_commands(ctx) if word.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        if command := _load(self.path):
            options = command.shell_complete(click.Context(command, parent=ctx, resilient_parsing=True), incomplete)
        return [CompletionItem(word) for word in words] + options

    def _below(self, paths: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """For each path in this tree: its words after those of the tree, and the whole path."""
        start = f"{self.path} ".lstrip()
        return ((path.removeprefix(start), path) for path in paths if path.startswith(start))


@contextmanager
def _reporting() -> Iterator[None]:
    try:
        yield
    except (ConfigurationError, OSError, KeyboardInterrupt, asyncio.CancelledError) as error:
        from northflank_async.cli.exits import fail_outside_request

        fail_outside_request(error)


def _tree(path: str) -> CommandTree | None:
    if not any(name.startswith(f"{path} ") for name in (*COMMANDS, *ALIASES)):
        return None
    return CommandTree(path, name=path.split()[-1], help=f"Commands that start with '{path}'.")


def _is_name_below(tree: CommandTree, word: str) -> bool:
    """Whether the word after a command's name is that of a command below it; a misspelling is, unless it can be an
    argument."""
    command = _load(tree.path)
    if command and any(isinstance(found, click.Argument) for found in command.params):
        return word in tree.list_commands(click.Context(tree))
    return not word.startswith("-")


def _load(path: str) -> click.Command | None:
    path = ALIASES.get(path, path)
    if path not in COMMANDS:
        return None
    module, _, name = COMMANDS[path][0].partition(":")
    command: click.Command = getattr(import_module(f"northflank_async.cli.commands.{module}"), name)
    return command


@click.group(NAME, cls=CommandTree, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=NAME)
def program() -> None:
    """Manage Northflank's addon backups and restores.

    The token comes from NORTHFLANK_API_TOKEN (or NF_API_TOKEN), the host from NORTHFLANK_API_BASE_URL (or NF_API_HOST,
    NF_HOST); the default is https://api.northflank.com. Without a token in the environment, the login of Northflank's
    own CLI is used: the current context in ~/.northflank/config.json.
    """
