"""The command line: click commands, one module each, loaded only when they are asked for."""

from ridecodec.cli.app import main

__all__ = ["main"]
