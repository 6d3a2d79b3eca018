"""ridecodec models"""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from ridecodec.cli import options


@click.command(short_help="List the available models.")
@options.as_json
def command(as_json: bool) -> None:
    """List the available models: name, content hash, size, engine, rate on the 24 Kodak pictures, and purpose.

    \b
    Examples:
      ridecodec models
      RIDECODEC_MODELS=models ridecodec models --json
    """
    from ridecodec.models import registry

    if as_json:
        for card in registry.cards():
            click.echo(json.dumps(asdict(card) | {"engine": registry.engine_of(card)}))
        return
    cards = list(registry.cards())
    width = 2 + max(len(card.name) for card in cards)
    click.echo(f"{'name':<{width}}{'hash':<10}{'bytes':>11}  {'engine':<12}{'Kodak bpsp':>10}  {'purpose'}")
    for card in cards:
        rate = "-" if card.kodak_bpsp is None else f"{card.kodak_bpsp:.3f}"
        engine = registry.engine_of(card)
        click.echo(f"{card.name:<{width}}{card.hash:<10}{card.bytes:>11,}  {engine:<12}{rate:>10}  {card.purpose}")
