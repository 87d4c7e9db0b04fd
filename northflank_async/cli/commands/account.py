import click

from northflank_async.cli.options import ApiOptions, api_options
from northflank_async.cli.output import write_item, write_items
from northflank_async.cli.runner import Operation, run

_NO_PERMISSION = Operation(permission="no permission")


@click.command()
@api_options
def get_auth(options: ApiOptions) -> None:
    """Get the token's account and permissions.

    \b
    northflank-async get auth
    """
    auth = run(options, lambda account: account.request("GET", "/v1/auth"), _NO_PERMISSION)
    write_item(auth, "auth", options.format)


@click.command()
@api_options
def list_addon_types(options: ApiOptions) -> None:
    """List the types of addons.

    \b
    northflank-async get addon types
    """
    types = run(options, lambda account: account.request("GET", "/v1/addon-types"), _NO_PERMISSION)
    write_items(types, "addonTypes", options.format)
