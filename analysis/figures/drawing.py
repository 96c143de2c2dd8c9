"""What a figure function returns, and the marks that several figures share.

drawing = accuracy_against_data(points, outcomes)      # Drawing, or NotEnough where there is nothing to draw
drawing.figure.savefig("accuracy_vs_data.png")
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.linear import LineFit, NotEnough, hold_out
from analysis.points import Point
from analysis.records import short_number
from analysis.uncertainty import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A finished figure with what it rests on."""

    name: str  # file name without ending, e.g. 'accuracy_vs_data'
    figure: Figure
    fits: list[dict[str, Any]] = field(default_factory=list)  # entries of fits.json
    caption: str = ""  # n and what the intervals hold

    @property
    def title(self) -> str:
        """The name in words: 'Accuracy against data'."""
        words = self.name.replace("_", " ").replace(" vs ", " against ").replace(" fig", " figure ")
        return words[0].upper() + words[1:]


def kinds_caption(points: Sequence[Point]) -> str:
    """What the intervals of these points hold, in one sentence."""
    kinds = {point.estimate.kind for point in points}
    texts = {
        Kind.ITEMS: "item noise only (one replicate: no seed-to-seed variation)",
        Kind.EXPLORATORY: "2 to 4 replicates and test problems (t, exploratory)",
        Kind.REPLICATES: "replicates and test problems (t)",
        Kind.PUBLISHED: "binomial error of one published run",
        Kind.BASES: "bases (t)",
    }
    parts = [texts[kind] for kind in Kind if kind in kinds]
    items = sorted({point.estimate.num_items for point in points if point.estimate.num_items})
    sizes = " to ".join(f"{n:,}" for n in ([items[0], items[-1]] if len(items) > 1 else items))
    return f"Bars: 95 % intervals, {'; '.join(parts)}. n = {sizes} test problems." if parts else ""


def draw_points(axes: Axes, x: Sequence[float], points: Sequence[Point], **style: Any) -> Any:
    """Markers with 95 % bars, cut at 0 and 100 %."""
    y = np.array([p.estimate.value for p in points])
    half = np.array([p.estimate.half_width() for p in points])
    half = np.where(np.isfinite(half), half, 0)
    low, high = np.minimum(half, y), np.minimum(half, 100 - y)
    return axes.errorbar(x, y, yerr=np.maximum([low, high], 0), elinewidth=0.9, markeredgewidth=0.9, **style)


def log2_axis(axes: Axes, values: Sequence[float], *, label: str) -> None:
    """A log-2 x axis with a tick at every value that occurs (thinned when they crowd)."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xscale("log", base=2)
    shown: list[float] = []
    for value in sorted(set(values), reverse=True):
        if not shown or math.log2(shown[-1] / value) > 0.45:
            shown.append(value)
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(shown, [short_number(value) for value in shown])
    if len(shown) == 1:  # else the few pixels between series would fill the panel
        axes.set_xlim(shown[0] / 1.5, shown[0] * 1.5)
    axes.set_xlabel(label)


def dodge(index: int, count: int, *, step: float = 0.045, span: float = 0.3) -> float:
    """Factor for log2 axes that sets series side by side (at most `span` doublings in all), so that no bar hides another."""
    step = min(step, span / max(1, count - 1))
    return float(2 ** (step * (index - (count - 1) / 2)))


def legend_outside(figure: Figure, handles: Sequence[Any], labels: Sequence[str], *, columns: int = 4) -> None:
    """One legend for all panels, above them, each label once."""
    seen = dict(zip(labels, handles, strict=True))
    figure.legend(list(seen.values()), list(seen), loc="outside upper center", ncols=min(columns, len(seen)))


def grid_shape(count: int, *, most_columns: int = 3) -> tuple[int, int]:
    """(rows, columns) for small multiples."""
    columns = 2 if count == 4 else min(count, most_columns)
    return math.ceil(count / columns), columns


HELD_OUT_WORDS = "hollow, that point as predicted from the others (4 points or more), 95 % prediction interval."


def draw_held_out(axes: Axes, line: LineFit, *, index: int, at: float, **style: Any) -> dict[str, Any]:
    """A point predicted from the others, hollow, at `at` on the x axis; returns what fits.json gets of it."""
    held = hold_out(line.x, line.y, index=index)
    if isinstance(held, NotEnough):
        return {}
    half = [[held.predicted - max(held.low, 0)], [min(held.high, 100) - held.predicted]]
    look = {"markerfacecolor": "none", "markersize": 4.5, "elinewidth": 0.7, "linestyle": "none", "alpha": 0.75}
    axes.errorbar([at], [held.predicted], yerr=np.maximum(half, 0), **{**style, **look})
    return {"held_out": asdict(held)}
