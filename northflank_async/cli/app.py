"""The tree of commands. Its pages of help are printed from here alone: a command is imported when it is asked for."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from northflank_async.version import __version__

NAME = "northflank-async"

COMMANDS = {
    "list projects": ("projects:list_projects", "List the projects that the token can see."),
    "list addons": ("addons:list_addons", "List a project's addons."),
    "get addon backups": ("backups:list_backups", "List an addon's backups."),
    "get addon backup": ("backups:get_backup", "Get a backup, with its last restore."),
    "get addon backup download": ("backups:get_download_link", "Get a link that a dump can be downloaded from."),
    "get addon backup logs": ("logs:backup_logs", "Read what a backup has logged."),
    "get addon backup restores": ("restores:list_backup_restores", "List a backup's restores."),
    "get addon restores": ("restores:list_restores", "List the restores of an addon's backups."),
    "get addon restore logs": ("logs:restore_logs", "Read what a restore has logged."),
    "get addon backup-schedules": ("schedules:list_schedules", "List an addon's backup schedules."),
    "backup addon": ("backups:create_backup", "Back up an addon."),
    "restore addon backup": ("restores:restore_backup", "Restore an addon from a backup."),
    "abort addon backup": ("backups:abort_backup", "Abort a backup that is under way."),
    "abort addon restore": ("restores:abort_restore", "Abort a restore that is under way."),
    "retain addon backup": ("backups:retain_backup", "Keep a schedule's backup for good."),
    "download addon backup": ("download:download_backup", "Download a dump into FILE."),
    "delete backup": ("backups:delete_backup", "Delete a backup."),
    "create addon backup-schedule": ("schedules:create_schedule", "Back up an addon hourly, daily or weekly."),
    "delete addon backup-schedule": ("schedules:delete_schedule", "Delete a backup schedule."),
    "export": ("export:export_command", "Write the backup inventory to TARGET."),
    "plan": ("plan:plan_command", "Say what an export will take."),
    "simulate": ("simulate:simulate_command", "Serve a simulated Northflank."),
    "completion": ("completion:completion_command", "Make a shell complete these commands."),
}
"""Where each command is, and the first sentence of its help, in the order of the pages."""

ALIASES = {
    "get addon backup schedules": "get addon backup-schedules",
    "get addon restores logs": "get addon restore logs",
    "delete addon backup": "delete backup",
}
"""Other words for the same, which the pages of help leave out."""


class CommandTree(click.Group):
    """The commands that begin with the words of `path`.

    Some of those words can be a command of their own: `get addon backup` is one, and `get addon backup restores` is
    another.
    """

    def __init__(self, path: str = "", **attributes: Any) -> None:
        super().__init__(**attributes)
        self._path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The words that can come next."""
        return sorted({rest.split()[0] for rest, _ in self._below({**COMMANDS, **ALIASES})})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that word, or else the tree below it."""
        path = f"{self._path} {cmd_name}".strip()
        command, below = _load(path), _tree(path)
        if command and below:
            command.epilog = f"There is more: {path} {' | '.join(below.list_commands(ctx))}."
        return command or below

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Where a word is a command and has others below it, the next word tells which is meant."""
        below = _tree(f"{self._path} {args[0]}".strip())
        rest = args[1:]
        if below and ((rest[:1] and rest[0] in below.list_commands(ctx)) or (ctx.resilient_parsing and not rest)):
            return args[0], below, rest
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for, and say in one line what click would not."""
        try:
            return super().invoke(ctx)
        except (OSError, KeyboardInterrupt) as error:
            from northflank_async.cli.exits import fail_outside

            fail_outside(error)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write all commands below, with all their words."""
        with formatter.section("Commands"):
            formatter.write_dl([(rest, COMMANDS[path][1]) for rest, path in self._below(COMMANDS)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The words that can come next, and the options of the command that is there already."""
        words = [word for word in self.list_commands(ctx) if word.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        if command := _load(self._path):
            options = command.shell_complete(click.Context(command, parent=ctx, resilient_parsing=True), incomplete)
        return [CompletionItem(word) for word in words] + options

    def _below(self, paths: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """What comes after the tree's own words, and the whole."""
        start = f"{self._path} ".lstrip()
        return ((path.removeprefix(start), path) for path in paths if path.startswith(start))


def _tree(path: str) -> CommandTree | None:
    if not any(name.startswith(f"{path} ") for name in (*COMMANDS, *ALIASES)):
        return None
    return CommandTree(path, name=path.split()[-1], help=f"The commands that begin with “{path}”.")


def _load(path: str) -> click.Command | None:
    path = ALIASES.get(path, path)
    if path not in COMMANDS:
        return None
    module, _, name = COMMANDS[path][0].partition(":")
    command: click.Command = getattr(import_module(f"northflank_async.cli.commands.{module}"), name)
    return command


@click.group(NAME, cls=CommandTree)
@click.version_option(__version__, prog_name=NAME)
def program() -> None:
    """Northflank's addon backups and restores.

    The token is read from NORTHFLANK_API_TOKEN (or NF_API_TOKEN), the host from NORTHFLANK_API_BASE_URL (or
    NF_API_HOST, NF_HOST) if it is not https://api.northflank.com. Without a token there, the login of Northflank's own
    command line serves: a context of ~/.northflank/config.json.
    """
