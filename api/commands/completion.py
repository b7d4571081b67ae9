"""The name of a shell in, the script out that completes `regtape` in it."""

import click

from api.console import DONE, regtape_command


@regtape_command(
    "completion",
    short_help="Completion for bash, zsh or fish.",
    examples=(
        'eval "$(regtape completion bash)"      # in ~/.bashrc',
        'eval "$(regtape completion zsh)"       # in ~/.zshrc',
        "regtape completion fish > ~/.config/fish/completions/regtape.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print what SHELL needs to complete commands, options and their values."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "regtape", "_REGTAPE_COMPLETE").source())
    return DONE
