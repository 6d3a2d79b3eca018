"""Imports of the package go one way: no cycles, and no folder knows of one to its right."""

from __future__ import annotations

import ast
from pathlib import Path

import ridecodec

ROOT = Path(ridecodec.__file__).parent
NAME = ROOT.name

ORDER = (
    ("errors", "version", "counting", "extras"),
    ("picture",),
    ("box",),
    ("container",),
    ("files",),
    ("histories",),
    ("exact",),
    ("engines",),
    ("models",),
    ("tiles",),
    ("corpora", "evaluation.results"),
    ("evaluation.rates",),
    ("training",),
    ("generation",),
    ("plugins.heads",),
    ("plugins.pillow",),  # Pillow learns of the format as soon as the package is imported
    ("",),  # the package: the public functions
    ("evaluation", "plugins"),
    ("cli",),
    ("__main__",),
)
"""From left to right. A module belongs to the longest prefix of its name; those of one place do not know each other."""


def modules() -> dict[str, Path]:
    """All modules by name, without the package's."""
    found = {}
    for path in (*ROOT.rglob("*.py"), *ROOT.rglob("*.pyi")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: set[str]) -> set[str]:
    """The modules of the package that a file names in an import: at its top, in a function or for types only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: an import that is relative"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, _, inner = name.partition(".")
            if first == NAME:
                found.add(inner if inner in known else inner.rpartition(".")[0])
    return found


MODULES = modules()
GRAPH = {name: imports(path, set(MODULES)) for name, path in MODULES.items()}


def cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """A way along the edges that ends where it began, or None."""
    done: set[str] = set()

    def walk(way: list[str]) -> list[str] | None:
        for node in sorted(graph[way[-1]]):
            if node in way:
                return [*way[way.index(node) :], node]
            if node not in done and (found := walk([*way, node])):
                return found
        done.add(way[-1])
        return None

    return next((found for name in sorted(graph) if name not in done and (found := walk([name]))), None)


def place(name: str) -> tuple[int, str]:
    """Where in the order a module belongs, and the prefix that says so."""
    prefix = name
    while not any(prefix in places for places in ORDER):
        prefix = prefix.rpartition(".")[0]
        assert prefix, f"{name} has no place in the order"
    return next(at for at, places in enumerate(ORDER) if prefix in places), prefix


def test_a_cycle_is_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_imports_are_found(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import os\nimport ridecodec.a\nfrom ridecodec import b, compress\n"
        "if TYPE_CHECKING:\n    from ridecodec.c.d import E\ndef f():\n    from ridecodec.c import d2\n"
    )
    assert imports(path, {"", "a", "b", "c", "c.d", "c.d2"}) == {"a", "b", "", "c.d", "c.d2"}


def test_there_are_no_cycles() -> None:
    assert set().union(*GRAPH.values()) <= set(MODULES)
    assert cycle(GRAPH) is None


def test_folders_know_only_those_to_their_left() -> None:
    wrong = []
    for name, targets in GRAPH.items():
        at, prefix = place(name)
        for target in targets:
            there, other = place(target)
            if there > at or (there == at and other != prefix):
                wrong.append(f"{name} imports {target}")
    assert not wrong


def test_all_places_are_taken() -> None:
    taken = {place(name)[1] for name in MODULES}
    assert taken == {each for places in ORDER for each in places}
