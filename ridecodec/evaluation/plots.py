"""Figures of a report as PNG files in memory; the only module that needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ridecodec.evaluation.results import ImageResult, Results

PEER_COLOUR, MODEL_COLOUR = "#9aa5b1", "#1f6fb4"
MOST_PICTURES_IN_BARS = 40


def total_bars(results: Results) -> bytes:
    """Achieved rate of every codec that takes all pictures, over these, smallest first."""
    whole = [row for row in results.totals if row.image == "total"]
    rows = sorted(whole, key=lambda row: row.measurement.bpsp, reverse=True)
    figure = Figure(figsize=(8, 0.6 + 0.38 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(
        [results.labels[row.measurement.codec] for row in rows],
        [row.measurement.bpsp for row in rows],
        color=[MODEL_COLOUR if row.measurement.ideal is not None else PEER_COLOUR for row in rows],
    )
    axes.bar_label(bars, fmt="%.3f", padding=3)
    axes.margins(x=0.1)
    axes.set_xlabel("bits per sub-pixel, all pictures")
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def picture_bars(results: Results) -> bytes:
    """Achieved rate of every codec on each picture, side by side."""
    images = results.images[:MOST_PICTURES_IN_BARS]
    share = 0.8 / len(results.labels)
    figure = Figure(figsize=(max(8.0, 0.12 * len(images) * len(results.labels)), 4), layout="constrained")
    axes = figure.add_subplot()
    for k, (codec, label) in enumerate(results.labels.items()):
        found = [(i, m.bpsp) for i, image in enumerate(images) for m in image.measurements if m.codec == codec]
        axes.bar([i - 0.4 + (k + 0.5) * share for i, _ in found], [rate for _, rate in found], share, label=label)
    axes.set_xticks(range(len(images)), [image.name for image in images], rotation=60, ha="right", fontsize=8)
    axes.set_ylabel("bits per sub-pixel")
    axes.legend(fontsize=8, ncols=min(3, len(results.labels)), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def heat(image: ImageResult, labels: Mapping[str, str]) -> bytes:
    """The picture, and beside it for each model the bits that every pixel took, all on one scale."""
    height, width = image.preview.shape[:2]
    panels = 1 + len(image.heat_maps)
    across = 4.2
    tall = min(max(across * height / width, 1.5), 2 * across)
    figure = Figure(figsize=(across * panels + 0.6, tall + 0.4), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    axes[0].imshow(image.preview, cmap="gray", vmin=0, vmax=255)
    axes[0].set_title(image.name, fontsize=9)
    top = max(_top(bits) for bits in image.heat_maps.values())
    for place, (model, bits) in zip(axes[1:], image.heat_maps.items(), strict=True):
        shown = place.imshow(bits, cmap="inferno", vmin=0, vmax=top)
        place.set_title(f"{labels[model]}: bits per pixel, mean {float(bits.mean()):.3f}", fontsize=9)
    for place in axes:
        place.set_axis_off()
    figure.colorbar(shown, ax=list(axes), fraction=0.03, extend="max")
    return _png(figure)


def _top(bits: NDArray[np.float32]) -> float:
    """Upper end of the colour scale: few outliers must not make the rest dark."""
    return max(float(np.quantile(bits, 0.995)), 1e-3)


def _png(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=96)
    return file.getvalue()
