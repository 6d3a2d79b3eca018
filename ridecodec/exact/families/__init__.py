"""Families of distributions: from the values of a program to integer cumulatives, and to the float likelihood.

A family names its parts (values of the program, int64 [size, m] of m sub-pixels) and its tables, proves them at load,
and gives a `Distribution`, or a `Mixer` that learns from one sub-pixel to the next; `bits` is the same in floats,
without the rounding and what was learnt, for the likelihood rate.
"""

from __future__ import annotations

from ridecodec.exact.families.base import Family, Settled
from ridecodec.exact.families.even import Even
from ridecodec.exact.families.gaussians import Gaussians
from ridecodec.exact.families.logistics import Logistics
from ridecodec.exact.families.mixed import Mixed
from ridecodec.exact.families.softmax import Softmax
from ridecodec.exact.families.spikes import Spikes
from ridecodec.exact.families.wide import WideHigh, WideLow

__all__ = [
    "FAMILIES",
    "Even",
    "Family",
    "Gaussians",
    "Logistics",
    "Mixed",
    "Settled",
    "Softmax",
    "Spikes",
    "WideHigh",
    "WideLow",
]

FAMILIES: dict[str, Family] = {
    "logistics": Logistics(),
    "even": Even(),
    "gaussians": Gaussians(),
    "spikes": Spikes(),
    "softmax": Softmax(),
    "wide.high": WideHigh(),
    "wide.low": WideLow(),
    "mixed": Mixed(),
}
"""By the name that a program has."""
