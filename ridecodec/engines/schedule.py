"""What of a program has to be known before what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ridecodec.exact.operations import LEARNERS
from ridecodec.exact.order import BACKWARDS
from ridecodec.exact.program import Program
from ridecodec.exact.ranges import Int64

_NONE: frozenset[int] = frozenset()


def ancestors(program: Program, wanted: Iterable[int], known: Collection[int] = _NONE) -> set[int]:
    """The values, and all that they are computed from at their own pixel; not what is ``known``, or behind it."""
    found: set[int] = set()
    todo = list(wanted)
    while todo:
        number = todo.pop()
        if number not in found and number not in known:
            found.add(number)
            todo += program.operations[number].inputs
    return found


def whole(program: Program) -> dict[int, Int64]:
    """The values all of whose rows are kept, and the numbers of the planes that keep them, row by row."""
    planes: dict[int, dict[int, int]] = {}
    for k, plane in enumerate(program.kept):
        planes.setdefault(plane.value, {})[plane.row] = program.channels + k
    sizes = {value: len(program.ranges[value]) for value in planes}
    return {
        value: np.array([held[row] for row in range(sizes[value])], np.int64)
        for value, held in planes.items()
        if len(held) == sizes[value]
    }


def levels(program: Program) -> tuple[bool, list[list[int]]]:
    """Whether a kept value depends on itself or on what learns; if not, the values to be filled one after another."""
    kept = dict.fromkeys(plane.value for plane in program.kept)
    planes = whole(program)
    needs: dict[int, set[int]] = {}
    for value in kept:
        others = planes.keys() - {value}
        before = ancestors(program, [value], others)
        needs[value] = {n for k in before for n in program.operations[k].inputs if n in others}
        for operation in (program.operations[k] for k in before):
            if operation.kind in LEARNERS:
                return True, []
            if operation.kind == "tap":
                reached = np.asarray(operation.attributes["planes"]).tolist()
                needs[value] |= {program.kept[p - program.channels].value for p in reached if p >= program.channels}
    found: list[list[int]] = []
    done: set[int] = set()
    while len(done) < len(needs):
        ready = [value for value, others in needs.items() if value not in done and others <= done]
        if not ready:
            return True, []
        found.append(ready)
        done.update(ready)
    return False, found


def reading(
    program: Program, needed: Collection[int], wanted: Collection[int], kept: Mapping[int, Int64]
) -> dict[int, Int64]:
    """Of values that are kept, those that the needed ones take, or that are wanted themselves."""
    inputs = {n for k in needed for n in program.operations[k].inputs}
    return {value: planes for value, planes in kept.items() if value in inputs or value in wanted}


def kept_planes(program: Program, lead: int) -> dict[int, tuple[Int64, Int64]]:
    """The values that a pass keeps: their rows, and the numbers of these rows' planes."""
    planes: dict[int, list[tuple[int, int]]] = {}
    for k, plane in enumerate(program.kept):
        if program.operations[plane.value].lead == lead:
            planes.setdefault(plane.value, []).append((plane.row, program.channels + k))
    found = {value: np.array(pairs, np.int64).T for value, pairs in planes.items()}
    return {value: (rows, numbers) for value, (rows, numbers) in found.items()}


def passes(program: Program, height: int, width: int, last: bool = False) -> Iterator[tuple[int, Int64, Int64]]:
    """Every pass of each front, and rows and columns of its pixels.

    ``last``: the pass that runs backwards runs over the last row too, which nothing needs.
    """
    hood, leads = program.hood, program.leads
    for t in range(-leads[0], hood.fronts(height, width) + last):
        if BACKWARDS in leads and t and t % width == 0:
            for x in range(width - 1, -1, -1):
                yield BACKWARDS, np.array([t // width - 1]), np.array([x])
        for lead in leads:
            y = np.arange(*hood.rows(t + lead, height, width))
            if lead >= 0 and len(y):
                yield lead, y, t + lead - hood.pace(width) * y


def coded_pixels(program: Program, height: int, width: int) -> NDArray[np.bool_]:
    """Which pixels of a tile are coded, in raster order."""
    coded = np.ones((height, width), np.bool_)
    if program.halved:
        coded[::2, ::2] = False
    return coded.reshape(-1)
