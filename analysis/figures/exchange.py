"""The exchange rate: what a kept path is worth in fresh human problems, against k, pretraining loss and human style.

exchange_figure(points, outcomes)      # against k, and the parts of RFT's gain at the largest k
exchange_against(points, outcomes)     # at one k against pretraining loss and, of all recipes, against human_style
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from analysis.figures.accuracy import loss_label
from analysis.figures.drawing import Drawing, Looks, base_looks, legend_outside, log2_axis, set_apart
from analysis.figures.registry import draws
from analysis.load.cells import HUMAN_STYLE
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.load.recipes import main_recipe
from analysis.stats.exchange import Exchange, Split, exchange_rates, split_gain
from analysis.stats.fits import estimate_entry, line_entry
from analysis.stats.linear import LineFit, NotEnough, fit_line
from analysis.stats.loss_fits import texts_differ
from analysis.style import caption, method_style, new_figure

BOUNDS = (
    "0 is worth no more than repetition, 1 as much as a fresh human problem; bars end where the measured human curve ends, "
    "an arrow marks a rate beyond it."
)
WORTH_FORMULA = "fresh human problems per kept path = a + b * x"
STYLE_LABEL = "human_style (0: no preferred style, 1: always the same)"
AXES: dict[str, tuple[str, Callable[[Exchange], float | None], tuple[str, ...]]] = {
    "loss": ("pretraining loss", lambda e: e.rft.cell.loss, ()),
    "human_style": (STYLE_LABEL, lambda e: e.rft.cell.human_style, (HUMAN_STYLE,)),
}  # axis -> label, value, the key that it shows


def full_rates(points: Sequence[Point], outcomes: Outcomes) -> list[Exchange]:
    """The rates there are, on all data from the own pool with de-duplication: one for each base and k of a recipe."""
    found = [e for e in exchange_rates(points, outcomes) if isinstance(e, Exchange)]
    plain = [e for e in found if e.rft.cell.plainly_selected and e.rft.cell.on_all_examples]
    return [e for e in plain if e.rft.cell.data_frac == 1 and not e.rft.cell.union]


@draws("exchange_rate", order=90)
def exchange_figure(points: Sequence[Point], outcomes: Outcomes) -> Drawing | NotEnough:
    """Worth of one kept path in fresh human problems against k, and the parts of RFT's gain at the largest k."""
    found = full_rates(points, outcomes)
    if not found:
        return NotEnough("the exchange rate", "no RFT cell with sft_matched and fresh_human at its optimiser steps")
    looks = base_looks([e.rft for e in found], among=points)
    figure, axes = new_figure(width=7.2 + 0.6 * len(looks.names), height=4.1, columns=2)
    fits = _worth_panel(axes[0][0], found, looks=looks)
    tops = {e.rft.cell.base: e.rft for e in sorted(found, key=lambda e: e.rft.cell.k or 0)}
    splits = [s for base in looks.names if (s := split_gain(tops[base], points, outcomes)) is not None]
    fits += _split_panel(axes[0][1], splits, looks=looks)
    handles, labels = axes[0][0].get_legend_handles_labels()
    legend_outside(figure, handles, labels, columns=5)
    text = f"95 % intervals: {found[0].label} (Fieller). Left: {BOUNDS} Right: parts of RFT - SFT"
    absent = [label for part, label, _, _ in PARTS if any(getattr(split, part) is None for split in splits)]
    text += "; an absent bar: its control was not run." if absent else "."
    caption(figure, text)
    return Drawing("exchange_rate", figure, fits, text)


