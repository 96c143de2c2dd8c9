"""RFT against k with its controls, and distinct paths per question against k (paper figures 4 and 5).

accuracy_against_k(points, outcomes)
distinct_against_k(points)
accuracy_against_distinct(points)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.figures.accuracy import full_data
from analysis.figures.drawing import (
    Drawing,
    dodge,
    draw_points,
    grid_shape,
    kinds_caption,
    legend_outside,
    log2_axis,
)
from analysis.fits import fit_series, line_entry, power_law, series_entry
from analysis.linear import LineFit, NotEnough
from analysis.outcomes import Outcomes
from analysis.points import NO_DEDUP, Point
from analysis.records import base_names
from analysis.style import LINE_STYLES, caption, method_style, model_colours, model_lines, model_markers, new_figure

K_FORMULA = "accuracy [%] = a + b * log2(k)"
PATHS_FORMULA = "log(distinct paths per question) = a + b * log(k)"
LADDER = ("rft", "sft_matched", "oracle_paths", "fresh_human")


def ladder_points(points: Sequence[Point], *, method: str) -> list[Point]:
    """Points of one method on the model's own pool with de-duplication on the full data, by k."""
    mine = [p for p in full_data(points) if p.method == method and p.cell.k and not p.cell.union]
    return sorted((p for p in mine if p.cell.policy != NO_DEDUP), key=lambda p: p.cell.k or 0)


def accuracy_against_k(points: Sequence[Point], outcomes: Outcomes) -> Drawing | NotEnough:
    """A panel per base: RFT and its controls at equal steps against log2 k; SFT as a level line."""
    shown = [p for method in LADDER for p in ladder_points(points, method=method)]
    if not any(p.method == "rft" for p in shown):
        return NotEnough("RFT accuracy against k", "no RFT cell on the full data with its own pool")
    names = base_names(p.cell for p in shown)
    rows, columns = grid_shape(len(names))
    figure, axes = new_figure(
        width=3.3 * columns + 0.4, height=2.9 * rows + 0.9, rows=rows, columns=columns, sharey=True
    )
    fits: list[dict[str, Any]] = []
    legend: dict[str, Any] = {}
    for panel, (base, name) in zip(axes.flat, names.items(), strict=False):
        mine = [p for p in shown if p.cell.base == base]
        sft = [p for p in full_data(points) if p.method == "sft" and p.cell.base == base]
        fits += _k_panel(panel, mine, sft, outcomes, name=name, legend=legend)
        panel.set_title(name)
    for panel in list(axes.flat)[len(names) :]:
        panel.remove()
    for row in axes:
        row[0].set_ylabel("test accuracy [%]")
    legend_outside(figure, list(legend.values()), list(legend), columns=3)
    text = kinds_caption(shown) + " Controls at the optimiser steps of the RFT cell with the same k. Axis not from 0."
    caption(figure, text)
    return Drawing("accuracy_vs_k", figure, fits, text)


def _k_panel(
    panel: Any, points: list[Point], sft: list[Point], outcomes: Outcomes, *, name: str, legend: dict[str, Any]
) -> list[dict[str, Any]]:
    fits = []
    for index, method in enumerate(LADDER):
        members = [p for p in points if p.method == method]
        if not members:
            continue
        style = method_style(method)
        k = np.array([p.cell.k for p in members], float)
        beside = list(k * dodge(index, len(LADDER), step=0.09))
        drawn = draw_points(panel, beside, members, linestyle="none", marker=style.marker, color=style.colour)
        legend[style.label] = drawn
        fit = fit_series(members, list(np.log2(k)), outcomes, what=f"{name}, {style.label} against k")
        fits.append(series_entry(fit, formula=K_FORMULA))
        if isinstance(fit.line, LineFit):
            ends = np.array([k.min(), k.max()])
            look = {"color": style.colour, "linestyle": LINE_STYLES[index % len(LINE_STYLES)]}
            panel.plot(ends, fit.line.predict(np.log2(ends)), linewidth=1, alpha=0.8, **look)
    for point in sft:
        legend["SFT (level)"] = panel.axhline(
            point.estimate.value, color=method_style("sft").colour, linestyle=":", linewidth=1.8
        )
    log2_axis(panel, [float(p.cell.k or 1) for p in points], label="k, samples per question")
    return fits


