"""A progress bar on standard error, when that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ridecodec.parallel import Progress


@contextlib.contextmanager
def bar(name: str, wanted: bool) -> Iterator[Callable[[Progress], None] | None]:
    """What to hand to `compress` or `decompress` as ``progress``: pixels, rate so far, time left; None for no bar."""
    if not (wanted and sys.stderr and sys.stderr.isatty()):
        yield None
        return
    from tqdm import tqdm

    style = {"unit": "px", "unit_scale": True, "leave": False, "dynamic_ncols": True, "miniters": 1}
    with tqdm(desc=name, file=sys.stderr, **style) as shown:

        def advance(state: Progress) -> None:
            if state.pixels_done < shown.n:  # the next pass
                shown.reset()
                shown.set_description_str(f"verifying {name}", refresh=False)
            shown.total = state.pixels_total
            if state.bits and state.pixels_done:
                rate = state.bits / (state.pixels_done * state.channels)
                shown.set_postfix_str(f"{rate:.3f} bpsp", refresh=False)
            shown.update(state.pixels_done - shown.n)

        yield advance