@draws("exchange_against", order=160)
def exchange_against(every_recipe: Sequence[Point], outcomes: Outcomes) -> Drawing | NotEnough:
    """The exchange rate at the k that most cells share (the largest such) against whatever of loss and style varies.

    Each axis has the commonest recipe of its own, as against style that key is shown.
    """
    what = "the exchange rate against pretraining loss or human_style"
    measured = [point for point in every_recipe if point.cell.source is None]
    recipes = {axis: main_recipe(measured, free=free) for axis, (_, _, free) in AXES.items()}
    found = {axis: full_rates(recipe.points, outcomes) for axis, recipe in recipes.items()}
    counts = Counter(e.rft.cell.k for rates in found.values() for e in rates)
    k = max(counts, key=lambda k: (counts[k], k or 0), default=None)
    found = {axis: [e for e in rates if e.rft.cell.k == k] for axis, rates in found.items()}
    found = {axis: rates for axis, rates in found.items() if len({AXES[axis][1](e) for e in rates} - {None}) > 1}
    if "loss" in found and texts_differ([e.rft for e in found["loss"]]):
        del found["loss"]
    if not found:
        return NotEnough(what, "neither varies among the cells that have a rate (of losses on one text)")
    shown = [e for rates in found.values() for e in rates]
    looks = base_looks([e.rft for e in shown], among=every_recipe)
    figure, axes = new_figure(width=4.9 * len(found) + 0.9, height=4.2, columns=len(found), sharey=True)
    fits = [
        _against_panel(panel, rates, looks=looks, axis=axis)
        for panel, (axis, rates) in zip(axes[0], found.items(), strict=True)
    ]
    axes[0][0].set_ylabel("fresh human problems per kept path")
    axes[0][0].set_ylim(*_worth_limits(shown))
    entries = [panel.get_legend_handles_labels() for panel in axes[0]]
    legend_outside(figure, [h for handles, _ in entries for h in handles], [n for _, labels in entries for n in labels])
    text = f"k = {k}; 95 % intervals: {shown[0].label} (Fieller). {BOUNDS} "
    text += "Lines: least squares over points within the curve, 3 or more."
    text += "".join(f" Against {axis}: {recipes[axis]}" for axis in found if str(recipes[axis]))
    caption(figure, text)
    return Drawing("exchange_against", figure, fits, text)


def _against_panel(panel: Any, found: Sequence[Exchange], *, looks: Looks, axis: str) -> dict[str, Any]:
    """One axis; returns the entry of its line over the rates of one recipe.

    Rates beyond the measured curve are bounds and take no part in the line.
    """
    label, value, _ = AXES[axis]
    known = [(e, x) for e in found if (x := value(e)) is not None]
    span = max(x for _, x in known) - min(x for _, x in known)
    for i, (base, name) in enumerate(looks.names.items()):
        mine = [(e, x) for e, x in known if e.rft.cell.base == base]
        aside = 0.0 if axis == "loss" else 0.02 * span * (i - (len(looks.names) - 1) / 2)
        xs = np.array([x + aside for _, x in mine])
        _draw_worth(panel, xs, [e for e, _ in mine], label=name, colour=looks.colours[name], marker=looks.markers[name])
    inside = [(e, x) for e, x in known if not e.note]
    line = fit_line([x for _, x in inside], [e.worth for e, _ in inside], what=f"exchange rate against {axis}")
    if isinstance(line, LineFit):
        ends = np.array([line.x.min(), line.x.max()])
        panel.plot(ends, line.predict(ends), color="#555555", linewidth=1)
    _reference_lines(panel)
    panel.set_xlabel(label)
    if axis == "loss":
        panel.set_xlabel(loss_label([e.rft for e, _ in known]))
        panel.invert_xaxis()
    return {"series": f"worth of a path against {axis}", **line_entry(line, formula=WORTH_FORMULA)}


def _reference_lines(panel: Any) -> None:
    panel.axhline(0, color="#000000", linewidth=0.9)
    panel.axhline(1, color=method_style("fresh_human").colour, linewidth=0.9, linestyle="--")


def _worth_limits(found: Sequence[Exchange]) -> tuple[float, float]:
    ends = np.array([e.worth_interval for e in found])
    return min(-0.25, float(ends.min()) - 0.2), float(ends.max()) + 0.25


def _draw_worth(panel: Any, x: np.ndarray, mine: Sequence[Exchange], *, label: str, colour: str, marker: str) -> None:
    y = np.array([e.worth for e in mine])
    low, high = (np.array([e.worth_interval[side] for e in mine]) for side in (0, 1))
    bars = np.maximum([y - low, high - y], 0)
    panel.errorbar(x, y, yerr=bars, linestyle="none", color=colour, marker=marker, label=label)
    for xi, e in zip(x, mine, strict=True):
        if "beyond the measured curve" in e.note:
            tip = (xi, e.worth + (0.16 if "m is above" in e.note else -0.16))
            panel.annotate("", tip, (xi, e.worth), arrowprops={"arrowstyle": "->", "color": colour})


