import click

from northflank_async.cli.export import export_command
from northflank_async.cli.plan import plan_command
from northflank_async.cli.simulate import simulate_command
from northflank_async.version import __version__


@click.group()
@click.version_option(__version__, prog_name="northflank-async")
def program() -> None:
    """Northflank's addon backups and restores.

    The token is read from NORTHFLANK_API_TOKEN (or NF_API_TOKEN), the host from NORTHFLANK_API_BASE_URL (or
    NF_API_HOST, NF_HOST) if it is not https://api.northflank.com.
    """


program.add_command(export_command)
program.add_command(plan_command)
program.add_command(simulate_command)
