"""RFT against k with its controls, and distinct paths per question against k (paper figures 4 and 5).

accuracy_against_k(points, outcomes)
distinct_against_k(points, outcomes)
accuracy_against_distinct(points, outcomes)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from analysis.compare.fits import (
    NOTHING_SHARED,
    fit_series,
    line_entry,
    on_a_line,
    power_law,
    series_entry,
    unshared,
    unshared_entry,
)
from analysis.figures.accuracy import level_line
from analysis.figures.drawing import (
    MOST_LABELS,
    Drawing,
    End,
    Looks,
    apart_words,
    bars_of,
    base_looks,
    decade_ticks,
    draw_points,
    grid_shape,
    kinds_caption,
    label_ends,
    label_rows,
    legend_outside,
    log2_axis,
    set_apart,
    shared_words,
)
from analysis.figures.findings import first_of, gains_of, of_claims, path_lines, powers
from analysis.figures.left_out import left_out_words
from analysis.figures.registry import draws
from analysis.load.cells import AT_STEPS
from analysis.load.labels import studied, studied_methods
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import mean_of_units, units_of
from analysis.load.points import Point, distinct_of, distinct_with_human
from analysis.load.query import ALL_DATA, same_but, same_steps, where
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import LineFit, NotEnough
from analysis.stats.uncertainty import Estimate, Kind
from analysis.style import LINE_STYLES, caption, method_style, new_figure

DRAWS_LABEL = "samples drawn per question (k, of all rounds)"
K_FORMULA = "accuracy [%] = a + b * log2(k)"
PATHS_FORMULA = "log(distinct paths per question) = a + b * log(k)"
OVER = {Kind.DRAWS: "draws (new bases of this kind)", Kind.REPLICATES: "replicates (these bases)"}  # bars of counts
LADDER = ("rft", "sft_matched", "oracle_paths", "fresh_human")  # and methods not known here, with their controls


def ladder_points(points: Sequence[Point], *, method: str, of_control: bool = False) -> list[Point]:
    """Points of one method on the model's own pool with de-duplication on the full data, by k.

    `of_control`: of the step-matched control that belongs to the method alone.
    """
    mine = where(points, lineage=(method, of_control), data_frac=ALL_DATA, union=(), plainly_selected=True)
    return sorted((p for p in mine if drawn_of(p)), key=lambda p: drawn_of(p) or 0)


def drawn_of(point: Point) -> float | None:
    """Samples drawn per question, mean over draws of the base and replicates: the place on the axis of k."""
    return point.mean_of("draws")


def ladder_lineages(points: Sequence[Point]) -> list[tuple[str, bool]]:
    """The series against k: RFT with its controls, then every other studied method with its own."""
    others = [method for method in studied_methods(points) if method != "rft"]
    return [*((method, False) for method in LADDER), *((m, is_control) for m in others for is_control in (False, True))]


@draws("accuracy_vs_k", order=30, says=first_of(gains_of("rft", "k"), of_claims("4a", "4b")))
def accuracy_against_k(points: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """A panel per base: studied methods and their controls at equal steps against log2 k; what has no k as a level line."""
    series = ladder_lineages(points)
    shown = [p for method, is_control in series for p in ladder_points(points, method=method, of_control=is_control)]
    if not any(studied(p.cell) for p in shown):
        return NotEnough("RFT accuracy against k", "no RFT cell on the full data with its own pool")
    looks = base_looks(shown, among=points)
    rows, columns = grid_shape(len(looks.names), page=page)
    figure, axes = new_figure(
        width=3.3 * columns + 0.4, height=2.9 * rows + 0.9, rows=rows, columns=columns, page=page, sharey=True
    )
    ends = [end for _, *bar in bars_of([0.0] * len(shown), shown) for end in bar]
    room = 0.05 * (max(ends) - min(ends)) + 0.5
    axes[0][0].set_ylim(max(0.0, min(ends) - room), max(ends) + room)
    fits: list[dict[str, Any]] = []
    legend: dict[str, Any] = {}
    levels: list[Point] = []
    for panel, (base, name) in zip(axes.flat, looks.names.items(), strict=False):
        mine = where(shown, base=base)
        fits += _k_panel(panel, mine, outcomes, looks=looks, series=series, name=name, legend=legend)
        for point in where(points, data_frac=ALL_DATA, base=base, k=None):
            if point.method == "sft" or studied(point.cell):
                style = looks.methods[point.cell.lineage]
                levels.append(point)
                legend[f"{style.label} (level)"] = level_line(panel, point, color=style.colour)
        panel.set_title(name)
    for panel in list(axes.flat)[len(looks.names) :]:
        panel.remove()
    label_rows(axes, "test accuracy [%]")
    legend_outside(figure, list(legend.values()), list(legend), columns=5)
    text = (
        kinds_caption([*shown, *levels])
        + f" Shaded: of SFT. Controls at the optimiser steps of {_whose(shown)} with the same k{_but_for(shown)}. "
    )
    text += "Lines: least squares on log2(k), where a series has 3 points or more." + left_out_words(
        fits, shown, looks.names
    )
    text += apart_words("k") if len({p.cell.lineage for p in shown}) > 1 else ""
    text += shared_words(len(looks.names), "accuracy")
    text += "" if axes[0][0].get_ylim()[0] == 0 else " Axis not from 0."
    caption(figure, text)
    return Drawing("accuracy_vs_k", figure, fits, text)


def _whose(points: Sequence[Point]) -> str:
    return "the RFT cell" if studied_methods(points) == ["rft"] else "their method's cell"


def _but_for(points: Sequence[Point]) -> str:
    """', but for oracle paths, which took others in 2 of 3 cells': controls at other steps than their method's cell."""
    words = []
    for method in [name for name in LADDER if name in AT_STEPS]:
        controls = where(points, method=method)
        theirs = [(same_but(p, points, method=p.cell.matched_to or "rft"), p) for p in controls]
        apart = [p for other, p in theirs if other is not None and not same_steps(other, p)]
        title = method_style(method).label
        words += [f"{title}, which took others in {len(apart)} of {len(controls)} cells"] if apart else []
    return f", but for {' and '.join(words)}" if words else ""


