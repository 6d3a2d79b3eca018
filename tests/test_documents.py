"""The pages in docs/ are true: their Python runs, and they name the options that there are, with their defaults."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from picturefiles import RGB
from PIL import Image, PngImagePlugin

import ridecodec
from ridecodec.cli.app import CommandLine, cli

DOCS = Path(__file__).parents[1] / "docs"
README = DOCS.parent / "README.md"
CLI = (DOCS / "cli.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["python.md", "ecosystem.md"])
def test_the_python_in_a_page_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("imageio", "numcodecs", "zarr") if name == "ecosystem.md" else ():
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    said = PngImagePlugin.PngInfo()
    said.add_text("Title", "a picture")
    Image.fromarray(RGB).save("photo.png", pnginfo=said)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 3
    exec(compile("\n".join(blocks), name, "exec"), {})


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def options(name: str) -> dict[str, click.Option]:
    """Those of a command, by their long names."""
    found = [option for option in command(name).params if isinstance(option, click.Option)]
    return {name: option for option in found for name in (*option.opts, *option.secondary_opts) if name[:2] == "--"}


def section(name: str) -> str:
    return re.split(r"^## ", CLI.split(f"\n## {name}\n")[1], flags=re.MULTILINE)[0]


@pytest.mark.parametrize("name", ["compress", "decompress", "verify", "info"])
def test_the_page_names_all_options_and_no_others(name: str) -> None:
    assert set(re.findall(r"`(--[a-z-]+)", section(name))) == options(name).keys()


@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_the_page_has_the_defaults(name: str) -> None:
    rows = re.findall(r"^\| (.*?) \| (.*?) \|", section(name).replace(r"\|", "/"), re.MULTILINE)
    said = {option: default for names, default in rows for option in re.findall(r"--[a-z-]+", names)}
    for long, option in options(name).items():
        if option.show_default and not option.is_flag and option.default is not None and not option.multiple:
            assert str(option.default) in said[long], long


def test_exit_codes_are_the_same_everywhere() -> None:
    epilog = cli.epilog or ""
    rows = re.findall(r"^\| (\d+) \| (.*?) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(code) for code, _ in rows] == [*range(8), 130]
    for code, meaning in rows:
        assert f"\n  {code:<3}  {meaning.split(' (')[0].split(':')[0][:20]}" in epilog
    classes = [getattr(ridecodec, name) for name in ridecodec.__all__ if name.endswith("Error")]
    assert {kind.exit_code for kind in classes} <= {int(code) for code, _ in rows}


def test_the_manual_page_is_that_of_the_commands() -> None:
    """`python docs/manual.py > docs/ridecodec.1` makes it anew."""
    page = runpy.run_path(str(DOCS / "manual.py"))["page"]()
    assert (DOCS / "ridecodec.1").read_text(encoding="utf-8") == page
    assert isinstance(cli, CommandLine)
    for name in ("compress", "decompress", "verify", "info"):
        for option in options(name):
            assert option.replace("-", "\\-") in page


@pytest.mark.skipif(shutil.which("file") is None, reason="no program `file`")
def test_the_magic_rules(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(ridecodec.compress(RGB, model="uniform"))
    told = ["file", "-b", "-m", str(DOCS / "ridecodec.magic")]
    assert subprocess.check_output([*told, tmp_path / "x"]) == b"ridecodec lossless image, format version 1\n"
    assert subprocess.check_output([*told, "--mime-type", tmp_path / "x"]) == b"image/x-ridecodec\n"
