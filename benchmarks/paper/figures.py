"""The tables' plots, written as PNG files; needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

OURS, PAPER = "#1f6fb4", "#9aa5b1"


def bars(path: Path, labels: Sequence[str], ours: Sequence[float], paper: Sequence[float | None], unit: str) -> None:
    """Our figures as bars, the first row on top, and the paper's as marks on them."""
    figure = Figure(figsize=(8, 1.0 + 0.38 * len(labels)), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(labels))
    shown = axes.barh(places, ours, color=OURS, label="measured here")
    axes.bar_label(shown, fmt="%.3f" if max(ours) < 20 else "%.1f", padding=12)
    known = [(value, place) for place, value in enumerate(paper) if value is not None]
    if known:
        axes.plot(*zip(*known, strict=True), "D", color=PAPER, markeredgecolor="black", label="in the paper")
    values = [*ours, *(value for value, _ in known)]
    room = max(values) - min(values)
    axes.set_xlim(min(values) - 0.6 * room - 0.01, max(values) + 0.25 * room + 0.01)
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=96)


def lines(path: Path, x: Sequence[int], series: Mapping[str, Sequence[float]], across: str, unit: str) -> None:
    """One line a model."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (label, values), colour in zip(series.items(), (PAPER, OURS), strict=False):
        axes.plot(x, values, "o-", color=colour, label=label)
    axes.set_xticks(x)
    axes.set_xlabel(across)
    axes.set_ylabel(unit)
    axes.legend(fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=96)