def _k_panel(
    panel: Any,
    points: list[Point],
    outcomes: Outcomes,
    *,
    looks: Looks,
    series: Sequence[tuple[str, bool]],
    name: str,
    legend: dict[str, Any],
) -> list[dict[str, Any]]:
    fits = []
    groups = {lineage: members for lineage in series if (members := where(points, lineage=lineage))}
    logs = {lineage: [_log_drawn(p) for p in members] for lineage, members in groups.items()}
    every = [x for places in logs.values() for x in places]
    low, high = panel.get_ylim()
    step = 0.035 * max(1.0, max(every) - min(every))
    bars = [bars_of(logs[lineage], members) for lineage, members in groups.items()]
    for (lineage, members), places in zip(
        groups.items(), set_apart(bars, step=step, pad=(high - low) / 70), strict=True
    ):
        style = looks.methods[lineage]
        look = {"linestyle": "none", "marker": style.marker, "color": style.colour}
        legend[style.label] = draw_points(panel, list(np.exp2(places)), members, **look)
        fit = fit_series(members, _log_drawn, outcomes, what=f"{name}, {style.label} against k")
        fits.append({**series_entry(fit, formula=K_FORMULA), "method": members[0].method})
        if isinstance(fit.line, LineFit):
            ends = np.array([min(fit.line.x), max(fit.line.x)])
            line = LINE_STYLES[series.index(lineage) % len(LINE_STYLES)]
            panel.plot(
                np.exp2(ends), fit.line.predict(ends), color=style.colour, linestyle=line, linewidth=1, alpha=0.8
            )
    log2_axis(panel, [drawn_of(p) or 1.0 for p in points], label=DRAWS_LABEL)
    return fits


def _log_drawn(point: Point) -> float:
    return math.log2(drawn_of(point) or 1)


