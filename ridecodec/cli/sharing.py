"""The groups of an archive's pictures, coded in several processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ridecodec.cli import processes, signals
from ridecodec.errors import RidecodecError

if TYPE_CHECKING:
    from ridecodec.files.sets import Entry
    from ridecodec.tiles.parallel import Meter
    from ridecodec.tiles.setcodec import Coding, Made, Share


@dataclass(frozen=True)
class _Work:
    """What a process does with a group and its number."""

    coding: Coding

    def __call__(self, item: tuple[int, list[Entry]]) -> list[Made]:
        from ridecodec.tiles.parallel import Meter

        return self.coding(item[1], Meter(None, 0, 1))


def among(count: int) -> Share:
    """Shares groups among so many processes, and gives them in order."""

    def shared(coding: Coding, groups: Iterator[list[Entry]], meter: Meter) -> Iterator[tuple[list[Entry], list[Made]]]:
        from ridecodec.tiles.parallel import threads_each

        work = _Work(replace(coding, threads=threads_each(coding.threads, count)))
        waiting: dict[int, tuple[list[Entry], list[Made]]] = {}
        due = 0
        with contextlib.closing(processes.results(work, enumerate(groups), count, signals.follow)) as results:
            for (number, group), done in results:
                if done is None:
                    raise RidecodecError(
                        "a worker process ended, perhaps because the system ran out of memory; try fewer --jobs"
                    )
                pixels = sum(each.picture.width * each.picture.height for each in group)
                meter.tick(pixels, 8.0 * sum(len(made) for made in done if isinstance(made, bytes)))
                waiting[number] = group, done
                while due in waiting:
                    yield waiting.pop(due)
                    due += 1

    return shared
