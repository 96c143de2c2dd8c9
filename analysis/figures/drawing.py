"""What a figure function returns, and the marks that several figures share.

drawing = accuracy_against_data(points, outcomes)      # Drawing, or NotEnough where there is nothing to draw
drawing.figure.savefig("accuracy_vs_data.png")
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.load.cells import Base
from analysis.load.labels import method_title
from analysis.load.names import base_names
from analysis.load.points import Point, accuracy_interval
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import LineFit, NotEnough, hold_out
from analysis.stats.uncertainty import Estimate, Kind
from analysis.style import (
    MethodStyle,
    font,
    legible,
    matched_style,
    method_styles,
    model_colours,
    model_lines,
    model_markers,
)

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
    note: str = ""  # what of the study it leaves out: behind the caption; in a report said once
    finding: str = ""  # its title: a sentence of the claims and its own fits; '' where these say nothing

    @property
    def words(self) -> str:
        """All that stands under it."""
        return f"{self.caption} {self.note}".strip()

    @property
    def title(self) -> str:
        """The name in words: 'Accuracy against data', 'SFT against data'."""
        if self.name in NAMES:
            return NAMES[self.name]
        words = self.name.replace("_", " ").replace(" vs ", " against ").replace(" fig", " figure ")
        words = " ".join(WORDS.get(word, word) for word in words.split(" "))
        return words[0].upper() + words[1:]


NAMES = {"self_made": "Self-made data against SFT", "emitted_paths": "Distinct paths of draws on test questions"}
WORDS = {
    "sft": "SFT",
    "rft": "RFT",
    "loss": "pretraining loss",
    "distinct": "distinct paths per question",
    "all": "all settings",
    "gain": "gain per doubling of data",
    "votes": "maj@k and pass@k",
}


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


def held_words(estimates: Sequence[Estimate]) -> str:
    """What the intervals of these estimates hold, each kind once; of those that have one. '' where none has."""
    kinds = {estimate.kind for estimate in estimates if math.isfinite(estimate.half_width())}
    return "; ".join(kind.value for kind in Kind if kind in kinds)


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


def log2_axis(axes: Axes, values: Sequence[float], *, label: str, share: float = 1.0) -> None:
    """A log-2 x axis with a tick at every value that occurs, in full with thousands separators (thinned when they crowd).

    `share`: of the axis's length, what the values themselves take.
    """
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xscale("log", base=2)
    shown: list[float] = []
    least = _least_step(axes, values, share=share)
    for value in sorted(set(values), reverse=True):
        if not shown or math.log2(shown[-1] / value) > least:
            shown.append(value)
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(shown, [amount_text(value) for value in shown])
    if len(shown) == 1:  # else what is set apart would fill the panel
        axes.set_xlim(shown[0] / 1.5, shown[0] * 1.5)
    else:
        left, right = axes.get_xlim()
        pad = (max(values) / min(values)) ** 0.05
        axes.set_xlim(min(left, min(values) / pad), max(right, max(values) * pad))
    label_x(axes, label)


def label_x(axes: Axes, text: str) -> None:
    """The label of the x axis, in as many lines as the panel's width asks for."""
    axes.set_xlabel(textwrap.fill(text, int(panel_inches(axes) * 72 / (0.58 * font()))))