@draws("distinct_vs_k", order=40, says=powers)
def distinct_against_k(
    points: Sequence[Point], outcomes: Outcomes, *, pools: Sequence[Point] = (), page: Page = SCREEN
) -> Drawing | NotEnough:
    """Distinct sampled paths per question against k, a power law per base. `pools`: sampled but never trained on."""
    known = [*points, *pools]
    methods = studied_methods(known)
    own = [p for method in methods for p in ladder_points(known, method=method) if distinct_of(p) is not None]
    if not own:
        return NotEnough("distinct paths against k", "no RFT cell with a count of distinct paths")
    if len({(p.cell.base, p.method) for p in own}) == len(own):
        return NotEnough("distinct paths against k", "no base has its paths counted at two values of k")
    if not any(map(distinct_of, own)):
        return NotEnough("distinct paths against k", f"none of {len(own)} settings kept a path (log axis)")
    looks = base_looks(own, among=[*points, *pools])
    figure, axes = new_figure(width=5.6, height=4.0, page=page)
    panel, fits, legend = axes[0][0], [], {}
    ends: list[float] = []
    lasts: list[End] = []
    for base, method in product(looks.names, methods):
        members = where(own, base=base, method=method)
        if not members:
            continue
        name, look = _series_look(members[0], looks)
        k = np.array([drawn_of(p) for p in members], float)
        estimates = [distinct_estimate(p) for p in members]
        y = np.array([e.value for e in estimates])
        half = np.array([e.half_width() for e in estimates])
        bars = np.minimum(half, y) if np.isfinite(half).any() else None
        legend[name] = panel.errorbar(
            k, np.where(y > 0, y, np.nan), yerr=bars, linestyle="none", **look,
            markerfacecolor="none", markeredgewidth=1.4, elinewidth=0.9,
        )  # fmt: skip
        lasts.append(End(float(y[-1]) if y[-1] > 0 else math.nan, name, look["color"]))
        ends += [*(y + np.nan_to_num(half)), *y]
        line, left_out = paths_law(members, outcomes, what=f"distinct paths against k, {name}")
        fits.append({"series": f"{name}, distinct paths", **line_entry(line, formula=PATHS_FORMULA), **left_out})
        if isinstance(line, LineFit):
            reach = np.array([line.x.min(), line.x.max()])
            line_look = {"color": look["color"], "linestyle": looks.lines[looks.names[base]]}
            panel.plot(np.exp(reach), np.exp(line.predict(reach)), **line_look)
    panel.set_yscale("log")
    decade_ticks(panel.yaxis, ends)
    log2_axis(panel, [drawn_of(p) or 1.0 for p in own], label=DRAWS_LABEL)
    panel.set_ylabel("distinct kept paths per question")
    if len(lasts) > MOST_LABELS or any(math.isnan(end.y) for end in lasts):
        legend_outside(figure, list(legend.values()), list(legend))
    else:
        label_ends(panel, lasts)
    text = _distinct_words(own, [distinct_estimate(p) for p in own]) + left_out_words(fits, own, looks.names)
    none = [f"{looks.names[p.cell.base]} k={p.cell.k}" for p in own if distinct_of(p) == 0]
    text += f" No path was kept (0 has no place on a log axis): {', '.join(none)}." if none else ""
    caption(figure, text)
    return Drawing("distinct_vs_k", figure, fits, text)


def paths_law(points: Sequence[Point], outcomes: Outcomes, *, what: str) -> tuple[LineFit | NotEnough, dict[str, Any]]:
    """The power law of distinct paths in samples drawn, both of the cells in common, and what it leaves out (`unshared`)."""
    kept, left_out = on_a_line(points, _log_paths, outcomes, apply_rule=False)
    if not kept:
        return NotEnough(what, NOTHING_SHARED), {}
    drawn, counts = [drawn_of(p) or math.nan for p in kept], [distinct_estimate(p).value for p in kept]
    entry = {"left_out": list(left_out)} if left_out else {}
    return power_law(drawn, counts, what=what), {**unshared_entry(unshared(points, kept)), **entry}


def _log_paths(point: Point) -> float:
    """Where a point stands on the power law; NaN where it has no place: nothing drawn, or no path kept."""
    return _log_drawn(point) if distinct_estimate(point).value > 0 else math.nan


def _series_look(point: Point, looks: Looks) -> tuple[str, dict[str, Any]]:
    """Name, marker and colour of a base's series; of a studied method other than RFT the method's marker."""
    base = looks.names[point.cell.base]
    style = looks.methods[point.cell.lineage]
    name, marker = (base, looks.markers[base]) if point.method == "rft" else (f"{base}, {style.label}", style.marker)
    return name, {"marker": marker, "color": looks.colours[base]}


def _distinct_words(own: Sequence[Point], estimates: Sequence[Estimate]) -> str:
    which = _human_words(own)
    asked = sorted({round(n) for p in own if (n := p.mean_of("num_human"))})
    text = f"Mean over questions and replicates, {which}"
    text += (
        f"; n = {' to '.join(f'{n:,}' for n in dict.fromkeys((asked[0], asked[-1])))} questions. " if asked else ". "
    )
    over = _over_words(estimates)
    if over:
        text += f"Bars: 95 % t-intervals over {over}"
        text += "; of one replicate none. " if any(len(p.cells) == 1 for p in own) else ". "
    else:
        single = all(len(p.cells) == 1 for p in own)
        text += "One replicate: no interval. " if single else "No interval: all replicates count the same. "
    return text + "Lines: power law where a series has 3 values of k or more."


