"""What a figure shows and its lines leave out, in words for its caption.

left_out_words(fits, points, looks.names)       # ' Outside 2 to 98 % and so in no line: 1 point (nano-xs, ICL).'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.compare.fits import AT_ENDS, NO_PLACE
from analysis.load.cells import Base
from analysis.load.labels import setting_label
from analysis.load.names import counted
from analysis.load.points import Point

IN_NO_LINE = {
    AT_ENDS: f"{AT_ENDS.capitalize()} and so in no line",
    NO_PLACE: "Without a place on the axis, on the cells that a line is of, and so in no line",
    "": "In no line, as the others of a series have more draws or replicates in common without them",
}


def left_out_words(fits: Sequence[Mapping[str, Any]], points: Sequence[Point], names: Mapping[Base, str]) -> str:
    """Which of some points are in no line, each for its own reason, and what not all points of a series have.

    ' Outside 2 to 98 % and so in no line: 1 point (nano-xs, ICL).'
    """
    labels = {c.cell_id: f"{names[c.base]}, {setting_label(p.cell)}" for p in points for c in p.cells}
    found: dict[str, list[str]] = {words: [] for words in IN_NO_LINE.values()}
    for text in dict.fromkeys(text for fit in fits for text in fit.get("left_out", ())):
        words = next(words for why, words in IN_NO_LINE.items() if text.endswith(why))
        found[words].append(labels[text.partition(": ")[0]])
    told = (f" {words}: {counted(len(mine), 'point')} ({some(mine)})." for words, mine in found.items() if mine)
    return "".join(told) + unshared_words(fits)


def unshared_words(fits: Sequence[Mapping[str, Any]]) -> str:
    """Draws and replicates that points show and their lines leave out, each number with its series; '' where there are none.

    3 draws (nano-s, RFT; nano-m, RFT), 1 replicate (nano-l, RFT)
    """
    series: dict[str, list[str]] = {}
    for fit in (fit for fit in fits if "b" in fit):
        for unit in ("draw", "replicate"):
            if count := fit.get(f"{unit}s_left_out"):
                words = counted(count, unit)
                series.setdefault(words, []).append(str(fit["series"]).partition(" against ")[0])
    told = [f"{words} ({some(names)})" for words, names in series.items()]
    return f" In no line, as not all points of the series have them: {', '.join(told)}." if told else ""


MOST_SERIES = 3  # or points, that a caption names; fits.json has all


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MOST_SERIES} more" if len(names) > MOST_SERIES else ""
    return "; ".join(names[:MOST_SERIES]) + more
