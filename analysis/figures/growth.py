"""Cost against model size, length, k, problems and cells, on logarithmic axes, with fitted exponents.

growth_figure([Growth("k", "solutions a question", (10, 30, 100), (0.2, 0.7, 2.1), of="selection")])      # a Drawing
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.figures.drawing import Drawing, decade_ticks, grid_shape, label_rows
from analysis.stats.growth import Growth
from analysis.stats.linear import LineFit
from analysis.style import OKABE_ITO, caption, headline, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME = "growth"
COLOUR = OKABE_ITO[0]
CAPTION = (
    "Points: processor seconds of one process, the least of several runs. Line: least squares on both logarithms; its slope "
    "is the exponent, with the 95 % interval of the points about it. 1: in proportion; under 1: a part is fixed."
)


def growth_figure(measured: Sequence[Growth]) -> Drawing:
    """A panel for each amount."""
    height, width = grid_shape(len(measured))
    figure, axes = new_figure(width=3.0 * width, height=2.4 * height + 0.4, rows=height, columns=width)
    for panel, growth in zip(axes.flat, measured, strict=False):
        _panel(panel, growth)
    for panel in axes.flat[len(measured) :]:
        panel.set_axis_off()
    label_rows(axes, "processor seconds")
    caption(figure, CAPTION)
    drawing = Drawing(NAME, figure, [_entry(growth) for growth in measured], CAPTION)
    headline(figure, drawing.finding, name="Growth of cost")
    return drawing


def _panel(axes: Axes, growth: Growth) -> None:
    axes.plot(growth.amounts, growth.cpu_s, "o", color=COLOUR, markersize=4)
    fit = growth.exponent
    if isinstance(fit, LineFit):
        axes.plot(growth.amounts, 2.0 ** fit.predict(np.log2(growth.amounts)), color=COLOUR, linewidth=1.1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    decade_ticks(axes.xaxis, growth.amounts)
    decade_ticks(axes.yaxis, growth.cpu_s)
    axes.set_xlabel(growth.unit)
    axes.set_title(f"{growth.of}\n{exponent_text(growth)}")


def exponent_text(growth: Growth) -> str:
    """'exponent 1.02 [0.95, 1.09]', or why there is none."""
    fit = growth.exponent
    if not isinstance(fit, LineFit):
        return str(fit)
    low, high = fit.interval()
    return f"exponent {fit.b:.2f} [{low:.2f}, {high:.2f}]"


def _entry(growth: Growth) -> dict[str, object]:
    fit = growth.exponent
    found = {"exponent": fit.b, "se": fit.se_b} if isinstance(fit, LineFit) else {"not_enough_data": str(fit)}
    return {"series": growth.name, "amounts": growth.amounts, "cpu_s": growth.cpu_s, "of": growth.of, **found}
