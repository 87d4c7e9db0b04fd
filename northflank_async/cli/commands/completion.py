import click
from click.shell_completion import get_completion_class

from northflank_async.cli.app import NAME, program
from northflank_async.cli.options import Choice

_VARIABLE = "_NORTHFLANK_ASYNC_COMPLETE"


@click.command()
@click.argument("shell", type=Choice(["bash", "zsh", "fish"]))
def print_completion(shell: str) -> None:
    """Generate a shell completion script.

    \b
    eval "$(northflank-async completion bash)"      # in ~/.bashrc
    eval "$(northflank-async completion zsh)"       # in ~/.zshrc
    northflank-async completion fish | source       # in ~/.config/fish/config.fish
    """
    completion = get_completion_class(shell)
    if completion is not None:
        click.echo(completion(program, {}, NAME, _VARIABLE).source())
