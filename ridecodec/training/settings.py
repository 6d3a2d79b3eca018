"""Settings from a configuration file, in TOML or JSON: the names and types of dataclasses' fields."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ridecodec.errors import InputError, UsageError

if sys.version_info >= (3, 11):
    import tomllib

T = TypeVar("T")
_NONE_BY_0 = ("features", "height")
"""Settings whose 0 is no value, for TOML has no null."""


def read(path: Path) -> dict[str, Any]:
    """A file of NAME = VALUE, TOML unless it is named .json."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".json":
            values = json.loads(text)
        elif sys.version_info >= (3, 11):
            values = tomllib.loads(text)
        else:
            raise UsageError(f"{path}: TOML needs Python 3.11 or newer; write the same names in a .json file")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise InputError(f"{path}: nested too deeply to be settings") from error
    except ValueError as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: does not hold names and values")
    return values


def known(values: dict[str, Any], *kinds: type, others: tuple[str, ...] = (), source: str) -> None:
    """UsageError where a name is of no field of ``kinds`` and not among ``others``."""
    names = [field.name for kind in kinds for field in fields(kind)] + list(others)
    for name in values:
        if name not in names:
            raise UsageError(f"{source}: there is no setting {name!r}; choose from {', '.join(sorted(names))}")


def build(kind: type[T], *layers: dict[str, Any], source: str = "settings") -> T:
    """A dataclass of the values in ``layers``, later ones first in rank; names that are not its own do not matter."""
    hints = get_type_hints(kind)
    merged = {name: value for layer in layers for name, value in layer.items() if name in hints}
    return kind(**{name: _checked(name, value, hints[name], source) for name, value in merged.items()})


def _checked(name: str, value: Any, hint: Any, source: str) -> Any:
    """The value as the type ``hint``; lists become tuples, and whole numbers floats."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
        if value is None or (name in _NONE_BY_0 and value == 0 and not isinstance(value, bool)):
            return None
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        return tuple(_checked(name, part, get_args(hint)[0], source) for part in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:
            raise UsageError(f"{source}: {name} is too large for a floating-point number") from error
    if not isinstance(hint, type) or not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise UsageError(f"{source}: {name} is {value!r}; it must be {_words(hint)}")
    return value


def _words(hint: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return names.get(hint) or f"a list of {names.get(get_args(hint)[0], 'a value')[2:]}s"
