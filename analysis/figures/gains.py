"""Gain per doubling against pretraining loss, the exchange rate, and the paper's self-made data (figure 8).

gain_against_loss(view)
exchange_figure(points, outcomes)
self_made(points, outcomes)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis import paper
from analysis.claim_types import StudyView
from analysis.claims_scaling import slope_estimates
from analysis.comparisons import sft_of
from analysis.exchange import Exchange, Split, exchange_rates, split_gain
from analysis.figures.drawing import Drawing, dodge, legend_outside, log2_axis
from analysis.fits import estimate_entry, line_entry
from analysis.linear import LineFit, NotEnough, fit_line
from analysis.outcomes import Outcomes
from analysis.points import Point, contrast
from analysis.records import base_names
from analysis.style import caption, method_style, model_colours, model_markers, new_figure

RULE_LOOKS = (
    {"color": "#0072B2", "marker": "o", "line": "-", "face": "#0072B2"},
    {"color": "#D55E00", "marker": "s", "line": "--", "face": "none"},
    {"color": "#009E73", "marker": "D", "line": ":", "face": "#009E73"},
)
GAIN_FORMULA = "points per doubling of data = a + b * pretraining loss"


def gain_against_loss(view: StudyView) -> Drawing | NotEnough:
    """SFT points per doubling of data (1 to 1/8) against pretraining loss, under every epoch rule that there is."""
    rules = [("own rule" if not view.published else paper.RULES[0], view.points), *view.variants]
    found = []
    for rule, points in rules:
        tops, slopes = slope_estimates(points, view.outcomes)
        if tops:
            found.append((rule, tops, slopes))
    if not found:
        return NotEnough("gain per doubling against pretraining loss", "no base has SFT at 3 fractions of 1/8 or more")
    figure, axes = new_figure(width=5.8, height=4.2)
    panel, fits = axes[0][0], []
    for i, (rule, tops, slopes) in enumerate(found):
        loss = np.array([p.cell.loss_nats or math.nan for p in tops])
        values = [slope.value for slope in slopes]
        line = fit_line(loss, values, what=f"gain per doubling against loss, {rule}")
        fits.append({"series": rule, **line_entry(line, formula=GAIN_FORMULA), "unit": "base"})
        label, look = rule, RULE_LOOKS[i]
        if isinstance(line, LineFit):
            label += f": {line.b:+.1f} ± {line.se_b:.1f} per nat, R² {line.r2:.2f}"
            grid = np.linspace(loss.min(), loss.max(), 40)
            panel.plot(grid, line.predict(grid), color=look["color"], linestyle=look["line"])
        half = [h if math.isfinite(h := slope.half_width()) else 0 for slope in slopes]
        aside = (
            (i - (len(found) - 1) / 2) * 0.012 * (loss.max() - loss.min())
        )  # so that equal values do not hide one another
        panel.errorbar(
            loss + aside, values, yerr=half, linestyle="none", marker=look["marker"], color=look["color"], label=label,
            elinewidth=0.8, markerfacecolor=look["face"],
        )  # fmt: skip
    panel.invert_xaxis()
    panel.set_xlabel(f"pretraining loss [nats/token]\non {found[0][1][0].cell.loss_text}")
    panel.set_ylabel("gain per doubling of data [points]")
    handles, labels = panel.get_legend_handles_labels()
    legend_outside(figure, handles, labels, columns=1)
    text = f"Slope of SFT accuracy on log2 data, 1 to 1/8; n = {len(found[0][1])} bases; ± is the standard error over bases. "
    text += f"Bars: 95 %, {found[0][2][0].kind.value}."
    caption(figure, text)
    return Drawing("gain_vs_loss", figure, fits, text)


def exchange_figure(points: Sequence[Point], outcomes: Outcomes) -> Drawing | NotEnough:
    """Worth of one kept path in fresh human problems against k, and the parts of RFT's gain at the largest k."""
    found = [e for e in exchange_rates(points, outcomes) if isinstance(e, Exchange) and e.rft.cell.data_frac == 1]
    if not found:
        return NotEnough("the exchange rate", "no RFT cell with sft_matched and fresh_human at its optimiser steps")
    names = base_names(e.rft.cell for e in found)
    figure, axes = new_figure(width=9.6, height=4.1, columns=2)
    fits = _worth_panel(axes[0][0], found, names=names)
    tops = {e.rft.cell.base: e.rft for e in sorted(found, key=lambda e: e.rft.cell.k or 0)}
    splits = [s for p in tops.values() if (s := split_gain(p, points, outcomes)) is not None]
    fits += _split_panel(axes[0][1], splits, names=names)
    handles, labels = axes[0][0].get_legend_handles_labels()
    legend_outside(figure, handles, labels)
    text = f"95 % intervals: {found[0].label} (Fieller). Left: 0 is worth no more than repetition, 1 as much as "
    text += (
        "a fresh human problem; clipped to the measured human curve, arrows mark such ends. Right: parts of RFT - SFT."
    )
    caption(figure, text)
    return Drawing("exchange_rate", figure, fits, text)


