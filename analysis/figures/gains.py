"""Gain per doubling against pretraining loss, and the paper's self-made data (figure 8).

gain_against_loss(view)
self_made(points, outcomes)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis import paper
from analysis.claims.donors import SELF
from analysis.claims.gains import OWN_RULE, slope_estimates
from analysis.claims.rulings import StudyView
from analysis.compare.fits import estimate_entry, line_entry
from analysis.compare.loss_fits import TEXTS_DIFFER, fit_on_loss, texts_differ
from analysis.figures.accuracy import loss_label, name_bases
from analysis.figures.drawing import Drawing, apart_words, base_looks, held_words, legend_outside, set_apart
from analysis.figures.findings import gain_lines, of_claims
from analysis.figures.registry import draws
from analysis.load.labels import setting_label
from analysis.load.names import base_names, unit_name
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast
from analysis.load.query import same_but, where
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import LineFit, NotEnough
from analysis.stats.uncertainty import Estimate
from analysis.style import caption, method_style, new_figure

RULE_LOOKS = (
    {"color": "#0072B2", "marker": "o", "line": "-", "face": "#0072B2"},
    {"color": "#D55E00", "marker": "s", "line": "--", "face": "none"},
    {"color": "#009E73", "marker": "D", "line": ":", "face": "#009E73"},
)
RULE_WORDS = dict(
    zip(
        paper.RULES,
        (
            "better of the two below, by test result",
            "3 epochs at every amount",
            "3 / fraction epochs: as many steps at every amount",
        ),
        strict=True,
    )
)  # how long the published SFT was trained
GAIN_FORMULA = "points per doubling of data = a + b * pretraining loss"


@draws("gain_vs_loss", order=80, says=gain_lines)
def gain_against_loss(view: StudyView, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """SFT points per doubling of data (fractions of 1/8 and more) against pretraining loss, under every epoch rule."""
    rules = [(OWN_RULE if not view.published else paper.RULES[0], view.points), *view.variants]
    found = []
    for rule, points in rules:
        tops, slopes = slope_estimates(points, view.outcomes)
        if tops:
            found.append((rule, tops, slopes))
    what = "gain per doubling against pretraining loss"
    if not found:
        return NotEnough(what, "no base has SFT at 3 fractions of 1/8 or more")
    if texts_differ([top for _, tops, _ in found for top in tops]):
        return NotEnough(what, TEXTS_DIFFER)
    figure, axes = new_figure(width=5.8, height=4.2, page=page)
    panel, fits, fitted = axes[0][0], [], False
    bars = [
        [(p.loss or math.nan, *_finite_ends(slope)) for p, slope in zip(tops, slopes, strict=True)]
        for _, tops, slopes in found
    ]
    losses = [bar[0] for row in bars for bar in row]
    places = set_apart(bars, step=-0.014 * (max(losses) - min(losses)))  # the axis runs from right to left
    for i, (rule, tops, slopes) in enumerate(found):
        loss = np.array([p.loss or math.nan for p in tops])
        values = [slope.value for slope in slopes]
        line = fit_on_loss(tops, values, what=f"gain per doubling against loss, {rule}")
        fits.append({"series": rule, **line_entry(line, formula=GAIN_FORMULA), "unit": "base"})
        label, look = RULE_WORDS.get(rule, rule), RULE_LOOKS[i]
        if isinstance(line, LineFit):
            fitted = True
            label += f": {line.b:+.1f} ± {line.se_b:.1f} per {unit_name(tops[0].cell)}, R² {line.r2:.2f}"
            grid = np.linspace(loss.min(), loss.max(), 40)
            panel.plot(grid, line.predict(grid), color=look["color"], linestyle=look["line"])
        half = [h if math.isfinite(h := slope.half_width()) else 0 for slope in slopes]
        panel.errorbar(
            places[i], values, yerr=half, linestyle="none", marker=look["marker"], color=look["color"], label=label,
            elinewidth=0.8, markerfacecolor=look["face"],
        )  # fmt: skip
    name_bases(panel, list(found[0][1]), base_looks(found[0][1], among=view.points))
    panel.invert_xaxis()
    panel.set_xlabel(loss_label(found[0][1]))
    panel.set_ylabel("gain per doubling of data [points]")
    handles, labels = panel.get_legend_handles_labels()
    legend_outside(figure, handles, labels, columns=1)
    text = (
        f"Slope of SFT accuracy on log2 data, over a base's fractions of 1/8 and more; n = {len(found[0][1])} bases. "
    )
    text += "± of a line's slope: the standard error over bases. " if fitted else ""
    held = held_words([slope for _, _, slopes in found for slope in slopes])
    text += f"Bars: 95 %, {held}." if held else "No bars: no error is known."
    text += apart_words("base") if len(found) > 1 else ""
    caption(figure, text)
    return Drawing("gain_vs_loss", figure, fits, text)


def _finite_ends(estimate: Estimate) -> tuple[float, float]:
    return estimate.interval() if math.isfinite(estimate.se) else (estimate.value, estimate.value)


@draws("self_made", order=150, says=of_claims("8a", "8b"))
def self_made(points: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """Figure 8: self-query and self-revising minus SFT."""
    mine = where(points, method=set(SELF))
    pairs = [(p, s) for p in mine if (s := same_but(p, points, method="sft"))]
    if not pairs:
        return NotEnough("self-query and self-revising", "no such cell beside SFT")
    figure, axes = new_figure(width=5.6, height=1.4 + 0.35 * len(pairs), page=page)
    panel, fits = axes[0][0], []
    names = base_names(p.cell for p in points)
    labels: list[str] = []
    shown: list[Estimate] = []
    for i, (point, sft) in enumerate(pairs):
        style = method_style(point.method)
        labels.append(f"{setting_label(point.cell)}, {names[point.cell.base]}")
        estimate = contrast((point, sft), (1.0, -1.0), outcomes)
        if estimate is None:
            continue
        shown.append(estimate)
        half = estimate.half_width()
        panel.errorbar(
            estimate.value, i, xerr=half if math.isfinite(half) else None, marker=style.marker, color=style.colour
        )
        fits.append({"series": labels[-1], "estimate": estimate_entry(estimate)})
    panel.axvline(0, color="#000000", linewidth=0.9)
    panel.set_yticks(range(len(labels)), labels)
    panel.set_xlabel("accuracy minus SFT [points]")
    panel.set_ylim(len(labels) - 0.5, -0.5)
    held = held_words(shown)
    items = sorted({one.num_items for one in shown if one.num_items})
    sizes = " to ".join(f"{n:,}" for n in items)
    text = f"95 % intervals of the paired difference, {held}." if held else "No interval of a difference is known."
    text += f" n = {sizes} test problems." if items else ""
    caption(figure, text)
    return Drawing("self_made", figure, fits, text)
