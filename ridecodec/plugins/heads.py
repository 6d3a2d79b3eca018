"""What a file says of its picture, in a form that the modules for other libraries can ask."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from ridecodec.container import rdc
from ridecodec.container.rdc import Header
from ridecodec.errors import DamagedError
from ridecodec.picture import Picture


def read(stream: BinaryIO) -> tuple[Header, Picture]:
    """The header at the start of a stream, and a black picture of one pixel with the type and metadata of the file's.

    Raises what `rdc.read_head` does.
    """
    header, metadata = rdc.read_head(stream)
    planes = np.zeros((header.colour.channels, 1, 1), np.uint16 if header.bit_depth == 16 else np.uint8)
    try:
        return header, Picture(planes, header.colour, header.bit_depth, metadata)
    except ValueError as error:
        raise DamagedError(f"the metadata is damaged: {error}") from error
