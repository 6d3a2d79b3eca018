"""ridecodec help"""

from __future__ import annotations

import click


@click.command(short_help="Show the help of a command.")
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of a command, like COMMAND --help. Without a command, show the help of ridecodec.

    \b
    Examples:
      ridecodec help compress
      ridecodec help train ride
    """
    shown = ctx.find_root()
    for name in names:
        found = shown.command.get_command(shown, name) if isinstance(shown.command, click.Group) else None
        if found is None:
            raise click.UsageError(f"no such command '{' '.join(names)}'", shown)
        shown = click.Context(found, parent=shown, info_name=name)
    click.echo(shown.get_help())
