"""The errors of ridecodec, one class for each exit code of the command line."""

from __future__ import annotations

from typing import ClassVar


class RidecodecError(Exception):
    """Base of all errors of ridecodec.

    `str(error)` is one line without a trailing newline: what is wrong and, if there is a remedy, what to do.
    It does not contain the name of the file. `exit_code` is the exit code of the command line.
    """

    exit_code: ClassVar[int] = 1


class UsageError(RidecodecError):
    """An argument or an option is not valid."""

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
    """A part of a picture file is not kept; the text names it."""


class DamagedError(RidecodecError):
    """The data is damaged, cut short, or not .rdc data."""

    exit_code: ClassVar[int] = 4


class OutputExistsError(RidecodecError):
    """The output already exists, and overwriting was not requested."""

    exit_code: ClassVar[int] = 5


class ModelMissingError(RidecodecError):
    """The model that the data was compressed with is not available."""

    exit_code: ClassVar[int] = 6


class VerificationError(RidecodecError):
    """The compressed data does not decode to the original picture."""

    exit_code: ClassVar[int] = 7


class ModelRefusedError(ModelMissingError):
    """A model file exists but cannot be used: it is damaged, or its arithmetic is not provably exact."""
