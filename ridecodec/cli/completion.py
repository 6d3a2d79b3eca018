"""ridecodec completion"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Print the completion script for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash: echo 'eval "$(ridecodec completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(ridecodec completion zsh)"' >> ~/.zshrc
    fish: ridecodec completion fish > ~/.config/fish/completions/ridecodec.fish
    """
    from ridecodec.cli.app import cli

    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(cli, {}, "ridecodec", "_RIDECODEC_COMPLETE").source())
