"""The version of ridecodec."""

__version__ = "0.1.0"
