"""What accuracy costs (FLOPs and hours), and maj@k and pass@k against k.

accuracy_against_cost(points)
votes_against_k(points)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.figures.accuracy import full_data, method_series_style, series_by_label, top_of
from analysis.figures.drawing import Drawing, draw_points, grid_shape, kinds_caption, legend_outside, log2_axis
from analysis.linear import NotEnough
from analysis.outcomes import read_draws
from analysis.planner import SHARED
from analysis.points import Point
from analysis.records import Cell, base_names
from analysis.style import caption, model_colours, new_figure
from analysis.votes import vote_curve

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


def _largest_k(points: Sequence[Point]) -> list[Point]:
    """Of every method's ladder of k (per base and number of donors) the largest."""
    best: dict[Any, Point] = {}
    for point in points:
        key = (point.cell.base, point.method, point.cell.union, point.cell.policy)
        if key not in best or (point.cell.k or 0) > (best[key].cell.k or 0):
            best[key] = point
    return list(best.values())


def votes_against_k(points: Sequence[Point]) -> Drawing | NotEnough:
    """maj@k (lines) and pass@k (dashed) against k for cells that voted, full data, a panel per base."""
    curves: list[tuple[Point, dict[int, tuple[float, float]]]] = []
    for point in _largest_k(full_data(points)):
        draws = [d for cell in point.cells if (d := read_draws(cell)) is not None]
        if draws:
            per_cell = [vote_curve(d) for d in draws]
            ks = set.intersection(*(set(c) for c in per_cell))
            mean = {k: tuple(np.mean([c[k] for c in per_cell], axis=0).tolist()) for k in sorted(ks)}
            curves.append((point, mean))  # type: ignore[arg-type]
    if not curves:
        return NotEnough("maj@k and pass@k", "no cell voted (eval.vote_k)")
    shown = [p for p, _ in curves]
    names = base_names(p.cell for p in shown)
    rows, columns = grid_shape(len(names))
    figure, axes = new_figure(
        width=3.3 * columns + 0.4, height=2.8 * rows + 1.0, rows=rows, columns=columns, sharey=True
    )
    legend: dict[str, Any] = {}
    for panel, (base, name) in zip(axes.flat, names.items(), strict=False):
        mine = series_by_label([p for p in shown if p.cell.base == base])
        for label, group in mine.items():
            curve = next(c for p, c in curves if p is group[0])
            style = {key: method_series_style(group[0], shown)[key] for key in ("marker", "color", "markeredgecolor")}
            steps = list(curve)
            legend[label] = panel.plot(steps, [100 * curve[k][0] for k in steps], markersize=4, linewidth=1, **style)[0]
            panel.plot(steps, [100 * curve[k][1] for k in steps], markersize=3, linewidth=0.8, linestyle="--", **style)
        log2_axis(panel, [k for _, c in curves for k in c], label="k, draws per test problem")
        panel.set_title(name)
    for panel in list(axes.flat)[len(names) :]:
        panel.remove()
    for row in axes:
        row[0].set_ylabel("test problems [%]")
    axes[0][0].set_ylim(0, 101)
    legend_outside(figure, list(legend.values()), list(legend))
    text = "Solid: maj@k, dashed: pass@k; exact means over all subsets of k draws, replicates averaged; no intervals. "
    text += "Of several k of a method the largest."
    caption(figure, text)
    return Drawing("votes_vs_k", figure, [], text)
