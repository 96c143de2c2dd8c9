"""One look for all figures: colours fixed per model by order, markers per method by name, sizes for print.

    colours = model_colours(["nano-s", "nano-m"])     # {'nano-s': '#0072B2', 'nano-m': '#D55E00'}
    method_style("rft").marker                        # 's'
    method_styles({"mine": "my method"})["mine"]      # one of a cycle

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), told apart by colour-blind readers; since grey
hides them, models also differ in line style and methods in marker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8A7A00")
LINE_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)), (0, (3, 3)))
MODEL_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DPI = 200


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


def new_figure(*, width: float, height: float, rows: int = 1, columns: int = 1, **kwargs: Any) -> tuple[Figure, Any]:
    """A figure (inches) with a 2-D array of axes, in the common style and without any global state of pyplot."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(RC)
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same figure on every machine
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.markersize": 5.5,
    "lines.linewidth": 1.3,
    "errorbar.capsize": 2.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "rft",  # the same bytes for the same figure
}


def caption(figure: Figure, text: str) -> None:
    """A line under the figure that states n and what the intervals hold."""
    import textwrap

    columns = int(figure.get_size_inches()[0] * 17.5)
    figure.supxlabel(textwrap.fill(text, columns), fontsize=7.5, color="#444444", x=0.01, ha="left")
