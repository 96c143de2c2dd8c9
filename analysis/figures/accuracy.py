"""Accuracy against data amount and against pretraining loss.

accuracy_against_data(points, outcomes)     # a panel per base, all methods, log2 axis, a line per series
accuracy_against_loss(points)     # ICL, SFT and RFT on the full data; a panel per loss text
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.compare.fits import fit_series, keep_measurable, line_entry, series_entry
from analysis.figures.drawing import (
    HELD_OUT_WORDS,
    MOST_LABELS,
    Drawing,
    End,
    Looks,
    amount_text,
    apart_words,
    bars_of,
    base_looks,
    draw_held_out,
    draw_points,
    grid_shape,
    kinds_caption,
    label_ends,
    label_rows,
    legend_outside,
    log2_axis,
    panel_inches,
    set_apart,
    shared_words,
)
from analysis.figures.findings import first_of, gains_of, loss_lines, of_claims, of_rulings
from analysis.figures.left_out import left_out_words, some
from analysis.figures.registry import draws
from analysis.load.cells import NO_DEDUP, Base
from analysis.load.coverage import best_covered
from analysis.load.labels import familiar, series_by_label, setting_label, studied
from analysis.load.ladders import shared_tops
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, accuracy_interval
from analysis.load.query import ALL_DATA, where
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import LineFit, NotEnough, fit_line
from analysis.style import (
    LINE_STYLES,
    UNION_STYLES,
    caption,
    font,
    method_style,
    model_lines,
    new_figure,
    tint,
)

DATA_FORMULA = "accuracy [%] = a + b * log2(human examples)"
LOSS_FORMULA = "accuracy [%] = a + b * pretraining loss"


def method_series_style(point: Point, points: Sequence[Point], looks: Looks) -> dict[str, Any]:
    """Marker and colour by method; of several k the larger is the darker; hollow: without de-duplication, and thinned."""
    style = looks.methods[point.cell.lineage]
    if point.cell.union and familiar(point.cell):
        style = UNION_STYLES[len(point.cell.union) % len(UNION_STYLES)]
        look = {"marker": style.marker, "color": style.colour, "markeredgecolor": style.colour, "ecolor": style.colour}
        return {**look, "markerfacecolor": "none"} if point.cell.thinned else look
    ladder = sorted({p.cell.k for p in where(points, lineage=point.cell.lineage) if p.cell.k is not None})
    strength = 1.0
    if len(ladder) > 1 and point.cell.k is not None:
        strength = 0.4 + 0.6 * ladder.index(point.cell.k) / (len(ladder) - 1)
    face = tint(style.colour, strength=strength)
    if point.cell.policy == NO_DEDUP and point.method == "rft":
        look = {"marker": style.marker, "color": style.colour, "markeredgecolor": style.colour, "ecolor": style.colour}
        return {**look, "markerfacecolor": "none"}
    return {"marker": style.marker, "color": face, "markeredgecolor": style.colour, "ecolor": style.colour}


@draws("accuracy_vs_data", order=10, says=first_of(of_claims("4a", "4b"), gains_of("sft", "data")))
def accuracy_against_data(points: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """A panel per base: every method against log2 of human examples, 95 % bars, a line per series of 3 or more.

    What was trained at one amount alone stands in a shaded strip beside the axis: at its own place it would hide the rest.
    """
    scored = _thin_ladders([p for p in points if p.mean_of("num_human") and p.method != "icl"])
    if not scored:
        return NotEnough("accuracy against data", "no cell with human training examples")
    looks = base_looks(scored, among=points)
    rows, columns = grid_shape(len(looks.names), page=page)
    strip = strip_labels(scored)
    figure, axes = new_figure(
        width=(3.3 + 0.12 * len(strip)) * columns + 0.4,
        height=2.9 * rows + 0.8,
        rows=rows,
        columns=columns,
        page=page,
        sharey=True,
    )
    axes[0][0].set_ylim(0, top_of(scored))
    fits: list[dict[str, Any]] = []
    legend: dict[str, Any] = {}
    levels: list[Point] = []
    for panel, (base, name) in zip(axes.flat, looks.names.items(), strict=False):
        mine = where(scored, base=base)
        icl = where(points, method="icl", base=base)
        fits += _data_panel(panel, mine, outcomes, looks=looks, name=name, strip=strip, legend=legend)
        if icl:
            levels.append(icl[0])
            legend["ICL (no training)"] = level_line(panel, icl[0], color="#000000")
        panel.set_title(name)
    for panel in list(axes.flat)[len(looks.names) :]:
        panel.remove()
    label_rows(axes, "test accuracy [%]")
    legend_outside(figure, list(legend.values()), list(legend))
    text = (
        kinds_caption([*scored, *levels])
        + " Lines: least squares on log2(examples), where a series has 3 points or more."
    )
    text += left_out_words(fits, scored, looks.names) + shared_words(len(looks.names), "accuracy")
    text += apart_words("amount") if len(series_by_label(scored)) > len(strip) + 1 else ""
    text += " Grey: further methods at the last amount, side by side; the thin line is SFT's height." if strip else ""
    caption(figure, text)
    return Drawing("accuracy_vs_data", figure, fits, text)


STRIP_GREY = "#f2f2f2"


def strip_labels(points: Sequence[Point]) -> list[str]:
    """Series, other than SFT, that no base has at two amounts of human examples, in the order of the legend."""
    found = []
    for label, members in series_by_label(points).items():
        amounts = [p.mean_of("num_human") for p in members]
        at_top = all(p.mean_of("num_human") == _most_examples(points, p) for p in members)
        bases = [p.cell.base for p in members]
        if at_top and len(set(bases)) == len(amounts) and members[0].method != "sft":
            found.append(label)
    return found


def _most_examples(points: Sequence[Point], point: Point) -> float:
    return max(p.mean_of("num_human") or 0 for p in where(points, base=point.cell.base))


def level_line(panel: Any, point: Point, *, color: str) -> Any:
    """A setting without an x of its own, as a dotted level with its 95 % interval shaded."""
    low, high = accuracy_interval(point.estimate)
    if math.isfinite(low):
        panel.axhspan(low, high, color=color, alpha=0.08, linewidth=0)
    return panel.axhline(point.estimate.value, color=color, linestyle=":", linewidth=1.3)


def _thin_ladders(points: list[Point]) -> list[Point]:
    """Of long k ladders the ends and the middle for studied methods, the largest k for controls; the k figure has all."""
    kept = {}
    for kind, lineage in {(p.cell.study_kind, p.cell.lineage) for p in points}:
        mine = where(points, study_kind=kind, lineage=lineage)
        ladder = sorted({p.cell.k for p in mine if p.cell.k is not None})
        three = bool(ladder) and studied(mine[0].cell)
        wanted = {ladder[0], ladder[len(ladder) // 2], ladder[-1]} if three else set(ladder[-1:])
        kept[kind, lineage] = wanted if len(ladder) > 2 else set(ladder)
    return [p for p in points if p.cell.k is None or p.cell.k in kept[p.cell.study_kind, p.cell.lineage]]


def _data_panel(
    panel: Any,
    points: list[Point],
    outcomes: Outcomes,
    *,
    looks: Looks,
    name: str,
    strip: Sequence[str],
    legend: dict[str, Any],
) -> list[dict[str, Any]]:
    series = series_by_label(points)
    amounts = [p.mean_of("num_human") or 1 for p in points]
    span = max(1.0, math.log2(max(amounts) / min(amounts)))
    beside = {label: members for label, members in series.items() if label in strip}
    ladder = {label: members for label, members in series.items() if label not in strip}
    logs = {label: [log_examples(p) for p in members] for label, members in ladder.items()}
    pad = panel.get_ylim()[1] / 70
    bars = [bars_of(logs[label], members) for label, members in ladder.items()]
    places = dict(zip(ladder, set_apart(bars, step=0.035 * span, pad=pad), strict=True))
    start, step = math.log2(max(amounts)) + 0.08 * span, 0.055 * span
    places |= {label: [start + step * (strip.index(label) + 1)] * len(beside[label]) for label in beside}
    fits = []
    for index, (label, members) in enumerate(series.items()):
        style = method_series_style(members[0], points, looks)
        legend[label] = draw_points(panel, list(np.exp2(places[label])), members, linestyle="none", **style)
        fit = fit_series(members, log_examples, outcomes, what=f"{name}, {label}")
        fits.append({**series_entry(fit, formula=DATA_FORMULA), "method": members[0].method})
        if isinstance(fit.line, LineFit):
            ends = np.array([min(fit.line.x), max(fit.line.x)])
            look = {"color": style["markeredgecolor"], "linestyle": LINE_STYLES[index % len(LINE_STYLES)]}
            panel.plot(np.exp2(ends), fit.line.predict(ends), alpha=0.8, **look)
    end = start + step * (len(strip) + 1)
    length = end - math.log2(min(amounts))  # of the axis with its strip
    log2_axis(panel, amounts, label="human training examples", share=span / length if strip else 1.0)
    if strip:
        panel.axvspan(2**start, 2**end, color=STRIP_GREY, zorder=0, linewidth=0)
        panel.set_xlim(min(amounts) / 2 ** (0.06 * span), 2**end)
        if words := _strip_words(panel, max(amounts), share=(end - start) / length):
            ticks, middle = [t.get_text() for t in panel.get_xticklabels()], 2 ** ((start + end) / 2)
            panel.set_xticks([*panel.get_xticks(), middle], [*ticks, words])
        for top in (p for p in where(points, method="sft") if p.mean_of("num_human") == max(amounts)):
            look = {"color": method_style("sft").colour, "linewidth": 0.8, "alpha": 0.7}
            panel.plot([max(amounts), 2**end], [top.estimate.value] * 2, **look)
    return fits


def log_examples(point: Point) -> float:
    """log2 of the human examples that it trained on: the place on the axis of data."""
    return math.log2(point.mean_of("num_human") or 1)


def _strip_words(panel: Any, amount: float, *, share: float) -> str:
    """What stands under the strip, in lines that are no wider; '' where it is too narrow for them (the caption has it)."""
    words = f"other methods, {amount_text(amount)}"
    width = int(0.7 * share * panel_inches(panel) * 72 / (0.62 * font()))  # characters; 0.7: the axis's part of a panel
    return textwrap.fill(words, width) if width >= max(map(len, words.split())) else ""


def loss_series(points: Sequence[Point]) -> dict[str, list[Point]]:
    """ICL, SFT and studied methods on the full data, of bases with a loss, not post-trained.

    Those of an own pool are at the one k that most draws of bases have; unions are all there.
    """
    usable = _with_loss(points)
    shown = where(usable, method={"icl", "sft"})
    shown += [p for p in usable if studied(p.cell) and p.cell.plainly_selected and p.cell.union]
    shown += [p for ladder in _k_ladders(usable) for p in _at_one_k(ladder, among=usable)]
    return series_by_label(shown)


def _with_loss(points: Sequence[Point]) -> list[Point]:
    return [p for p in where(points, data_frac=ALL_DATA) if p.loss is not None and not p.cell.post_trained]


def _k_ladders(points: Sequence[Point]) -> list[list[Point]]:
    """Studied methods from the own pool, all bases together: published and measured studies have ladders of their own."""
    found: dict[tuple[str, str, str], list[Point]] = {}
    for point in where(points, union=(), plainly_selected=True):
        if studied(point.cell):
            found.setdefault((point.cell.study_kind, point.cell.data, point.method), []).append(point)
    return list(found.values())


def _at_one_k(ladder: Sequence[Point], *, among: Sequence[Point]) -> list[Point]:
    """Those of the k that most draws of bases have, of equals the largest; of RFT the k that claims take."""
    first = ladder[0].cell
    if first.method == "rft":
        return shared_tops(where(among, study_kind=first.study_kind, data=first.data))
    by_k: dict[int, list[Point]] = {}
    for point in ladder:
        by_k.setdefault(point.cell.k or 0, []).append(point)
    return by_k[best_covered({k: [[point] for point in members] for k, members in by_k.items()})]


def _other_k_words(points: Sequence[Point], names: Mapping[Base, str]) -> str:
    """Which larger k of a method are not drawn, as fewer bases or draws have them, and which bases lack the one that is."""
    words, usable = "", _with_loss(points)
    for ladder in _k_ladders(usable):
        shown = _at_one_k(ladder, among=usable)
        label, k = setting_label(shown[0].cell), shown[0].cell.k or 0
        there = {point.cell.base for point in shown}
        larger = [f"{names[p.cell.base]}, {setting_label(p.cell)}" for p in ladder if (p.cell.k or 0) > k]
        lacking = list(dict.fromkeys(names[p.cell.base] for p in ladder if p.cell.base not in there))
        words += f" {label} is the k that most have; larger ones are not drawn: {some(larger)}." if larger else ""
        words += f" Without {label}: {some(lacking)}." if lacking else ""
    return words


def top_of(points: Sequence[Point], *, fits: Sequence[Mapping[str, Any]] = ()) -> float:
    """Upper end of an accuracy axis: above every bar and every point as predicted from the others."""
    ends = [end if math.isfinite(end := accuracy_interval(p.estimate)[1]) else p.estimate.value for p in points]
    ends += [fit["held_out"]["predicted"] for fit in fits if "held_out" in fit]
    return min(101.0, max(ends) * 1.06 + 1)


NO_LOSS = "no cell of a base with a pretraining loss"


@draws("accuracy_vs_loss", order=20, says=first_of(of_rulings("2c"), loss_lines))
def accuracy_against_loss(points: Sequence[Point], *, page: Page = SCREEN) -> Drawing | NotEnough:
    """ICL, SFT and studied methods against pretraining loss, the base as the unit; every loss text gets its own panel."""
    shown = [p for group in loss_series(points).values() for p in group]
    if not shown:
        left_out = any(p.loss is not None and p.cell.post_trained for p in points)
        reason = "the bases with a pretraining loss are post-trained, and left out" if left_out else NO_LOSS
        return NotEnough("accuracy against pretraining loss", reason)
    if len({p.cell.base for p in shown}) == 1:
        return NotEnough(
            "accuracy against pretraining loss", "one base has a pretraining loss; two or more span an axis"
        )
    texts = sorted({p.cell.loss_text or "unnamed text" for p in shown})
    figure, axes = new_figure(width=5.6 * len(texts) + 0.4, height=4.2, columns=len(texts), page=page, sharey=True)
    axes[0][0].set_ylim(0, top_of(shown))
    looks = base_looks(shown, among=points)
    fits: list[dict[str, Any]] = []
    legend: dict[str, Any] = {}
    for panel, text in zip(axes[0], texts, strict=True):
        mine = [p for p in shown if (p.cell.loss_text or "unnamed text") == text]
        fits += _loss_panel(panel, mine, looks=looks, text=text, legend=legend)
    label_rows(axes, "test accuracy [%]")
    axes[0][0].set_ylim(0, top_of(shown, fits=fits))
    ends = _right_ends(loss_series(points), shown, looks)
    if len(texts) > 1 or not 0 < len(ends) <= MOST_LABELS:
        legend_outside(figure, list(legend.values()), list(legend))
    else:
        label_ends(axes[0][0], ends)
    words = kinds_caption(shown) + " Lines: least squares over bases (3 or more), shaded 95 % of the line."
    words += (
        " Beside the lowest loss: " + HELD_OUT_WORDS + left_out_words(fits, shown, looks.names) + apart_words("base")
    )
    words += _other_k_words(points, names=base_names(p.cell for p in points)) + shared_words(len(texts), "accuracy")
    caption(figure, words)
    return Drawing("accuracy_vs_loss", figure, fits, words)


def _right_ends(series: Mapping[str, Sequence[Point]], points: Sequence[Point], looks: Looks) -> list[End]:
    """Each series at the lowest loss, which stands on the right; none where a series ends before it."""
    ends = []
    right = min(point.loss or math.inf for point in points)
    for label, members in series.items():
        last = min(members, key=lambda point: point.loss or math.inf)
        if last.loss != right:
            return []
        style = method_series_style(last, points, looks)
        ends.append(End(last.estimate.value, label, style["markeredgecolor"]))
    return ends


def _loss_panel(
    panel: Any, points: list[Point], *, looks: Looks, text: str, legend: dict[str, Any]
) -> list[dict[str, Any]]:
    fits = []
    groups = series_by_label(points)
    lines = model_lines(list(groups))
    losses = [p.loss or math.nan for p in points]
    step = 0.014 * (max(losses) - min(losses))
    bars = [bars_of([p.loss or math.nan for p in members], members) for members in groups.values()]
    places = set_apart(bars, step=-step, pad=panel.get_ylim()[1] / 80)  # the axis runs from right to left
    for index, (label, members) in enumerate(groups.items()):
        style = method_series_style(members[0], points, looks)
        legend[label] = draw_points(panel, places[index], members, linestyle="none", **style)
        line, entry = fit_over_bases(members, what=f"accuracy against pretraining loss, {label}")
        if isinstance(line, LineFit):
            best, look = int(line.x.argmin()), {"color": style["markeredgecolor"], "marker": style["marker"]}
            aside = step * (len(lines) / 2 + index + 1)  # on the lower side of the base's own points
            entry |= draw_held_out(panel, line, index=best, at=line.x[best] - aside, **look)
            grid = np.linspace(min(line.x), max(line.x), 50)
            panel.plot(grid, line.predict(grid), color=style["markeredgecolor"], linestyle=lines[label])
            panel.fill_between(grid, *line.band(grid), color=style["markeredgecolor"], alpha=0.07, linewidth=0)
        fits.append({"loss_text": text, "loss_unit": points[0].cell.loss_unit, "setting": label, **entry})
    name_bases(panel, points, looks)
    panel.set_xlabel(loss_label(points))
    panel.invert_xaxis()
    return fits


def loss_label(points: Sequence[Point]) -> str:
    """The axis of pretraining loss: its unit and the text that it is of. One unit for a text (rft.records.with_one_unit)."""
    units = " or ".join(sorted({p.cell.loss_unit for p in points}))
    texts = " and ".join(sorted({p.cell.loss_text or "unnamed text" for p in points}))
    return f"pretraining loss [{units}]\non {texts}"


def name_bases(panel: Any, points: list[Point], looks: Looks) -> None:
    """The bases' names on an upper axis, turned so that near losses do not overlap; grey, as colours are methods here."""
    losses = {looks.names[p.cell.base]: p.loss or math.nan for p in points}
    panel.margins(x=0.09)  # room for the last name
    top = panel.secondary_xaxis("top")
    top.set_xticks(list(losses.values()), list(losses), rotation=40, ha="left", fontsize="small", color="#444444")
    top.tick_params(length=2)


def fit_over_bases(members: Sequence[Point], *, what: str) -> tuple[LineFit | NotEnough, dict[str, Any]]:
    """A line over bases (one point each, replicates averaged): (line, its entry in fits.json)."""
    kept, left_out = keep_measurable(members)
    line = fit_line([p.loss or math.nan for p in kept], [p.estimate.value for p in kept], what=what)
    entry = {"series": what, **line_entry(line, formula=LOSS_FORMULA), "unit": "base"}
    return line, {**entry, "left_out": list(left_out)} if left_out else entry
