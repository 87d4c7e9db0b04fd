import click

from northflank_async.cli.options import ListingOptions, listing_options, project_option
from northflank_async.cli.output import write_listing
from northflank_async.cli.runner import Operation, run


@click.command()
@listing_options
def list_projects(options: ListingOptions) -> None:
    """List the projects that the token can access.

    \b
    northflank-async list projects
    """
    run(
        options,
        lambda account: write_listing(account.projects(**options.paging), "projects", options),
        Operation(permission="Project > Projects > Manage > Read"),
    )


@click.command()
@project_option
@listing_options
def list_addons(options: ListingOptions, project_id: str) -> None:
    """List a project's addons.

    \b
    northflank-async list addons --project default-project
    """
    run(
        options,
        lambda account: write_listing(account.project(project_id).addons(**options.paging), "addons", options),
    )
