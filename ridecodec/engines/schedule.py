"""What of a program has to be known before what."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ridecodec.exact.program import Program


def ancestors(program: Program, wanted: Iterable[int]) -> set[int]:
    """The values, and all that they are computed from at their own pixel."""
    found: set[int] = set()
    todo = list(wanted)
    while todo:
        number = todo.pop()
        if number not in found:
            found.add(number)
            todo += program.operations[number].inputs
    return found


def levels(program: Program) -> tuple[bool, list[list[int]]]:
    """Whether a kept plane depends on itself or a memory; if not, the planes that can be filled one after another."""
    needs: dict[int, set[int]] = {}
    for k, plane in enumerate(program.kept):
        before = [program.operations[n] for n in ancestors(program, [plane.value])]
        if any(operation.kind == "memory" for operation in before):
            return True, []
        reached = {int(p) for tap in before if tap.kind == "tap" for p in np.asarray(tap.attributes["planes"])}
        needs[k] = {p - program.channels for p in reached if p >= program.channels}
    found: list[list[int]] = []
    done: set[int] = set()
    while len(done) < len(needs):
        ready = [k for k, others in needs.items() if k not in done and others <= done]
        if not ready:
            return True, []
        found.append(ready)
        done.update(ready)
    return False, found
