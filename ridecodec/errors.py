"""The errors that ridecodec raises on purpose, one class for each exit code of the command line."""

from __future__ import annotations

from typing import ClassVar


class RidecodecError(Exception):
    """Base of all errors of ridecodec.

    `str(error)` is one line without a trailing newline: what is wrong and, where there is a remedy, what to do.
    It does not name the file, which whoever opened it adds.  `exit_code` is what the command line ends with.
    """

    exit_code: ClassVar[int] = 1


class UsageError(RidecodecError):
    """An argument or an option has a value that makes no sense."""

    exit_code: ClassVar[int] = 2


class InputError(RidecodecError):
    """The input cannot be read, or is of a type that is not supported."""

    exit_code: ClassVar[int] = 3


class OutputError(RidecodecError):
    """The output cannot be written: no space, no permission, no such folder, or a format that cannot hold the picture.

    Shares its exit code with `InputError`: input or output cannot be accessed.
    """

    exit_code: ClassVar[int] = 3


class LossWarning(UserWarning):
    """A picture file holds something that is not kept; the text says what."""


class DamagedError(RidecodecError):
    """The .rdc data is damaged, cut short, or no .rdc data at all."""

    exit_code: ClassVar[int] = 4


class OutputExistsError(RidecodecError):
    """The output exists already, and overwriting it was not asked for."""

    exit_code: ClassVar[int] = 5


class ModelMissingError(RidecodecError):
    """The model that the data was compressed with is not at hand."""

    exit_code: ClassVar[int] = 6


class VerificationError(RidecodecError):
    """Decoding what was just compressed did not give the picture back."""

    exit_code: ClassVar[int] = 7


class ModelRefusedError(ModelMissingError):
    """A model file is at hand but cannot be used: damaged, or not exact within the bounds of its arithmetic."""