def _worth_panel(panel: Any, found: Sequence[Exchange], *, names: dict[Any, str]) -> list[dict[str, Any]]:
    colours, markers = model_colours(list(names.values())), model_markers(list(names.values()))
    entries = []
    for i, (base, name) in enumerate(names.items()):
        mine = sorted((e for e in found if e.rft.cell.base == base), key=lambda e: e.rft.cell.k or 0)
        x = np.array([(e.rft.cell.k or 1) * dodge(i, len(names), step=0.12) for e in mine])
        y = np.array([e.worth for e in mine])
        low, high = (np.array([e.worth_interval[side] for e in mine]) for side in (0, 1))
        panel.errorbar(
            x, y, yerr=np.maximum([y - low, high - y], 0), linestyle="none", color=colours[name], marker=markers[name],
            label=name,
        )  # fmt: skip
        for xi, e in zip(x, mine, strict=True):
            entries.append(_exchange_entry(e, name=name))
            if e.note.startswith("beyond"):
                up = "above" in e.note
                tip = (xi, e.worth + (0.16 if up else -0.16))
                panel.annotate("", tip, (xi, e.worth), arrowprops={"arrowstyle": "->", "color": colours[name]})
    ends = np.array([e.worth_interval for e in found])
    panel.set_ylim(min(-0.25, ends.min() - 0.2), ends.max() + 0.25)
    panel.axhline(0, color="#000000", linewidth=0.9)
    panel.axhline(1, color=method_style("fresh_human").colour, linewidth=0.9, linestyle="--")
    log2_axis(panel, [float(e.rft.cell.k or 1) for e in found], label="k, samples per question")
    panel.set_ylabel("fresh human problems per kept path")
    return entries


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


def _split_panel(panel: Any, splits: Sequence[Split], *, names: dict[Any, str]) -> list[dict[str, Any]]:
    entries = []
    for i, split in enumerate(splits):
        for j, (part, label, colour, hatch) in enumerate(PARTS):
            estimate = getattr(split, part)
            if estimate is None:
                continue
            half = estimate.half_width()
            panel.bar(
                i + (j - 1.5) * 0.2, estimate.value, width=0.18, color=colour, hatch=hatch, edgecolor="white",
                label=label if i == 0 else None, yerr=half if math.isfinite(half) else None,
                error_kw={"elinewidth": 0.9, "capsize": 2},
            )  # fmt: skip
            series = f"{names[split.rft.cell.base]}, k={split.rft.cell.k}, {label}"
            entries.append({"series": series, "estimate": estimate_entry(estimate)})
    panel.axhline(0, color="#000000", linewidth=0.9)
    panel.set_xticks(range(len(splits)), [f"{names[s.rft.cell.base]}\nk={s.rft.cell.k}" for s in splits])
    panel.grid(visible=False, axis="x")
    panel.set_ylabel("points")
    low, high = panel.get_ylim()
    panel.set_ylim(low, high + 0.3 * (high - low))  # room for the legend
    panel.legend(fontsize=7, loc="upper left", ncols=2)
    return entries


def self_made(points: Sequence[Point], outcomes: Outcomes) -> Drawing | NotEnough:
    """Figure 8: self-query and self-revising minus SFT."""
    pairs = [(p, s) for p in points if p.method in ("self_query", "self_revise") and (s := sft_of(p, points))]
    if not pairs:
        return NotEnough("self-query and self-revising", "no such cell beside SFT")
    figure, axes = new_figure(width=5.6, height=1.4 + 0.35 * len(pairs))
    panel, fits = axes[0][0], []
    names = base_names(p.cell for p, _ in pairs)
    labels = []
    for i, (point, sft) in enumerate(pairs):
        style = method_style(point.method)
        labels.append(f"{style.label} K={point.cell.k}, {names[point.cell.base]}")
        estimate = contrast((point, sft), (1.0, -1.0), outcomes)
        if estimate is None:
            continue
        half = estimate.half_width()
        panel.errorbar(
            estimate.value, i, xerr=half if math.isfinite(half) else None, marker=style.marker, color=style.colour
        )
        fits.append({"series": labels[-1], "estimate": estimate_entry(estimate)})
    panel.axvline(0, color="#000000", linewidth=0.9)
    panel.set_yticks(range(len(labels)), labels)
    panel.invert_yaxis()
    panel.set_xlabel("minus SFT [points]")
    text = "95 % intervals of the paired difference."
    caption(figure, text)
    return Drawing("self_made", figure, fits, text)
