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

from analysis.load.cells import Base
from analysis.load.labels import method_title
from analysis.load.names import base_names, short_number
from analysis.load.points import Point, accuracy_interval
from analysis.stats.linear import LineFit, NotEnough, hold_out
from analysis.stats.uncertainty import Kind
from analysis.style import MethodStyle, matched_style, method_styles, model_colours, model_lines, model_markers

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
        """The name in words: 'Accuracy against data', 'SFT against data'."""
        words = self.name.replace("_", " ").replace(" vs ", " against ").replace(" fig", " figure ")
        words = words.replace("sft", "SFT")
        return words[0].upper() + words[1:]


def kinds_caption(points: Sequence[Point]) -> str:
    """What the intervals of these points hold, in one sentence."""
    kinds = {point.estimate.kind for point in points}
    texts = {
        Kind.ITEMS: "item noise only (one replicate of one drawn base: no seed-to-seed variation)",
        Kind.REPLICATES: "replicates and test problems of these bases (t; new bases not estimable: one draw)",
        Kind.DRAWS: "new bases of this kind: draws, replicates and test problems (t)",
        Kind.BASES: "bases (t), a base's own draw inside",
        Kind.PUBLISHED: "binomial error of one published run",
    }
    parts = [texts[kind] for kind in Kind if kind in kinds]
    items = sorted({point.estimate.num_items for point in points if point.estimate.num_items})
    sizes = " to ".join(f"{n:,}" for n in ([items[0], items[-1]] if len(items) > 1 else items))
    return f"Bars: 95 % intervals, {'; '.join(parts)}. n = {sizes} test problems." if parts else ""


def draw_points(axes: Axes, x: Sequence[float], points: Sequence[Point], **style: Any) -> Any:
    """Markers with 95 % bars (see accuracy_interval), the bars lighter than the markers."""
    y = np.array([p.estimate.value for p in points])
    ends = np.array([accuracy_interval(p.estimate) for p in points]).reshape(-1, 2).T
    bars = np.nan_to_num(np.maximum([y - ends[0], ends[1] - y], 0))
    drawn = axes.errorbar(x, y, yerr=bars, elinewidth=0.9, markeredgewidth=0.9, **style)
    for part in (*drawn.lines[1], *drawn.lines[2]):
        part.set_alpha(BAR_ALPHA)
    return drawn


BAR_ALPHA = 0.65


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
    if len(shown) == 1:  # else what is set apart would fill the panel
        axes.set_xlim(shown[0] / 1.5, shown[0] * 1.5)
    else:
        left, right = axes.get_xlim()
        pad = (max(values) / min(values)) ** 0.05
        axes.set_xlim(min(left, min(values) / pad), max(right, max(values) * pad))
    axes.set_xlabel(label)


Bar = tuple[float, float, float]  # place on the x axis, lower and upper end of the interval


def bars_of(x: Sequence[float], points: Sequence[Point]) -> list[Bar]:
    """The bars that `draw_points` draws; of no height where the error is unknown."""
    ends = [(accuracy_interval(p.estimate), p.estimate.value) for p in points]
    return [(xi, *(end if math.isfinite(end[0]) else (value, value))) for xi, (end, value) in zip(x, ends, strict=True)]


def set_apart(series: Sequence[Sequence[Bar]], *, step: float, pad: float = 0.0) -> list[list[float]]:
    """Places of every series' bars: their own x, but side by side about it where bars of one x overlap.

    `step` in the unit of x: its logarithm for a log axis. `pad`: half a marker, in the unit of y, which a short bar hides in.
    """
    places = [[bar[0] for bar in bars] for bars in series]
    everyone = [(i, j, (x, a - pad, b + pad)) for i, bars in enumerate(series) for j, (x, a, b) in enumerate(bars)]
    for x in {bar[0] for _, _, bar in everyone}:
        here = sorted((entry for entry in everyone if entry[2][0] == x), key=lambda entry: entry[2][1])
        for group in _overlapping(here):
            for place, (i, j, _) in enumerate(sorted(group)):
                places[i][j] = x + step * (place - (len(group) - 1) / 2)
    return places


def _overlapping(ascending: Sequence[tuple[int, int, Bar]]) -> list[list[tuple[int, int, Bar]]]:
    groups: list[list[tuple[int, int, Bar]]] = []
    reach = -math.inf
    for entry in ascending:
        if entry[2][1] <= reach:
            groups[-1].append(entry)
        else:
            groups.append([entry])
        reach = max(reach, entry[2][2])
    return groups


def apart_words(what: str) -> str:
    """For the caption, after a sentence."""
    return f" Points and bars of one {what} that would cover one another stand side by side around it."


@dataclass(frozen=True)
class Looks:
    """Names of the bases that a figure shows, with colours, markers and lines that are the same in all figures of a study."""

    names: dict[Base, str]  # of the shown bases, in order
    colours: dict[str, str]
    markers: dict[str, str]
    lines: dict[str, Any]
    methods: dict[tuple[str, bool], MethodStyle]  # by lineage of a cell


def base_looks(shown: Sequence[Point], *, among: Sequence[Point]) -> Looks:
    """`among`: all points of the study, which decide what namesakes are called and which colour is whose."""
    known = base_names(p.cell for p in (*among, *shown))
    here = {p.cell.base for p in shown}
    every = list(known.values())
    names = {base: name for base, name in known.items() if base in here}
    return Looks(names, model_colours(every), model_markers(every), model_lines(every), method_looks((*among, *shown)))


def method_looks(points: Sequence[Point]) -> dict[tuple[str, bool], MethodStyle]:
    """The style of every method among some points by lineage: of a method, and of the control that is one of it alone."""
    cells = {point.cell.lineage: point.cell for point in points}
    titles = {method: method for method, _ in cells}
    titles |= {method: method_title(cell) for (method, is_control), cell in cells.items() if not is_control}
    styles = method_styles(titles)
    return {
        (method, control): matched_style(styles[method], title=method_title(cell)) if control else styles[method]
        for (method, control), cell in cells.items()
    }


CHARACTER, HANDLE = 0.065, 0.55  # inches in a legend: one character at its size, and a handle with the space about it


def legend_outside(figure: Figure, handles: Sequence[Any], labels: Sequence[str], *, columns: int = 4) -> None:
    """One legend for all panels, above them, each label once, read row by row; fewer columns where they would not fit."""
    seen = list(dict(zip(labels, handles, strict=True)).items())
    for count in range(min(columns, len(seen)), 0, -1):
        rows = [seen[column::count] for column in range(count)]  # matplotlib fills column by column
        width = sum(HANDLE + CHARACTER * max(len(name) for name, _ in row) for row in rows)
        if width < figure.get_size_inches()[0]:
            break
    flat = [entry for row in rows for entry in row]
    figure.legend([h for _, h in flat], [name for name, _ in flat], loc="outside upper center", ncols=count)


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
