"""One look for all figures: colours fixed per model by order, markers per method by name, sizes for print.

    colours = model_colours(["nano-s", "nano-m"])     # {'nano-s': '#0072B2', 'nano-m': '#D55E00'}
    method_style("rft").marker                        # 's'
    method_styles({"mine": "my method"})["mine"]      # one of a cycle

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), told apart by colour-blind readers; since grey
hides them, models also differ in line style and methods in marker.
"""

from __future__ import annotations

import hashlib
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.sizes import SCREEN, Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8A7A00")
LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)), (0, (3, 3)))
MODEL_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DPI = SCREEN.dpi


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn."""

    label: str
    marker: Any  # as matplotlib takes it
    colour: str  # where methods and not models are told apart by colour


METHODS = {
    "icl": MethodStyle("ICL", "X", "#000000"),
    "sft": MethodStyle("SFT", "o", "#0072B2"),
    "sft_best": MethodStyle("SFT, best epochs", "h", "#56B4E9"),
    "sft_matched": MethodStyle("SFT, matched steps", "D", "#56B4E9"),
    "rft": MethodStyle("RFT", "s", "#D55E00"),
    "sampled": MethodStyle("SFT, sampled", ".", "#0072B2"),  # SFT's own model: what sampling finds, nothing studied
    "oracle_paths": MethodStyle("oracle paths", "^", "#009E73"),
    "fresh_human": MethodStyle("fresh human", "v", "#CC79A7"),
    "self_query": MethodStyle("self-query", "p", "#8A7A00"),
    "self_revise": MethodStyle("self-revising", "*", "#E69F00"),
}


UNION_STYLES = (
    MethodStyle("RFT, union", "P", "#7B3294"),
    MethodStyle("RFT, union", ">", "#4A148C"),
    MethodStyle("RFT, union", "<", "#A64CA6"),
    MethodStyle("RFT, union", "d", "#2D004B"),
)  # by number of donors


# What methods without a style above take one of: colours (Tol's muted scheme) and markers that nothing else has
FREE_COLOURS = ("#882255", "#44AA99", "#332288", "#999933", "#661100", "#117733", "#6699CC")
FREE_MARKERS = ((4, 1, 0), (6, 1, 0), (3, 1, 0), (4, 1, 45), (3, 1, 180))  # stars with so many points, turned
# Their step-matched controls have their colour, lighter, and this marker, a diamond in a diamond
MATCHED_TINT, MATCHED_MARKER = 0.55, "$\u25c8$"


def method_styles(titles: Mapping[str, str]) -> dict[str, MethodStyle]:
    """A style for each of these methods (name -> title): its fixed one, or one of the cycle.

    Where in the cycle a method begins follows from its name alone, so that it looks the same in every study; of two that
    would share a colour the later by name takes the next free one.
    """
    styles = {name: METHODS[name] for name in titles if name in METHODS}
    taken: set[str] = set()
    for name in sorted(set(titles) - set(METHODS)):
        start = int(hashlib.sha256(name.encode()).hexdigest(), 16) % (len(FREE_COLOURS) * len(FREE_MARKERS))
        places = range(start, start + len(FREE_COLOURS))
        place = next((i for i in places if FREE_COLOURS[i % len(FREE_COLOURS)] not in taken), start)
        colour = FREE_COLOURS[place % len(FREE_COLOURS)]
        taken.add(colour)
        styles[name] = MethodStyle(titles[name], FREE_MARKERS[place % len(FREE_MARKERS)], colour)
    return styles


def matched_style(style: MethodStyle, *, title: str) -> MethodStyle:
    """Of the step-matched control of a method with that style."""
    return MethodStyle(title, MATCHED_MARKER, tint(style.colour, strength=MATCHED_TINT))


def method_style(method: str) -> MethodStyle:
    """The fixed style of a method known here."""
    return METHODS[method]


def model_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour per name, by order; the palette repeats after eight, with other markers and line styles."""
    return {name: OKABE_ITO[i % len(OKABE_ITO)] for i, name in enumerate(names)}


def model_lines(names: Sequence[str]) -> dict[str, Any]:
    """A line style per name, by order."""
    return {name: LINE_STYLES[_shifted(i) % len(LINE_STYLES)] for i, name in enumerate(names)}


def model_markers(names: Sequence[str]) -> dict[str, str]:
    """A marker per name, by order, for figures whose series are models."""
    return {name: MODEL_MARKERS[_shifted(i) % len(MODEL_MARKERS)] for i, name in enumerate(names)}


