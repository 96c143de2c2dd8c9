"""What many draws on test questions give: maj@k and pass@k, and distinct paths, against the number of draws.

votes_against_k(points, outcomes)
emitted_against_k(points, outcomes)
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.compare.fits import estimate_entry
from analysis.figures.accuracy import method_series_style
from analysis.figures.drawing import (
    Drawing,
    base_looks,
    grid_shape,
    held_words,
    label_rows,
    legend_outside,
    log2_axis,
    shared_words,
)
from analysis.figures.findings import emitted, votes
from analysis.figures.registry import draws
from analysis.load.labels import method_label, series_by_label, setting_label, studied
from analysis.load.names import base_names, counted
from analysis.load.outcomes import Outcomes, read_path_draws
from analysis.load.pairs import units_of
from analysis.load.points import PERCENT, Point, share_interval
from analysis.load.query import ALL_DATA, where
from analysis.load.voted import in_one_way
from analysis.load.votes import curve, distinct, passed, vote_curve, voted
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import NotEnough
from analysis.stats.uncertainty import Estimate
from analysis.style import caption, new_figure

Ends = Callable[[Estimate], tuple[float, float]]


@dataclass(frozen=True)
class Curves:
    """One setting's curves against k."""

    point: Point
    lines: dict[str, dict[int, Estimate]]  # 'maj' (drawn solid), 'pass' (dashed): k -> mean over problems

    def entry(self, ends: Ends) -> dict[str, Any]:
        """For fits.json, with the intervals that are drawn."""
        found = {name: {str(k): _entry(e, ends) for k, e in line.items()} for name, line in self.lines.items()}
        return {"series": self.point.cell.cell_id, **found}


def _entry(estimate: Estimate, ends: Ends) -> dict[str, Any]:
    known = [end if math.isfinite(end) else None for end in ends(estimate)]
    return estimate_entry(estimate) | {"interval_95": known}


def _largest_k(points: Sequence[Point]) -> list[Point]:
    """Of every method's ladder of k (per base and number of donors) the one of most draws, of equals the largest."""
    best: dict[str, Point] = {}
    for point in points:
        key = json.dumps([point.cell.base, {k: v for k, v in point.cell.setting.items() if k != "k"}], sort_keys=True)
        if key not in best or _worth(point) > _worth(best[key]):
            best[key] = point
    return list(best.values())


def _worth(point: Point) -> tuple[int, int]:
    return len(point.draws), point.cell.k or 0


def _unlike_words(found: Sequence[Curves]) -> str:
    """Which curves of a base are of other numbers of draws than its first; '' where all are of as many."""
    names = base_names(curves.point.cell for curves in found)
    counts = {base: {len(c.point.draws) for c in found if c.point.cell.base == base} for base in names}
    told = [
        f"{names[c.point.cell.base]}, {setting_label(c.point.cell)} of {counted(len(c.point.draws), 'draw')}"
        for c in found
        if len(counts[c.point.cell.base]) > 1
    ]
    return f" Unlike draws: {'; '.join(told)}." if told else ""


LINES = {"maj": voted, "pass": passed}
LINE_WORDS = {"maj@k": "-", "pass@k": "--"}
DRAWN = ("icl", "sft", "sft_matched", "rft")  # and methods not known here: more hide one another; fits.json has all


