"""What of histories is too slow in NumPy, compiled: the module `_histories`, whose source is in `src` (C++17).

Each function gives the same numbers as the NumPy code beside its call, which runs where the module was not built.
"""

from __future__ import annotations

try:
    from ridecodec.histories.native import _histories as module
except ImportError:
    module = None  # type: ignore[assignment]

__all__ = ["compiled", "module"]

compiled = module is not None
"""Whether it was built."""