def amount_text(value: float) -> str:
    """7473.0 -> '7,473', 0.5 -> '0.5'."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.3g}"


def _least_step(axes: Axes, values: Sequence[float], *, share: float) -> float:
    """Doublings between two ticks whose labels do not run into each other."""
    widest = max(len(amount_text(value)) for value in values) * 0.62 * font() / 72 + 0.05
    return max(0.45, math.log2(max(values) / min(values)) * widest / (0.7 * share * panel_inches(axes)))


def panel_inches(axes: Axes) -> float:
    """Width of the part of the figure that a panel has, its labels included."""
    place, figure = axes.get_subplotspec(), axes.get_figure(root=True)
    assert place is not None
    assert figure is not None
    return float(figure.get_size_inches()[0]) / place.get_gridspec().ncols


def decade_ticks(axis: Any, values: Sequence[float], *, scientific: bool = False) -> None:
    """Of a log axis: ticks at 1, 2 and 5 of every decade, or at powers of ten where these are many; limits around values."""
    from matplotlib.ticker import FixedLocator, NullLocator

    positive = [v for v in values if v > 0]
    if not positive:
        return
    low, high = min(positive) / 1.3, max(positive) * 1.3
    ticks = _steps(low, high, (1, 2, 5))
    ticks = _steps(low, high, (1,)) if len(ticks) > MOST_TICKS else ticks
    if len(ticks) < 2:  # one tick alone shows no scale
        every = _steps(low / 10, high * 10, (1, 2, 5))
        low, high = max(t for t in every if t < low), min(t for t in every if t > high)
        ticks = _steps(low, high, (1, 2, 5))
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_ticks(ticks, [_power_text(t) if scientific else f"{t:,g}" if t < 1e6 else f"{t:g}" for t in ticks])
    limits = axis.axes.set_ylim if axis.axis_name == "y" else axis.axes.set_xlim
    limits(low, high)


MOST_TICKS = 7


def _steps(low: float, high: float, digits: Sequence[int]) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = (float(f"{digit}e{decade}") for decade in decades for digit in digits)
    return [tick for tick in every if low * (1 - 1e-12) <= tick <= high * (1 + 1e-12)]


def _power_text(tick: float) -> str:
    """2e+10 as 2 x 10^10 in print, 1e+10 as 10^10."""
    digit, exponent = f"{tick:.0e}".split("e")
    return rf"${'' if digit == '1' else digit + chr(92) + 'times '}10^{{{int(exponent)}}}$"


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


CHARACTER, HANDLE = 0.0081, 0.069  # inches a point in a legend: one character, and a handle with the space about it


def legend_outside(figure: Figure, handles: Sequence[Any], labels: Sequence[str], *, columns: int = 4) -> None:
    """One legend for all panels, above them, each label once, read row by row; fewer columns where they would not fit."""
    import matplotlib

    size = float(matplotlib.rcParams["legend.fontsize"])
    seen = list(dict(zip(labels, handles, strict=True)).items())
    for count in range(min(columns, len(seen)), 0, -1):
        rows = [seen[column::count] for column in range(count)]  # matplotlib fills column by column
        width = size * sum(HANDLE + CHARACTER * max(len(name) for name, _ in row) for row in rows)
        if width < figure.get_size_inches()[0]:
            break
    longest = int((figure.get_size_inches()[0] / size - HANDLE) / CHARACTER / count)  # of a name in one line
    flat = [(textwrap.fill(name, longest), handle) for row in rows for name, handle in row]
    figure.legend([h for _, h in flat], [name for name, _ in flat], loc="outside upper center", ncols=count)


@dataclass(frozen=True)
class End:
    """Where a line ends on the right, and what it is called."""

    y: float
    name: str
    colour: str


def label_ends(panel: Axes, ends: Sequence[End]) -> None:
    """Names of lines beside the right edge of the panel at their heights, moved apart where they would overlap."""
    figure = panel.get_figure(root=True)
    assert figure is not None
    size = 0.9 * font()
    step = size * 1.2 / 72 / (0.6 * figure.get_size_inches()[1])  # of the panel's height
    order = sorted(ends, key=lambda end: end.y)
    starts = [_height(panel, end.y) for end in order]
    for end, start, height in zip(order, starts, spread(starts, step=step), strict=True):
        colour = legible(end.colour)
        panel.annotate(
            end.name, (1, start), xytext=(1.03, height), xycoords="axes fraction",
            textcoords="axes fraction", fontsize=size, color=colour, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def _height(panel: Axes, y: float) -> float:
    """A value as a share of the panel's height, whatever the scale of its axis."""
    scaled = panel.yaxis.get_transform().transform(np.array([y, *panel.get_ylim()]))
    return float((scaled[0] - scaled[1]) / (scaled[2] - scaled[1]))


def spread(ascending: Sequence[float], *, step: float) -> list[float]:
    """Places at least `step` apart, in order, as near to the given ones as least squares allows."""
    blocks: list[tuple[list[float], float]] = []  # members' places less their rank's offset, and their mean
    for rank, place in enumerate(ascending):
        blocks.append(([place - rank * step], place - rank * step))
        while len(blocks) > 1 and blocks[-2][1] >= blocks[-1][1]:
            last, before = blocks.pop(), blocks.pop()
            members = before[0] + last[0]
            blocks.append((members, math.fsum(members) / len(members)))
    flat = [mean for members, mean in blocks for _ in members]
    return [mean + rank * step for rank, mean in enumerate(flat)]


MOST_LABELS = 8  # lines of one panel that are named at their ends; more go into a legend


def grid_shape(count: int, *, page: Page = SCREEN) -> tuple[int, int]:
    """(rows, columns) for small multiples."""
    columns = page.columns_for(count)
    return math.ceil(count / columns), columns


def label_rows(axes: Any, text: str) -> None:
    """The label of the y axis beside the first panel of every row."""
    for panel in axes.flat:
        place = panel.get_subplotspec()
        if place is not None and place.is_first_col():
            panel.set_ylabel(text)


def shared_words(count: int, what: str) -> str:
    """For the caption of small multiples, after a sentence: which scale their panels share."""
    which = "Both" if count == 2 else f"All {count}"
    return f" {which} panels share the scale of {what}." if count > 1 else ""


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
