"""Which engine runs a program: the fastest that is at hand and supports it, or the one that was named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain

from ridecodec.engines import native
from ridecodec.engines.base import Engine
from ridecodec.engines.names import NAMES
from ridecodec.errors import UsageError
from ridecodec.exact.program import Program


def engines() -> Iterator[Engine]:
    """Those at hand, the fastest first."""
    if native.missing is None:
        yield native_engine()
    from ridecodec.engines.reference import Reference

    yield Reference()


@cache
def native_engine() -> Engine:
    """The compiled engine, which keeps what it has laid out."""
    return native.Native()


@cache
def torch_engine(device: str = "auto") -> Engine:
    """The engine in torch, on a device; UsageError where PyTorch or the device is not there."""
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise UsageError("PyTorch is not installed: pip install 'ridecodec[torch]', or use the device cpu") from error
    from ridecodec.engines.torch.devices import torch_device
    from ridecodec.engines.torch.engine import Torch

    return Torch(torch_device(device))


def engine_for(programs: Sequence[Program], name: str = "auto", device: str = "auto") -> Engine:
    """The engine for all of some programs; UsageError where the named one cannot run them.

    On the device ``cuda`` it is torch, for programs that it supports.
    """
    if name == "torch":
        candidates: Iterable[Engine] = (torch_engine(device),)
    elif name == "auto" and device == "cuda":
        candidates = chain([torch_engine(device)], engines())
    else:
        candidates = engines()
    for engine in candidates:
        reasons = [reason for program in programs if (reason := engine.supports(program))]
        if name == engine.name and reasons:
            raise UsageError(f"the engine {name!r} cannot run this model: {reasons[0]}; choose another, or auto")
        if name in ("auto", engine.name) and not reasons:
            return engine
    if name == native.Native.name and native.missing is not None:
        raise UsageError(f"{native.missing}; or choose another engine")
    raise UsageError(f"there is no engine {name!r}; choose one of {', '.join(NAMES)}")