@draws("votes_vs_k", order=110, says=votes)
def votes_against_k(points: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """maj@k (lines) and pass@k (dashed) against k for cells that voted, full data, a panel per base."""
    found, voted_so = [], in_one_way(where(points, data_frac=ALL_DATA), outcomes)
    for point in _largest_k(voted_so.points):
        both = {name: vote_curve(point.cells, outcomes, statistic=of) for name, of in LINES.items()}
        if any(both.values()):
            found.append(
                Curves(point, {n: {k: e.scaled(PERCENT) for k, e in line.items()} for n, line in both.items()})
            )
    if not found:
        return NotEnough("maj@k and pass@k", "no cell voted (eval.vote_k), or their votes are not at hand")
    text = f"Solid: maj@k, dashed: pass@k; exact means over all subsets of k draws. {_interval_words(found)}"
    text += voted_so.words
    figure = _panels(found, points, ylabel="test problems [%]", ends=share_interval, text=text, page=page)
    return Drawing("votes_vs_k", figure, [curves.entry(share_interval) for curves in found], text)


@draws("emitted_paths", order=120, says=emitted)
def emitted_against_k(points: Sequence[Point], outcomes: Outcomes, *, page: Page = SCREEN) -> Drawing | NotEnough:
    """Distinct equation lists among k test draws, full data, a panel per base."""
    found, voted_so = [], in_one_way(where(points, data_frac=ALL_DATA), outcomes)
    for point in _largest_k(voted_so.points):
        replicates = [read_path_draws(cell) for cell in point.cells]
        known = [draws for draws in replicates if draws is not None]
        if known and len(known) == len(replicates):
            most = max(drawn.num_draws for draws in known for drawn in draws.values())  # paths that a problem can have
            found.append(
                Curves(point, {"distinct": curve(known, statistic=distinct, most=most, units=units_of(point.cells))})
            )
    if not any(curves.lines["distinct"] for curves in found):
        return NotEnough("distinct paths on test questions", "no cell's test draws name their paths (eval.vote_k)")
    text = (
        "Distinct equation lists, right or wrong, among k draws of a test question; exact means over all subsets of k "
    )
    text += f"draws. {_interval_words(found)}{voted_so.words}"
    figure = _panels(found, points, ylabel="distinct paths per question", ends=Estimate.interval, text=text, page=page)
    return Drawing("emitted_paths", figure, [curves.entry(Estimate.interval) for curves in found], text)


def _interval_words(found: Sequence[Curves]) -> str:
    estimates = [e for curves in _drawn(found) for line in curves.lines.values() for e in line.values()]
    kinds = held_words(estimates)
    sizes = sorted({e.num_items for e in estimates})
    n = " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1])))
    words = (
        f"{f'Shaded: 95 %, {kinds}. ' if kinds else ''}n = {n} test problems. Of several k the largest in most draws."
    )
    left_out = {method_label(c.point.cell) for c in found} - {method_label(c.point.cell) for c in _drawn(found)}
    words += f" In fits.json alone: {', '.join(sorted(left_out))}." if left_out else ""
    return words + _unlike_words(found)


def _drawn(found: Sequence[Curves]) -> list[Curves]:
    return [curves for curves in found if curves.point.method in DRAWN or studied(curves.point.cell)] or list(found)


def _panels(found: Sequence[Curves], points: Sequence[Point], *, ylabel: str, ends: Ends, text: str, page: Page) -> Any:
    drawn = _drawn(found)
    shown = [curves.point for curves in drawn]
    looks = base_looks(shown, among=points)
    rows, columns = grid_shape(len(looks.names), page=page)
    figure, axes = new_figure(
        width=3.3 * columns + 0.4, height=2.8 * rows + 1.0, rows=rows, columns=columns, page=page, sharey=True
    )
    legend: dict[str, Any] = {}
    for panel, (base, name) in zip(axes.flat, looks.names.items(), strict=False):
        for label, group in series_by_label(where(shown, base=base)).items():
            curves = next(c for c in drawn if c.point is group[0])
            style = {
                key: value for key, value in method_series_style(group[0], shown, looks).items() if key != "ecolor"
            }
            for place, (line, look) in enumerate(zip(curves.lines.values(), LINE_WORDS.values(), strict=False)):
                ks, heights = list(line), [e.value for e in line.values()]
                band = np.array([ends(e) for e in line.values()]).reshape(-1, 2).T
                panel.fill_between(ks, *band, color=style["markeredgecolor"], alpha=0.15, linewidth=0)
                made = panel.plot(ks, heights, markersize=4 - place, linewidth=1, linestyle=look, **style)[0]
                legend.setdefault(label, made)
        log2_axis(
            panel, [k for c in drawn for line in c.lines.values() for k in line], label="k, draws per test problem"
        )
        panel.set_title(name)
    for panel in list(axes.flat)[len(looks.names) :]:
        panel.remove()
    for words, look in LINE_WORDS.items() if any("pass" in c.lines for c in drawn) else ():
        legend[words] = axes[0][0].plot([], [], color="#555555", linewidth=1.2, linestyle=look)[0]
    label_rows(axes, ylabel)
    axes[0][0].set_ylim(0, None)
    legend_outside(figure, list(legend.values()), list(legend), columns=3)
    caption(figure, text + shared_words(len(looks.names), "values"))
    return figure