def distinct_against_k(points: Sequence[Point], *, pools: Sequence[Point] = ()) -> Drawing | NotEnough:
    """Distinct sampled paths per question against k, a power law per base. `pools`: sampled but never trained on."""
    own = [p for p in ladder_points([*points, *pools], method="rft") if distinct_of(p) is not None]
    if not own:
        return NotEnough("distinct paths against k", "no RFT cell with a count of distinct paths")
    names = base_names(p.cell for p in own)
    colours, lines = model_colours(list(names.values())), model_lines(list(names.values()))
    markers = model_markers(list(names.values()))
    figure, axes = new_figure(width=5.6, height=4.0)
    panel, fits = axes[0][0], []
    for base, name in names.items():
        members = [p for p in own if p.cell.base == base]
        k = np.array([p.cell.k for p in members], float)
        y = np.array([distinct_of(p) or 0.0 for p in members])
        panel.plot(
            k, np.where(y > 0, y, np.nan), marker=markers[name], linestyle="none", color=colours[name], label=name,
            markerfacecolor="none", markeredgewidth=1.4,
        )  # fmt: skip
        line = power_law(k, y, what=f"distinct paths against k, {name}")
        fits.append({"series": f"{name}, distinct paths", **line_entry(line, formula=PATHS_FORMULA)})
        if isinstance(line, LineFit):
            ends = np.array([k.min(), k.max()])
            panel.plot(ends, np.exp(line.predict(np.log(ends))), color=colours[name], linestyle=lines[name])
    panel.set_yscale("log")
    _plain_log_ticks(panel, [distinct_of(p) or 0.0 for p in own])
    log2_axis(panel, [float(p.cell.k or 1) for p in own], label="k, samples per question")
    panel.set_ylabel("distinct kept paths per question")
    handles, labels = panel.get_legend_handles_labels()
    legend_outside(figure, handles, labels)
    which = "with the human path" if _counts_human(own) else "the human path not counted"
    text = f"Mean over questions and replicates, {which}. Lines: power law where a series has 3 values of k or more."
    none = [f"{names[p.cell.base]} k={p.cell.k}" for p in own if distinct_of(p) == 0]
    text += f" No path was kept (0 has no place on a log axis): {', '.join(none)}." if none else ""
    caption(figure, text)
    return Drawing("distinct_vs_k", figure, fits, text)


def distinct_of(point: Point) -> float | None:
    """Distinct paths per question without the human path; where only the count with it is known (published), that."""
    own = point.mean_of("distinct_per_question")
    return own if own is not None else point.mean_of("distinct_per_question_with_human")


def _counts_human(points: Sequence[Point]) -> bool:
    return all(p.mean_of("distinct_per_question") is None for p in points)


def _plain_log_ticks(panel: Any, values: Sequence[float]) -> None:
    """Ticks 0.1, 0.2, 0.5, 1, 2, ... in plain numbers."""
    from matplotlib.ticker import FixedLocator, NullLocator

    positive = [v for v in values if v > 0]
    if not positive:
        return
    decades = range(math.floor(math.log10(min(positive))) - 1, math.ceil(math.log10(max(positive))) + 1)
    ticks = [m * 10.0**d for d in decades for m in (1, 2, 5)]
    inside = [t for t in ticks if min(positive) / 1.6 <= t <= max(positive) * 1.6]
    panel.yaxis.set_major_locator(FixedLocator(inside))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.set_yticks(inside, [f"{t:g}" for t in inside])
    panel.set_ylim(min(positive) / 1.4, max(positive) * 1.4)


def accuracy_against_distinct(points: Sequence[Point], outcomes: Outcomes) -> Drawing | NotEnough:
    """RFT accuracy against log2 of distinct paths per question, a line per base over its k; unions as hollow markers."""
    shown = [
        p for p in full_data(points) if p.method == "rft" and (distinct_of(p) or 0) > 0 and p.cell.policy != NO_DEDUP
    ]
    own = [p for p in shown if not p.cell.union]
    if not own:
        return NotEnough("RFT accuracy against distinct paths", "no RFT cell with a count of distinct paths")
    names = base_names(p.cell for p in own)
    colours, markers = model_colours(list(names.values())), model_markers(list(names.values()))
    figure, axes = new_figure(width=5.8, height=4.2)
    panel = axes[0][0]
    fits, handles = [], []
    for base, name in names.items():
        members = sorted((p for p in own if p.cell.base == base), key=lambda p: distinct_of(p) or 0)
        x = [distinct_of(p) or 1.0 for p in members]
        look = {"color": colours[name], "marker": markers[name], "linestyle": "none"}
        handles.append(draw_points(panel, x, members, **look))
        unions = [p for p in shown if p.cell.union and p.cell.base == base]
        if unions:
            draw_points(panel, [distinct_of(p) or 1.0 for p in unions], unions, markerfacecolor="none", **look)
        fit = fit_series(members, list(np.log2(x)), outcomes, what=f"{name}, RFT against distinct paths")
        fits.append(series_entry(fit, formula="accuracy [%] = a + b * log2(distinct paths per question)"))
        if isinstance(fit.line, LineFit):
            ends = np.array([min(x), max(x)])
            panel.plot(ends, fit.line.predict(np.log2(ends)), color=colours[name], linewidth=1)
    panel.set_xscale("log", base=2)
    ticks = sorted({2.0 ** round(math.log2(distinct_of(p) or 1.0)) for p in shown})
    panel.set_xticks(ticks, [f"{t:g}" for t in ticks])
    panel.minorticks_off()
    panel.set_xlabel(f"distinct paths per question ({'with' if _counts_human(own) else 'without'} the human path)")
    panel.set_ylabel("test accuracy [%]")
    legend_outside(figure, handles, list(names.values()))
    text = kinds_caption(shown) + " One point per k; lines: least squares where a base has 3 or more; hollow: unions."
    caption(figure, text)
    return Drawing("accuracy_vs_distinct", figure, fits, text)
