"""Predictions before the truth: fitted settings, the curve through them, what it says of the next one, and what was measured.

prediction_figure(rows)         # Drawing, or NotEnough where nothing was predicted
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.compare.fits import keep_measurable
from analysis.figures.drawing import Drawing, draw_points, grid_shape, legend_outside
from analysis.figures.findings import predicted
from analysis.predict.rows import Row
from analysis.stats.linear import NotEnough
from analysis.stats.prediction import Prediction
from analysis.style import caption, headline, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "prediction"
MOST_PANELS = 12
SEEN_COLOUR, TOLD_COLOUR, TRUE_COLOUR = "#0072B2", "#D55E00", "#000000"
ASIDE = 0.03  # of a panel's width: the truth stands beside its prediction
CAPTION = (
    "Filled: fitted settings with 95 % bars. Line and band: the form chosen on them alone, with the 95 % interval for what a "
    "cell there would measure, planned as the held-out one (of several the nearest). Hollow: the prediction of the held-out "
    "setting, made without it; its bar is the band's width there. Star: what was measured."
)


def prediction_figure(rows: Sequence[Row], *, name: str = NAME) -> Drawing | NotEnough:
    """A panel for each series whose largest cells were predicted."""
    first = min((row.num_held for row in rows), default=1)
    shown: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.num_held == first and isinstance(row.prediction, Prediction) and not row.refused:
            shown.setdefault((row.series.axis.name, row.series.label), []).append(row)
    series = list(shown.values())
    groups = series[:MOST_PANELS]
    if not groups:
        return NotEnough("a figure of predictions", "no held-out cell can be predicted from the others")
    height, width = grid_shape(len(groups))
    figure, axes = new_figure(width=3.2 * width, height=2.6 * height + 0.6, rows=height, columns=width)
    handles: dict[str, Any] = {}
    for panel, group in zip(axes.flat, groups, strict=False):
        handles |= _panel(panel, group)
    for panel in axes.flat[len(groups) :]:
        panel.set_axis_off()
    legend_outside(figure, list(handles.values()), list(handles))
    more = len(series) - len(groups)
    text = CAPTION + (f" {more} further series are in the table, and counted in the title." if more else "")
    caption(figure, text)
    fits = [_entry(row) for group in series for row in group]
    drawing = Drawing(name, figure, fits, text, finding=predicted(fits, {}))
    headline(figure, drawing.finding, name=drawing.title)
    return drawing


def _panel(axes: Axes, group: Sequence[Row]) -> dict[str, Any]:
    series, fitted = group[0].series, keep_measurable(group[0].fitted)[0]
    axis = series.axis
    us = [axis.coordinate(p) or 0.0 for p in fitted]
    held = [row.place.coordinate for row in group]
    ends = [min(us), max([*us, *held])]
    pad = (ends[1] - ends[0]) * 0.04
    grid, curve = _band(group, np.union1d(np.linspace(ends[0] - pad, ends[1] + pad, 60), held))
    xs = _shown(grid, of_models=axis.of_models)
    line = axes.plot(xs, [c.value for c in curve], color=SEEN_COLOUR, linewidth=1.1)[0]
    axes.fill_between(xs, [c.low for c in curve], [c.high for c in curve], color=SEEN_COLOUR, alpha=0.12, linewidth=0)
    look = {"color": SEEN_COLOUR, "marker": "o", "markersize": 4, "linestyle": "none"}
    handles = {
        "fitted": draw_points(axes, _shown(np.array(us), of_models=axis.of_models), fitted, **look),
        "form": line,
    }
    step = ASIDE * (ends[1] - ends[0])
    for row in group:
        one = row.prediction
        assert isinstance(one, Prediction)
        at = _shown(np.array([row.place.coordinate - step, row.place.coordinate + step]), of_models=axis.of_models)
        bars = [[one.value - one.low], [one.high - one.value]]
        handles["predicted"] = axes.errorbar(
            at[:1],
            [one.value],
            yerr=bars,
            color=TOLD_COLOUR,
            marker="o",
            markerfacecolor="none",
            markersize=5,
            linestyle="none",
        )
        if row.truth is not None:
            handles["then measured"] = axes.plot(at[1:], [row.truth], "*", color=TRUE_COLOUR, markersize=7)[0]
    axes.set_title(
        f"{series.label} ({group[0].prediction.form})" if isinstance(group[0].prediction, Prediction) else ""
    )
    axes.set_xlabel("pretraining loss" if axis.of_models else {"k": "k", "data_frac": "share of the data"}[axis.name])
    axes.set_ylabel("maj1@1, %")
    if axis.of_models:
        axes.invert_xaxis()
    else:
        axes.set_xscale("log", base=2)
    return handles


def _band(group: Sequence[Row], grid: np.ndarray) -> tuple[np.ndarray, list[Prediction]]:
    """(places, what a cell there would measure): by the held-out cell that is nearest, whose own prediction is among them."""
    nearest = [min(group, key=lambda row: abs(row.place.coordinate - u)) for u in grid]
    found = [(u, row.told.at(float(u))) for u, row in zip(grid, nearest, strict=True)]
    usable = [(u, one) for u, one in found if isinstance(one, Prediction)]
    return np.array([u for u, _ in usable]), [one for _, one in usable]


def _shown(u: np.ndarray, *, of_models: bool) -> Any:
    return -u if of_models else 2.0**u


def _entry(row: Row) -> dict[str, Any]:
    assert isinstance(row.prediction, Prediction)
    return {"series": row.series.label, "held_out": row.name, "measured": row.truth, **asdict(row.prediction)}
