import click

from northflank_async.cli.call import Call, listing_options
from northflank_async.cli.options import Paging, project_option


@click.command("addons")
@project_option
@listing_options
def list_addons(call: Call, paging: Paging, project_id: str) -> None:
    """List a project's addons.

    \b
    northflank-async list addons --project default-project
    """
    call.list(lambda view: view.project(project_id).addons, "addons", paging)
