"""How many correct and how many distinct paths questions have (paper figure 7), from the records.

path_histograms(points)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.figures.drawing import Drawing
from analysis.figures.findings import histograms
from analysis.figures.paths import drawn_of, ladder_points
from analysis.figures.registry import draws
from analysis.load.cells import Base
from analysis.load.labels import method_title, studied_methods
from analysis.load.names import base_names
from analysis.load.points import Point
from analysis.load.query import where
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import NotEnough
from analysis.style import caption, model_colours, new_figure

KINDS = {"correct": "correct samples of a question", "distinct": "distinct kept paths of a question"}
MOST_BARS = 25  # wider histograms are drawn in bins
CHOSEN = " Where a chooser leaves some of the distinct paths out, those before its choice are counted."


@draws("path_histograms", order=140, says=histograms)
def path_histograms(points: Sequence[Point], *, page: Page = SCREEN) -> Drawing | NotEnough:
    """Figure 7: a row per base (and studied method), correct on the left, distinct on the right; means over draws."""
    k, pools = counted_pools(points)
    if not pools:
        return NotEnough("histograms of paths per question", "no RFT cell whose record counts questions by their paths")
    figure, axes = new_figure(
        width=6.6,
        height=1.75 * len(pools) + 0.8,
        rows=len(pools),
        columns=2,
        page=page,
        keep_grid=True,
        sharex="col",
        sharey="col",
    )
    every = base_names(p.cell for p in points)  # of the whole study, so that colours are the same in all figures
    colours = model_colours(list(every.values()))
    entries: list[dict[str, Any]] = []
    longest = {kind: max(len(pool.histograms[kind]) for pool in pools.values()) for kind in KINDS}
    widths = {kind: -(-length // MOST_BARS) for kind, length in longest.items()}  # one for a column: shares compare
    for row, (name, pool) in zip(axes, pools.items(), strict=True):
        colour, histograms = colours[every[pool.base]], pool.histograms
        for panel, (kind, counts) in zip(row, histograms.items(), strict=True):
            shares = pool.shares[kind]
            mean = float(shares @ np.arange(len(shares)))
            _bars(panel, shares, colour=colour, width=widths[kind])
            panel.set_title(f"{name}: mean {mean:.2f}", fontsize="medium")
            entry = {"series": f"{name}, {kind}", "k": k, "questions": int(counts.sum()), "mean": mean}
            entries.append({**entry, "histogram": counts.tolist()})
        row[0].set_ylabel("questions [%]")
    for panel, label in zip(axes[-1], KINDS.values(), strict=True):
        panel.set_xlabel(label)
    asked = sorted({int(p.histograms["correct"].sum()) for p in pools.values()})
    rounds = " in each round" if any(pool.draws != k for pool in pools.values()) else ""
    text = f"Questions by number of paths, k = {k} draws{rounds}, n = {' to '.join(f'{n:,}' for n in asked)} questions "
    text += "(of all replicates; shares averaged over them, then over draws; no intervals). "
    text += "The human path is not counted. Panels of a column share both scales."
    text += CHOSEN if any(pool.chooses for pool in pools.values()) else ""
    text += "".join(f" A bar holds {width} numbers of {kind} ones." for kind, width in widths.items() if width > 1)
    caption(figure, text)
    return Drawing("path_histograms", figure, entries, text)


@dataclass(frozen=True)
class Pool:
    """What one base's draws gave."""

    base: Base
    draws: int  # of a question, over all rounds
    histograms: Mapping[str, np.ndarray]  # kind -> questions by number of paths, replicates added up
    shares: Mapping[
        str, np.ndarray
    ]  # kind -> shares of questions, averaged as everything else: over replicates, then draws
    chooses: bool  # whether the cells train on some of these paths alone


def counted_pools(points: Sequence[Point]) -> tuple[int, dict[str, Pool]]:
    """(k, {name: pool}) at the k that most bases share, the largest such; of RFT's draws where there are any."""
    methods = studied_methods(points)
    counted = [p for method in methods for p in ladder_points(points, method=method) if _has_counts(p)]
    if not counted:
        return 0, {}
    bases_at = Counter(p.cell.k or 0 for p in where(counted, method=counted[0].method))
    k = max(bases_at, key=lambda k: (bases_at[k], k))
    names = base_names(p.cell for p in points)
    order = sorted(where(counted, k=k), key=lambda p: list(names).index(p.cell.base))
    return k, {
        _pool_name(p, names): Pool(
            p.cell.base,
            round(drawn_of(p) or k),
            {kind: _added([c.histograms[kind] for c in p.cells]) for kind in KINDS},
            {kind: _shares(p, kind) for kind in KINDS},
            p.cell.setting.get("select.choose", "policy") != "policy",
        )
        for p in order
    }


def _has_counts(point: Point) -> bool:
    return all(any(cell.histograms.get(kind, ())) for cell in point.cells for kind in KINDS)


def _pool_name(point: Point, names: Mapping[Base, str]) -> str:
    base = names[point.cell.base]
    return base if point.method == "rft" else f"{base}, {method_title(point.cell)}"


def _added(histograms: Sequence[Sequence[float] | np.ndarray]) -> np.ndarray:
    total = np.zeros(max(map(len, histograms)))
    for counts in histograms:
        total[: len(counts)] += counts
    return total


def _shares(point: Point, kind: str) -> np.ndarray:
    draws = [[np.array(c.histograms[kind]) / sum(c.histograms[kind]) for c in cells] for cells in point.draws]
    return _added([_added(cells) / len(cells) for cells in draws]) / len(draws)


def _bars(panel: Any, shares: np.ndarray, *, colour: str, width: int) -> None:
    """A bar for each `width` values."""
    from matplotlib.ticker import MaxNLocator

    padded = np.pad(shares, (0, -len(shares) % width)).reshape(-1, width).sum(axis=1)
    places = np.arange(len(padded)) * width + (width - 1) / 2
    panel.bar(places, 100 * padded, color=colour, width=0.85 * width)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.tick_params(labelbottom=True)
