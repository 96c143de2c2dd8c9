"""What accuracy costs, in FLOPs and in minutes or hours.

accuracy_against_cost(points)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.figures.accuracy import method_series_style, top_of
from analysis.figures.drawing import (
    Drawing,
    Looks,
    base_looks,
    decade_ticks,
    draw_points,
    kinds_caption,
    label_rows,
    legend_outside,
    shared_words,
)
from analysis.figures.findings import costs
from analysis.figures.registry import draws
from analysis.load.labels import series_by_label, setting_label, studied
from analysis.load.ladders import shared_tops
from analysis.load.pairs import Row, by_unit, independent_units, paired_replicates
from analysis.load.points import Point
from analysis.load.query import ALL_DATA, same_but, where
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import NotEnough
from analysis.style import caption, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

from analysis.compare.costs import Cost, cost_of, time_unit

LEGEND_COLUMNS = 5
KINDS = {"cpu": "CPU", "cuda": "GPU"}  # of the devices that a record names


@draws("accuracy_vs_cost", order=100, says=costs)
def accuracy_against_cost(points: Sequence[Point], *, page: Page = SCREEN) -> Drawing | NotEnough:
    """Accuracy against what it took beyond the base model; colour by base, marker by method."""
    found = [
        (p, c) for p in where(points, data_frac=ALL_DATA) if (c := point_cost(p)) and c.flops > 0 and c.seconds > 0
    ]
    if all(cost.evaluation for _, cost in found):
        return NotEnough("accuracy against cost", "no trained cell with its cost")
    figure, axes = new_figure(width=9.4, height=4.3, columns=2, page=page, sharey=True)
    shown = [p for p, _ in found]
    unit, size = time_unit([cost.seconds for _, cost in found])
    amounts: dict[str, Callable[[Cost], float]] = {
        "FLOPs beyond pretraining": lambda cost: cost.flops,
        f"{_device(shown)} {unit} beyond pretraining": lambda cost: cost.seconds / size,
    }
    looks = base_looks(shown, among=points)
    legends: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for panel, (title, amount) in zip(axes[0], amounts.items(), strict=True):
        for label, group in series_by_label(shown).items():
            style = method_series_style(group[0], shown, looks)
            look: dict[str, Any] = {key: style[key] for key in ("marker", "markerfacecolor") if key in style}
            look["linestyle"] = "none"
            legends[1].setdefault(re.sub(r" k=\d+", "", label), panel.plot([], [], color="#555555", **look)[0])
            for base, name in looks.names.items():
                members = where(group, base=base)
                x = [amount(cost) for p in members if (cost := point_cost(p))]
                colour = looks.colours[name]
                draw_points(panel, x, members, markersize=4.5, alpha=0.85, color=colour, **look)
        panel.set_xscale("log")
        decade_ticks(panel.xaxis, [amount(cost) for _, cost in found], scientific=title.startswith("FLOPs"))
        panel.set_xlabel(title)
    for name in looks.names.values():
        legends[0][name] = axes[0][0].plot([], [], color=looks.colours[name], linewidth=5)[0]
    label_rows(axes, "test accuracy [%]")
    axes[0][0].set_ylim(0, top_of(shown))
    _two_legends(figure, *legends)
    text = (
        kinds_caption(shown)
        + " All data. Cost: what a model is made of (fine-tuning; where needed the SFT model, sampling, selecting), "
        "shared stages in full, without the making of the problems; a control is not charged with the sampling that fixed "
        "its size."
    )
    if any(cost.evaluation for _, cost in found):
        text += " ICL trains nothing: it stands at the cost of its evaluation."
    if any(p.cell.source for p in shown):
        text += " Published: table 4 (A100 80 GB); it covers SFT on all data and RFT-U33B alone."
    text += shared_words(2, "accuracy")
    caption(figure, text)
    claimed = [p for kind in {p.cell.study_kind for p in points} for p in shared_tops(where(points, study_kind=kind))]
    fits = [cost_entry(p, c, shown, looks=looks, of_claim=p in claimed) for p, c in found]
    return Drawing("accuracy_vs_cost", figure, fits, text)


def cost_entry(point: Point, cost: Cost, shown: Sequence[Point], *, looks: Looks, of_claim: bool) -> dict[str, Any]:
    """A point of the figure for fits.json; of a studied method also how many times the compute of its own SFT it takes.

    `of_claim`: it is among the cells by which claim 4b is ruled on its study.
    """
    setting = setting_label(point.cell)
    entry: dict[str, Any] = {"series": f"{looks.names[point.cell.base]}, {setting}", "setting": setting}
    entry |= {"accuracy": point.estimate.value, "flops": cost.flops, "seconds": cost.seconds}
    sft = same_but(point, shown, method="sft") if studied(point.cell) else None
    times = None if sft is None else flops_over(point, sft)
    if times is None:
        return entry
    about = {"k": point.cell.k, "donors": len(point.cell.union), "of_claim": of_claim}
    return {**entry, "flops_over_sft": times, **about}


def point_cost(point: Point) -> Cost | None:
    """Mean over draws of the mean over replicates, as of its accuracy; None where one of them is not known."""
    costs = _mean_costs([[[cell]] for cell in point.cells])
    return costs[0] if costs else None


def flops_over(point: Point, other: Point) -> float | None:
    """How many times the FLOPs of another point, on the draws and replicates that both have: the ones `contrast` pairs.

    A ratio of means over draws of means over replicates; None where they share none, or the cost of one is not known.
    """
    costs = _mean_costs(paired_replicates([point, other]))
    return costs[0].flops / costs[1].flops if costs else None


def _mean_costs(rows: Sequence[Row]) -> list[Cost]:
    """For each place in the rows its mean cost, draws and the independent replicates of one counting alike; or none."""
    costs = [[[cost_of(cell) for cell in cells] for cells in row] for row in rows]
    if any(cost is None for row in costs for cells in row for cost in cells):
        return []
    units = independent_units(rows)
    means = []
    for column in zip(*costs, strict=True):
        known = [[cost for cost in cells if cost is not None] for cells in column]
        values = np.array([np.mean([(cost.flops, cost.seconds) for cost in cells], axis=0) for cells in known])
        flops, seconds = np.mean([draw.mean(axis=0) for draw in by_unit(values, units)], axis=0)
        means.append(Cost(float(flops), float(seconds), known[0][0].evaluation))
    return means


def _device(points: Sequence[Point]) -> str:
    """'CPU', 'GPU', or 'device' where there are both or the records do not say."""
    kinds = {
        "GPU" if p.cell.source else KINDS.get(str(p.cell.provenance.get("device")).partition(":")[0]) for p in points
    }
    return (kinds.pop() if len(kinds) == 1 else None) or "device"


def _two_legends(figure: Figure, bases: dict[str, Any], methods: dict[str, Any]) -> None:
    """Bases in the first rows, methods below, with blanks between."""
    from matplotlib.lines import Line2D

    blanks = -len(bases) % LEGEND_COLUMNS
    filled = bases | {" " * (i + 1): Line2D([], [], linestyle="none") for i in range(blanks)} | methods
    legend_outside(figure, list(filled.values()), list(filled), columns=LEGEND_COLUMNS)
