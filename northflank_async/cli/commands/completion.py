import click
from click.shell_completion import get_completion_class

from northflank_async.cli.app import NAME, program

_VARIABLE = "_NORTHFLANK_ASYNC_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Make a shell complete these commands.

    What is printed is for the shell to read.

    \b
    eval "$(northflank-async completion bash)"      # in ~/.bashrc
    eval "$(northflank-async completion zsh)"       # in ~/.zshrc
    northflank-async completion fish | source       # in ~/.config/fish/config.fish
    """
    completion = get_completion_class(shell)
    if completion is not None:
        click.echo(completion(program, {}, NAME, _VARIABLE).source())
