"""Benchmark results for people and programs: terminal, Markdown, CSV, JSON, and one self-contained HTML page."""

from __future__ import annotations

import base64
import csv
import importlib.util
import io
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from ridecodec.counting import counted
from ridecodec.errors import OutputError, UsageError
from ridecodec.evaluation.results import Results, Row
from ridecodec.files.placing import placed

HEADINGS = ("image", "codec", "bytes", "likelihood", "ideal", "bpsp", "of PNG", "enc s/MP", "dec s/MP")
NOTES = (
    "bpsp: bits of the file per sub-pixel, with all overhead (the achieved rate).",
    "likelihood, ideal: rates of the float model and of the integer tables that the coder uses, bits per sub-pixel;  "
    "files of `auto` in several forms have none.",
    "of PNG: size relative to the PNG file as given, or to Pillow's optimized PNG if the picture is not a PNG.",
    "enc, dec: CPU seconds per megapixel, summed over all threads, from and to pixels in memory; without GPU time.",
    "They are of calls in one process after a first one on a small picture: imports and model loading do not count.",
    "ridecodec compresses without verification; the other codecs run on one thread, WebP at its default effort.",
    "All codecs restored every picture, compared pixel by pixel.",
    "A codec has no row for a picture type that it does not support; its total is then over the others (2 of 3).",
    "WebP and JPEG XL receive palettes and gray of fewer than 8 bits converted to the colours that they show.",
)
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>ridecodec benchmark</title>
<style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; color: #222; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2em .7em; text-align: right; border-bottom: 1px solid #ddd; }}
th:nth-child(-n+2), td:nth-child(-n+2) {{ text-align: left; }}
img {{ max-width: 100%; }}
</style>
</head>
<body>
<h1>ridecodec benchmark</h1>
<p>{description}</p>
<h2>In total</h2>
{totals}
{bars}
<ul>{notes}</ul>
<h2>Picture by picture</h2>
{picture_bars}
{rows}
<h2>Where the bits go</h2>
{heat_maps}
</body>
</html>
"""


def check(path: str | Path) -> None:
    """Say before a long benchmark what would keep `write` from writing `path`.

    Raises `UsageError` for an unknown format or where matplotlib is missing, `OutputError` without the folder.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"the name of a report must end in one of {', '.join(FORMATS)}; {path.name!r} does not")
    if path.suffix.lower() == ".html" and importlib.util.find_spec("matplotlib") is None:
        raise UsageError("a report in HTML needs matplotlib: pip install 'ridecodec[bench]'")
    if not path.absolute().parent.is_dir():
        raise OutputError("the folder of the report does not exist")


def write(results: Results, path: str | Path) -> None:
    """Write `results` to `path` in the format of its extension: .html, .md, .csv or .json.

    Raises what `check` raises, and `OutputError` where the file cannot be written.
    """
    check(path)
    content = FORMATS[Path(path).suffix.lower()](results)
    with placed(str(path), force=True) as part:
        part.write_text(content, encoding="utf-8", newline="")


def text(results: Results, pictures: bool = True) -> str:
    """Aligned columns for a terminal: picture by picture unless `pictures` is false, then in total, then the notes."""
    parts = [image.rows for image in results.images] if pictures else []
    groups = [[_cells(results, row) for row in rows] for rows in (*parts, results.totals)]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *(cells for g in groups for cells in g), strict=True)]
    lines = [_aligned(HEADINGS, widths)]
    for group in groups:
        lines.append("")
        shown = ["" if i and cells[0] == group[i - 1][0] else cells[0] for i, cells in enumerate(group)]
        lines += [_aligned([name, *cells[1:]], widths) for name, cells in zip(shown, group, strict=True)]
    return "\n".join([*lines, "", *_notes(results), ""])