def _shifted(place: int) -> int:
    return place + 3 * (place // len(OKABE_ITO))  # so that no two names share colour and marker before the 65th


def tint(colour: str, *, strength: float) -> str:
    """The colour mixed with white; strength 1 is the colour itself, 0 white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - strength * (255 - part)):02x}" for part in parts)


def legible(colour: str) -> str:
    """The colour, darkened for text on white where it is pale (relative luminance above a third)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    light = 0.2126 * parts[0] ** 2.2 + 0.7152 * parts[1] ** 2.2 + 0.0722 * parts[2] ** 2.2
    factor = min(1.0, math.sqrt(0.33 / light)) if light else 1.0
    return "#" + "".join(f"{round(255 * part * factor):02x}" for part in parts)


def new_figure(
    *,
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    page: Page = SCREEN,
    keep_grid: bool = False,
    **kwargs: Any,
) -> tuple[Figure, Any]:
    """A figure with a 2-D array of axes, in the common style and without any global state of pyplot.

    `width`, `height`: inches that its panels ask for, which a page with a width of its own scales. There a single row of
    panels is broken into several, unless `keep_grid`; the array still has one row.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(rc(page))
    grid = page.size(width=width, height=height, rows=rows, columns=columns, keep_grid=keep_grid)
    figure = Figure(figsize=(grid.width, grid.height), dpi=page.dpi, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(grid.rows, grid.columns, squeeze=False, **kwargs)
    for spare in panels.flat[rows * columns :]:
        spare.remove()
    return figure, panels.flat[: rows * columns].reshape(rows, columns)


def rc(page: Page) -> dict[str, Any]:
    """The settings of matplotlib on a page: sizes of type are relative to its font."""
    scale = page.font / SCREEN.font
    return {
        "font.family": "DejaVu Sans",  # ships with matplotlib: the same figure on every machine
        "font.size": page.font,
        "axes.titlesize": page.font + 1,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "legend.frameon": False,
        "legend.fontsize": page.font - 0.5,
        "lines.markersize": 5.5 * scale,
        "lines.linewidth": 1.3 * scale,
        "errorbar.capsize": 2.5 * scale,
        "svg.fonttype": "path",
        "svg.hashsalt": "rft",  # the same bytes for the same figure
        "pdf.fonttype": 42,  # TrueType: what publishers ask for
    }


NOTE_SIZE, HEAD_SIZE = 0.88, 1.18  # of the caption and of the title, in the page's font
LINE, PAD = 1.25, 0.06  # of a line of text, in its size; inches about a block of text
WITHIN = 0.3  # share of a figure's height that legend and caption may take of the panels; more makes it higher
HEADLINE = "headline"  # gid of the texts above a figure


def caption(figure: Figure, text: str) -> None:
    """Lines under the figure that state n and what the intervals hold."""
    size = NOTE_SIZE * font()
    columns = int(131 * figure.get_size_inches()[0] / size)
    figure.supxlabel(textwrap.fill(unbroken(text), columns), fontsize=size, color="#444444", x=0.01, ha="left")


def unbroken(text: str) -> str:
    """With spaces that no line ends at between a number and its sign: 'n = 12', '95 %'."""
    return re.sub(r"(?<=\d) (?=%)", "\u00a0", re.sub(r"\bn = (?=\d)", "n\u00a0=\u00a0", text))


def headline(figure: Figure, finding: str, *, name: str, page: Page = SCREEN) -> None:
    """What a figure found above it, its neutral name below that, then its legend; the figure grows by them.

    With no finding the name alone is the title. On a page of a fixed height the panels shrink instead.
    """
    head = HEAD_SIZE * page.font
    width, height = figure.get_size_inches()
    title = textwrap.wrap(unbroken(finding or name), int(112 * width / head))
    lines = [(line, head, "bold", "#111111") for line in title]
    lines += [(name, page.font, "normal", "#555555")] if finding else []
    needed = PAD + sum(size * LINE / 72 for _, size, _, _ in lines) + PAD / 2
    if page.caption_lines is not None:
        _shorten_caption(figure, page.caption_lines)
    below = _legend_height(figure)
    notes = len(figure.get_supxlabel().splitlines()) * NOTE_SIZE * page.font * LINE / 72
    if page.height is None:
        height += needed + max(0.0, below + notes - (WITHIN * height if page.width is None else 0.0))
        figure.set_size_inches(width, height)
    y = height - PAD
    for line, size, weight, colour in lines:
        figure.text(
            0.01, y / height, line, fontsize=size, fontweight=weight, color=colour, va="top", gid=HEADLINE
        ).set_in_layout(False)
        y -= size * LINE / 72
    for legend in figure.legends:
        legend.set_loc("upper center")
        legend.set_bbox_to_anchor((0.5, 1 - needed / height), transform=figure.transFigure)
    engine = figure.get_layout_engine()
    assert engine is not None, "figures are laid out when they are saved"
    engine.set(rect=(0, 0, 1, 1 - (needed + below) / height))  # type: ignore[call-arg]


def _shorten_caption(figure: Figure, most: int) -> None:
    lines = figure.get_supxlabel().splitlines()
    if len(lines) > most:
        last = lines[most - 1].rsplit(" ", 4)[0]
        caption(figure, " ".join([*lines[: most - 1], f"{last} … (all: fits.json)"]))


def _legend_height(figure: Figure) -> float:
    """Inches of what stands above the panels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    heights = [legend.get_window_extent(canvas.get_renderer()).height / figure.dpi for legend in figure.legends]
    return max(heights, default=0.0) + (PAD if heights else 0.0)


def font() -> float:
    """Size of text in points, as the style in force has it."""
    import matplotlib

    return float(matplotlib.rcParams["font.size"])