def _over_words(estimates: Sequence[Estimate]) -> str:
    """'6 draws (new bases of this kind), 2 to 3 replicates (these bases)': the units of the intervals that there are."""
    drawn = [estimate for estimate in estimates if math.isfinite(estimate.half_width())]
    parts = []
    for kind, what in OVER.items():
        counts = sorted({estimate.num_units for estimate in drawn if estimate.kind is kind})
        if counts:
            parts.append(f"{' to '.join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))} {what}")
    return ", ".join(parts)


def distinct_estimate(point: Point) -> Estimate:
    """Distinct paths per question with its error over draws and replicates; unknown for one."""
    own = all(cell.distinct_per_question is not None for cell in point.cells)
    counts = [cell.distinct_per_question if own else cell.distinct_per_question_with_human for cell in point.cells]
    values = np.array([[math.nan if count is None else count] for count in counts])
    return mean_of_units(values, units_of(point.cells))


def _human_words(points: Sequence[Point]) -> str:
    """Whether the human path is among the counted ones."""
    with_it = {p.mean_of("distinct_per_question") is None for p in points}
    if len(with_it) == 2:
        return "without the human path (published: with it)"
    return "with the human path" if with_it == {True} else "without the human path"


@draws("accuracy_vs_distinct", order=70, says=first_of(of_claims("6a"), path_lines))
def accuracy_against_distinct(
    points: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN
) -> Drawing | NotEnough:
    """Accuracy of studied methods against log2 of distinct paths per question, the human path counted as in claim 6a, a line
    per base over k; hollow: unions.
    """
    methods = studied_methods(points)
    plain = where(points, data_frac=ALL_DATA, method=set(methods), plainly_selected=True)
    counted = [p for p in plain if distinct_with_human(p) is not None]
    shown = [p for p in counted if (distinct_with_human(p) or 0) > 0]
    own = where(shown, union=())
    what = "RFT accuracy against distinct paths"
    if not own:
        return NotEnough(what, "no RFT cell on the full data with a count of distinct paths")
    if not any(map(distinct_of, own)):
        return NotEnough(what, f"none of {len(own)} RFT settings kept a path beyond the human one")
    looks = base_looks(own, among=points)
    figure, axes = new_figure(width=5.8, height=4.2, page=page)
    panel = axes[0][0]
    fits, legend = [], {}
    for base, method in product(looks.names, methods):
        members = sorted(where(own, base=base, method=method), key=lambda p: distinct_with_human(p) or 0)
        if not members:
            continue
        x = [distinct_with_human(p) or 1.0 for p in members]
        name, look = _series_look(members[0], looks)
        look["linestyle"] = "none"
        legend[name] = draw_points(panel, x, members, **look)
        unions = [p for p in where(shown, base=base, method=method) if p.cell.union]
        if unions:
            draw_points(panel, [distinct_with_human(p) or 1.0 for p in unions], unions, markerfacecolor="none", **look)
        what = f"{looks.names[base]}, {looks.methods[method, False].label} against distinct paths"
        fit = fit_series(members, _log_distinct, outcomes, what=what)
        fits.append(series_entry(fit, formula="accuracy [%] = a + b * log2(distinct paths per question)"))
        if isinstance(fit.line, LineFit):
            ends = np.array([min(fit.line.x), max(fit.line.x)])
            panel.plot(np.exp2(ends), fit.line.predict(ends), color=look["color"], linewidth=1)
    panel.set_xscale("log", base=2)
    decade_ticks(panel.xaxis, [distinct_with_human(p) or 1.0 for p in shown])
    panel.set_xlabel("distinct paths per question, with the human path")
    panel.set_ylabel("test accuracy [%]")
    legend_outside(figure, list(legend.values()), list(legend))
    text = kinds_caption(shown) + " One point per k; lines: least squares where a base has 3 or more"
    text += ("; hollow: unions." if len(shown) > len(own) else ".") + left_out_words(fits, own, looks.names)
    text += "" if panel.get_ylim()[0] == 0 else " Axis not from 0."
    if len(counted) > len(shown):
        text += f" {len(counted) - len(shown)} setting(s) has no path at all: 0 has no place on a log axis."
    caption(figure, text)
    return Drawing("accuracy_vs_distinct", figure, fits, text)


def _log_distinct(point: Point) -> float:
    """NaN where there is no path: 0 has no place on a log axis."""
    return math.log2(distinct_with_human(point) or math.nan)