def markdown(results: Results) -> str:
    """Tables of totals and of pictures."""
    lines = [describe(results), ""]
    for title, rows in (("In total", results.totals), ("Picture by picture", results.rows)):
        lines += [f"## {title}", "", _piped(HEADINGS), "|---|---|" + "---:|" * (len(HEADINGS) - 2)]
        lines += [_piped(_cells(results, row)) for row in rows]
        lines.append("")
    return "\n".join([*lines, *(f"- {note}" for note in _notes(results)), ""])


def comma_separated(results: Results) -> str:
    """One line for each codec on each picture, and in total."""
    file = io.StringIO()
    records = [_record(row) for row in [*results.rows, *results.totals]]
    writer = csv.DictWriter(file, list(records[0]) if records else ["image"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue()


def as_json(results: Results) -> str:
    """Settings, labels of the codecs, and the records of pictures and totals."""
    content = {
        "settings": dict(results.settings),
        "codecs": dict(results.labels),
        "images": [_record(row) for row in results.rows],
        "total": [_record(row) for row in results.totals],
        "failures": list(results.failures),
    }
    return json.dumps(content, indent=1) + "\n"


def html(results: Results) -> str:
    """One page with tables, bar charts, and where the bits go in each picture; needs matplotlib."""
    from ridecodec.evaluation import plots

    return PAGE.format(
        description=escape(describe(results)),
        totals=_table(results, results.totals),
        bars=_embedded(plots.total_bars(results), "bits per sub-pixel of every codec"),
        notes="".join(f"<li>{escape(note)}</li>" for note in _notes(results)),
        picture_bars=_embedded(plots.picture_bars(results), "bits per sub-pixel of every codec on each picture"),
        rows=_table(results, results.rows),
        heat_maps="\n".join(
            _embedded(plots.heat(image, results.labels), f"{image.name} and its bits per pixel")
            for image in results.images
            if image.heat_maps
        ),
    )


def describe(results: Results) -> str:
    """How many pictures, how large, and the settings, in one line."""
    count = len(results.images)
    megapixels = sum(image.width * image.height for image in results.images) / 1e6
    settings = ", ".join(f"{key} {value}" for key, value in results.settings.items())
    return f"{counted(count, 'picture')}, {megapixels:.3f} megapixels; {settings}."


FORMATS = {".html": html, ".md": markdown, ".csv": comma_separated, ".json": as_json}


def _notes(results: Results) -> list[str]:
    """What is said below the tables."""
    return [*NOTES, *(f"Not measured: {failure}" for failure in results.failures)]


def _cells(results: Results, row: Row) -> list[str]:
    m = row.measurement
    rates = [_rounded(value) for value in (m.likelihood_bpsp, m.ideal_bpsp, m.bpsp, row.ratio)]
    times = [_rounded(value) for value in (m.encode_speed, m.decode_speed)]
    return [row.image, results.labels[m.codec], f"{m.size:,}", *rates, *times]


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _record(row: Row) -> dict[str, str | int | float | None]:
    m = row.measurement
    return {
        "image": row.image,
        "codec": m.codec,
        "pixels": m.pixels,
        "sub_pixels": m.sub_pixels,
        "bytes": m.size,
        "likelihood_bpsp": m.likelihood_bpsp,
        "ideal_bpsp": m.ideal_bpsp,
        "achieved_bpsp": m.bpsp,
        "ratio_to_png": row.ratio,
        "encode_cpu_seconds_per_megapixel": m.encode_speed,
        "decode_cpu_seconds_per_megapixel": m.decode_speed,
    }


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True)]
    return "  ".join([*left, *right]).rstrip()


def _piped(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _table(results: Results, rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    body = ["".join(f"<td>{escape(cell)}</td>" for cell in _cells(results, row)) for row in rows]
    return f"<table>\n<tr>{head}</tr>\n" + "".join(f"<tr>{line}</tr>\n" for line in body) + "</table>"


def _embedded(png: bytes, alt: str) -> str:
    return f'<p><img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(png).decode()}"></p>'
