"""Packages that only some of ridecodec needs, and how to install them."""

from __future__ import annotations

_EXTRAS = {"torch": ("PyTorch", "torch"), "matplotlib": ("Matplotlib", "bench"), "skimage": ("scikit-image", "bench")}
"""By module: what it is called, and the extra that installs it."""


def hint(error: ImportError) -> str | None:
    """What to install, in words, where an import failed for a package that is an extra; else None."""
    module = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or module not in _EXTRAS:
        return None
    name, extra = _EXTRAS[module]
    return f"{name} is required but not installed: pip install 'ridecodec[{extra}]'"
