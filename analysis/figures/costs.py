"""What accuracy costs, in FLOPs and hours.

accuracy_against_cost(points)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.figures.accuracy import full_data, method_series_style, series_by_label, top_of
from analysis.figures.drawing import Drawing, draw_points, kinds_caption, legend_outside
from analysis.linear import NotEnough
from analysis.planner import SHARED
from analysis.points import Point
from analysis.records import Cell, base_names
from analysis.style import caption, model_colours, new_figure

SCORING = ("evaluate", "vote")  # what is measured, not what it takes to make the model


def method_cost(cell: Cell) -> tuple[float, float] | None:
    """(FLOPs, hours) from the base to the finished model: fine-tuning, sampling, selecting; None without fine-tuning."""
    stages = [s for s in cell.cost if s.name not in SHARED and s.name not in SCORING]
    if not any(s.name == "finetune" for s in stages):
        return None
    return sum(s.flops for s in stages), sum(s.seconds for s in stages) / 3600


def accuracy_against_cost(points: Sequence[Point]) -> Drawing | NotEnough:
    """Accuracy against what it took beyond the base model; colour by base, marker by method."""
    found = [(p, c) for p in full_data(points) if (c := method_cost(p.cell)) is not None and c[0] > 0 and c[1] > 0]
    if not found:
        return NotEnough("accuracy against cost", "no trained cell with its cost")
    figure, axes = new_figure(width=9.4, height=4.3, columns=2, sharey=True)
    names = base_names(p.cell for p, _ in found)
    colours = model_colours(list(names.values()))
    legend: dict[str, Any] = {}
    shown = [p for p, _ in found]
    for column, unit in enumerate(("FLOPs beyond pretraining", "device hours beyond pretraining")):
        panel = axes[0][column]
        for label, group in list(series_by_label(shown).items()):
            for base, name in names.items():
                members = [p for p in group if p.cell.base == base]
                if not members:
                    continue
                x = [float(np.mean([c[column] for cell in p.cells if (c := method_cost(cell))])) for p in members]
                style = {"marker": method_series_style(members[0], shown)["marker"], "color": colours[name]}
                drawn = draw_points(panel, x, members, linestyle="none", markersize=4.5, alpha=0.85, **style)
                method = label.split(" k=")[0]
                legend.setdefault(
                    method, panel.plot([], [], color="#555555", linestyle="none", marker=style["marker"])[0]
                )
                legend.setdefault(name, drawn)
        panel.set_xscale("log")
        _few_ticks(panel, [c[column] for _, c in found])
        panel.set_xlabel(unit)
    axes[0][0].set_ylabel("test accuracy [%]")
    axes[0][0].set_ylim(0, top_of(shown))
    legend_outside(figure, list(legend.values()), list(legend), columns=6)
    text = (
        kinds_caption(shown)
        + " All data. Cost: fine-tuning, the SFT model's own training, sampling and selecting, shared stages counted in full."
    )
    if any(p.cell.source for p in shown):
        text += " Published: table 4 (A100 80 GB); it covers SFT on all data and RFT-U33B alone."
    caption(figure, text)
    return Drawing("accuracy_vs_cost", figure, [], text)


def _few_ticks(panel: Any, values: Sequence[float]) -> None:
    """Within a decade the ends alone: matplotlib's labels of minor ticks would run into each other."""
    from matplotlib.ticker import NullFormatter

    panel.xaxis.set_minor_formatter(NullFormatter())
    if max(values) < 10 * min(values):
        panel.set_xticks([min(values), max(values)], [f"{min(values):.2g}", f"{max(values):.2g}"])
