"""What accuracy costs, in FLOPs and hours.

accuracy_against_cost(points)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.figures.accuracy import method_series_style, top_of
from analysis.figures.drawing import Drawing, base_looks, draw_points, kinds_caption, legend_outside
from analysis.figures.registry import draws
from analysis.load.labels import series_by_label
from analysis.load.points import Point
from analysis.load.query import ALL_DATA, where
from analysis.stats.linear import NotEnough
from analysis.style import caption, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

from analysis.stats.costs import method_cost

LEGEND_COLUMNS = 5


@draws("accuracy_vs_cost", order=100)
def accuracy_against_cost(points: Sequence[Point]) -> Drawing | NotEnough:
    """Accuracy against what it took beyond the base model; colour by base, marker by method."""
    found = [(p, c) for p in where(points, data_frac=ALL_DATA) if (c := method_cost(p.cell)) and c[0] > 0 and c[1] > 0]
    if not found:
        return NotEnough("accuracy against cost", "no trained cell with its cost")
    figure, axes = new_figure(width=9.4, height=4.3, columns=2, sharey=True)
    shown = [p for p, _ in found]
    looks = base_looks(shown, among=points)
    legends: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for column, unit in enumerate(("FLOPs beyond pretraining", "device hours beyond pretraining")):
        panel = axes[0][column]
        for label, group in series_by_label(shown).items():
            marker = method_series_style(group[0], shown, looks)["marker"]
            blank = {"color": "#555555", "linestyle": "none"}
            legends[1].setdefault(label.split(" k=")[0], panel.plot([], [], marker=marker, **blank)[0])
            for base, name in looks.names.items():
                members = where(group, base=base)
                x = [float(np.mean([c[column] for cell in p.cells if (c := method_cost(cell))])) for p in members]
                colour = looks.colours[name]
                draw_points(
                    panel, x, members, linestyle="none", markersize=4.5, alpha=0.85, marker=marker, color=colour
                )
        panel.set_xscale("log")
        _few_ticks(panel, [c[column] for _, c in found])
        panel.set_xlabel(unit)
    for name in looks.names.values():
        legends[0][name] = axes[0][0].plot([], [], color=looks.colours[name], linewidth=5)[0]
    axes[0][0].set_ylabel("test accuracy [%]")
    axes[0][0].set_ylim(0, top_of(shown))
    _two_legends(figure, *legends)
    text = (
        kinds_caption(shown)
        + " All data. Cost: fine-tuning, the SFT model's own training, sampling and selecting, shared stages counted in full."
    )
    if any(p.cell.source for p in shown):
        text += " Published: table 4 (A100 80 GB); it covers SFT on all data and RFT-U33B alone."
    caption(figure, text)
    return Drawing("accuracy_vs_cost", figure, [], text)


def _two_legends(figure: Figure, bases: dict[str, Any], methods: dict[str, Any]) -> None:
    """Bases in the first rows, methods below, with blanks between."""
    from matplotlib.lines import Line2D

    blanks = -len(bases) % LEGEND_COLUMNS
    filled = bases | {" " * (i + 1): Line2D([], [], linestyle="none") for i in range(blanks)} | methods
    legend_outside(figure, list(filled.values()), list(filled), columns=LEGEND_COLUMNS)


def _few_ticks(panel: Any, values: Sequence[float]) -> None:
    """Within a decade the ends alone: matplotlib's labels of minor ticks would run into each other."""
    from matplotlib.ticker import NullFormatter

    panel.xaxis.set_minor_formatter(NullFormatter())
    if max(values) < 10 * min(values):
        panel.set_xticks([min(values), max(values)], [_scientific(min(values)), _scientific(max(values))])


def _scientific(value: float) -> str:
    """4.9e+10 as 4.9 x 10^10 in print."""
    digits, exponent = f"{value:.1e}".split("e")
    return rf"${digits}\times10^{{{int(exponent)}}}$"
