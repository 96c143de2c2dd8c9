"""What many draws on test questions give: maj@k and pass@k, and distinct paths, against the number of draws.

votes_against_k(points)
emitted_against_k(points)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.claims_emit import mean_emitted
from analysis.figures.accuracy import full_data, method_series_style, series_by_label
from analysis.figures.drawing import Drawing, grid_shape, legend_outside, log2_axis
from analysis.linear import NotEnough
from analysis.outcomes import read_draws
from analysis.points import Point
from analysis.records import base_names
from analysis.style import caption, new_figure
from analysis.votes import vote_curve

Curves = list[tuple[Point, dict[int, tuple[float, ...]]]]  # per point: k -> heights of its solid and dashed line


def _largest_k(points: Sequence[Point]) -> list[Point]:
    """Of every method's ladder of k (per base and number of donors) the largest."""
    best: dict[Any, Point] = {}
    for point in points:
        key = (point.cell.base, point.method, point.cell.union, point.cell.policy)
        if key not in best or (point.cell.k or 0) > (best[key].cell.k or 0):
            best[key] = point
    return list(best.values())


DRAWN = ("icl", "sft", "sft_matched", "rft")  # more than these hide one another; fits.json has all


def votes_against_k(points: Sequence[Point]) -> Drawing | NotEnough:
    """maj@k (lines) and pass@k (dashed) against k for cells that voted, full data, a panel per base."""
    curves: Curves = []
    for point in _largest_k(full_data(points)):
        per_cell = [vote_curve(d) for cell in point.cells if (d := read_draws(cell)) is not None]
        if per_cell:
            ks = sorted(set.intersection(*(set(c) for c in per_cell)))
            curves.append((point, {k: tuple(100 * np.mean([c[k] for c in per_cell], axis=0)) for k in ks}))
    if not curves:
        return NotEnough("maj@k and pass@k", "no cell voted (eval.vote_k)")
    text = "Solid: maj@k, dashed: pass@k; exact means over all subsets of k draws, replicates averaged; no intervals. "
    text += "Drawn: ICL, SFT and RFT, the largest k of each."
    figure = _panels(curves, ylabel="test problems [%]", top=101, text=text)
    return Drawing("votes_vs_k", figure, _entries(curves, ("maj", "pass")), text)


def emitted_against_k(points: Sequence[Point]) -> Drawing | NotEnough:
    """Distinct equation lists among k test draws, full data, a panel per base."""
    curves: Curves = []
    for point in _largest_k(full_data(points)):
        mean = mean_emitted(point.cells)
        if mean is not None:
            curves.append((point, {k: (value,) for k, value in mean.items()}))
    if not curves:
        return NotEnough("distinct paths on test questions", "no cell's test draws name their paths (eval.vote_k)")
    text = (
        "Distinct equation lists, right or wrong, among k draws of a test question; exact means over all subsets of k "
    )
    text += (
        "draws, replicates averaged; no intervals (claim 6c has them). Drawn: ICL, SFT and RFT, the largest k of each."
    )
    figure = _panels(curves, ylabel="distinct paths per question", top=None, text=text)
    return Drawing("emitted_paths", figure, _entries(curves, ("distinct",)), text)


def _panels(curves: Curves, *, ylabel: str, top: float | None, text: str) -> Any:
    curves = [(p, curve) for p, curve in curves if p.method in DRAWN] or curves
    shown = [p for p, _ in curves]
    names = base_names(p.cell for p in shown)
    rows, columns = grid_shape(len(names))
    figure, axes = new_figure(
        width=3.3 * columns + 0.4, height=2.8 * rows + 1.0, rows=rows, columns=columns, sharey=True
    )
    legend: dict[str, Any] = {}
    for panel, (base, name) in zip(axes.flat, names.items(), strict=False):
        for label, group in series_by_label([p for p in shown if p.cell.base == base]).items():
            curve = next(c for p, c in curves if p is group[0])
            style = {key: value for key, value in method_series_style(group[0], shown).items() if key != "ecolor"}
            for place, look in zip(range(len(next(iter(curve.values())))), ("-", "--"), strict=False):
                heights = [values[place] for values in curve.values()]
                drawn = panel.plot(list(curve), heights, markersize=4 - place, linewidth=1, linestyle=look, **style)[0]
                legend.setdefault(label, drawn)
        log2_axis(panel, [k for _, c in curves for k in c], label="k, draws per test problem")
        panel.set_title(name)
    for panel in list(axes.flat)[len(names) :]:
        panel.remove()
    for row in axes:
        row[0].set_ylabel(ylabel)
    axes[0][0].set_ylim(0, top)
    legend_outside(figure, list(legend.values()), list(legend))
    caption(figure, text)
    return figure


def _entries(curves: Curves, heads: Sequence[str]) -> list[dict[str, Any]]:
    entries = []
    for point, curve in curves:
        series: Mapping[str, Any] = {head: {str(k): v[i] for k, v in curve.items()} for i, head in enumerate(heads)}
        entries.append({"series": point.cell.cell_id, **series})
    return entries