def _worth_panel(panel: Any, found: Sequence[Exchange], *, looks: Looks) -> list[dict[str, Any]]:
    """Against k; where there is one k alone, base by base."""
    ks = sorted({e.rft.cell.k or 1 for e in found})
    rows = [
        sorted((e for e in found if e.rft.cell.base == base), key=lambda e: e.rft.cell.k or 0) for base in looks.names
    ]
    logs = [[(math.log2(e.rft.cell.k or 1), *e.worth_interval) for e in row] for row in rows]
    step = 0.035 * max(1.0, math.log2(ks[-1] / ks[0]))
    places = [list(np.exp2(row)) for row in set_apart(logs, step=step)]
    if len(ks) == 1:
        places = [[float(i)] for i in range(len(rows))]
    entries = []
    for name, row, x in zip(looks.names.values(), rows, places, strict=True):
        _draw_worth(panel, np.array(x), row, label=name, colour=looks.colours[name], marker=looks.markers[name])
        entries += [_exchange_entry(e, name=name) for e in row]
    panel.set_ylim(*_worth_limits(found))
    _reference_lines(panel)
    if len(ks) > 1:
        log2_axis(panel, [float(k) for k in ks], label="k, samples per question")
    else:
        panel.set_xticks(range(len(rows)), [_two_lines(name) for name in looks.names.values()])
        panel.set_xlim(-0.5, len(rows) - 0.5)
        panel.set_xlabel(f"k = {ks[0]} samples per question")
    panel.set_ylabel("fresh human problems per kept path")
    return entries


def _two_lines(name: str) -> str:
    """'nano-s' over '1.5M tok': a base's name in narrow columns."""
    return name.replace(" ", "\n", 1)


def _exchange_entry(e: Exchange, *, name: str) -> dict[str, Any]:
    return {
        "series": f"{name}, k={e.rft.cell.k}, exchange rate",
        "m": e.m,
        "m_interval_95": list(e.m_interval),
        "worth_per_path": e.worth,
        "worth_interval_95": list(e.worth_interval),
        "num_human": e.num_human,
        "kept": e.kept,
        "holds": e.label,
        "note": e.note,
    }


PARTS = (
    ("steps", "more steps (matched - SFT)", "#56B4E9", ""),
    ("diversity", "true diversity (oracle - matched)", "#009E73", "//"),
    ("rest", "rest (RFT - oracle)", "#D55E00", "xx"),
    ("total", "total (RFT - SFT)", "#555555", ""),
)


def _split_panel(panel: Any, splits: Sequence[Split], *, looks: Looks) -> list[dict[str, Any]]:
    entries = []
    legend: dict[str, Any] = {}
    for i, split in enumerate(splits):
        for j, (part, label, colour, hatch) in enumerate(PARTS):
            estimate = getattr(split, part)
            if estimate is None:
                continue
            half = estimate.half_width()
            legend[label] = panel.bar(
                i + (j - 1.5) * 0.2, estimate.value, width=0.18, color=colour, hatch=hatch, edgecolor="white",
                yerr=half if math.isfinite(half) else None, error_kw={"elinewidth": 0.9, "capsize": 2},
            )  # fmt: skip
            series = f"{looks.names[split.rft.cell.base]}, k={split.rft.cell.k}, {label}"
            entries.append({"series": series, "estimate": estimate_entry(estimate)})
    panel.axhline(0, color="#000000", linewidth=0.9)
    labels = [f"{_two_lines(looks.names[s.rft.cell.base])}\nk={s.rft.cell.k}" for s in splits]
    panel.set_xticks(range(len(splits)), labels)
    panel.grid(visible=False, axis="x")
    panel.set_ylabel("points")
    low, high = panel.get_ylim()
    panel.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
    order = [label for _, label, _, _ in PARTS if label in legend]
    panel.legend([legend[label] for label in order], order, fontsize=7, loc="upper left", ncols=2)
    return entries
