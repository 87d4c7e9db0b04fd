import click

from northflank_async.cli.call import Call, listing_options
from northflank_async.cli.options import Paging


@click.command("projects")
@listing_options
def list_projects(call: Call, paging: Paging) -> None:
    """List the projects that the token can see.

    \b
    northflank-async list projects
    """
    call.list(lambda view: view.projects, "projects", paging, permission="Projects > Manage > Read")
