"""Which model found which paths (paper figure 6), from kept paths.

path_overlap(points)          # Venn for up to three models, bars of the intersections beyond
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from analysis.figures.drawing import Drawing
from analysis.figures.findings import overlap
from analysis.figures.paths import ladder_points
from analysis.figures.registry import draws
from analysis.load.cells import Cell
from analysis.load.names import base_names
from analysis.load.pairs import same_seeds
from analysis.load.points import Point
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import NotEnough
from analysis.style import caption, model_colours, new_figure
from rft.archive.files import present, rows_at
from rft.records import PATHS_FILE

Keys = set[tuple[str, str]]
MOST_BARS = 20


def read_keys(cell: Cell) -> Keys | None:
    """(problem id, equation key) of the kept paths; None when the cell's folder has no path file."""
    if cell.folder is None:
        return None
    path = cell.folder / cell.files.get("paths", PATHS_FILE)
    return {(row["id"], row["key"]) for row in rows_at(path)} if present(path) else None


def own_pools(points: Sequence[Point]) -> tuple[int, dict[str, tuple[Cell, Keys]]]:
    """(k, {base: (cell, keys)}) at the k that most bases share, the largest such; their first shared replicate."""
    ladder = [p for p in ladder_points(points, method="rft") if p.cell.folder is not None]
    by_k: dict[int, list[Point]] = {}
    for point in ladder:
        by_k.setdefault(point.cell.k or 0, []).append(point)
    if not by_k:
        return 0, {}
    k = max(by_k, key=lambda k: (len(by_k[k]), k))
    names = base_names(p.cell for p in points)
    pools = {}
    for cell in same_seeds(by_k[k]):
        keys = read_keys(cell)
        if keys is not None:
            pools[names[cell.base]] = (cell, keys)
    return k, {name: pools[name] for name in names.values() if name in pools}


def regions(sets: Mapping[str, Keys]) -> Counter[tuple[str, ...]]:
    """How many paths were found by exactly these models, the most first (a set's own order differs from run to run)."""
    found: Counter[tuple[str, ...]] = Counter()
    for key in set().union(*sets.values()):
        found[tuple(name for name, keys in sets.items() if key in keys)] += 1
    return Counter(dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))))


@draws("path_overlap", order=130, says=overlap)
def path_overlap(points: Sequence[Point], *, page: Page = SCREEN) -> Drawing | NotEnough:
    """Figure 6. The published cells were never printed, so there is none for the published study."""
    k, pools = own_pools(points)
    if len(pools) < 2:
        return NotEnough("the overlap of paths", "it needs kept paths of two bases on the same questions and k")
    sets = {name: keys for name, (_, keys) in pools.items()}
    counts = regions(sets)
    if not counts:
        return NotEnough("the overlap of paths", "no path was kept")
    total = sum(counts.values())
    colours = model_colours(list(base_names(p.cell for p in points).values()))
    figure = _venn(sets, counts, colours, page) if len(sets) <= 3 else _bars(sets, counts, colours, page)
    text = f"{_paths(total, 'distinct ')} kept from k = {k} draws per question and model, one replicate (no interval); "
    text += "shares of the union."
    if len(sets) > 3 and len(counts) > MOST_BARS:
        text += f" The {MOST_BARS} largest of {len(counts)} intersections."
    caption(figure, text)
    entry = {"series": "path overlap", "k": k, "total": total, "regions": {" & ".join(n): c for n, c in counts.items()}}
    return Drawing("path_overlap", figure, [entry], text)


def _venn(sets: Mapping[str, Keys], counts: Counter[tuple[str, ...]], colours: Mapping[str, str], page: Page) -> Any:
    """Equal circles (areas carry no meaning; the numbers do)."""
    from matplotlib.patches import Circle

    two = len(sets) == 2
    figure, axes = new_figure(width=4.6, height=3.2 if two else 4.2, page=page)
    panel = axes[0][0]
    panel.set_axis_off()
    names = list(sets)
    centres: list[tuple[float, float]] = {
        2: [(-0.55, 0.0), (0.55, 0.0)],
        3: [(-0.55, 0.35), (0.55, 0.35), (0.0, -0.6)],
    }[len(names)]
    for name, (x, y) in zip(names, centres, strict=True):
        panel.add_patch(Circle((x, y), 1, facecolor=colours[name], alpha=0.25, edgecolor=colours[name], linewidth=1.5))
        outward = (1.32 * x * 1.5, 1.42 if y > 0 else 1.08 if y == 0 else -2.12)
        panel.text(
            *outward,
            f"{name}\n{_paths(len(sets[name]))}",
            ha="center",
            va="bottom",
            color="#222222",
        )
    total = sum(counts.values())
    where = dict(zip(names, centres, strict=True))
    for size in range(1, len(names) + 1):
        for members in combinations(names, size):
            x, y = _region_centre([where[n] for n in members], [where[n] for n in names if n not in members])
            panel.text(x, y, f"{counts[members]:,}\n{100 * counts[members] / total:.1f} %", ha="center", va="center")
    panel.set_xlim(-1.9, 1.9)
    panel.set_ylim(-1.05 if two else -2.2, 1.6 if two else 1.95)
    panel.set_aspect("equal")
    return figure


def _paths(number: int, kind: str = "") -> str:
    return f"{number:,} {kind}path{'' if number == 1 else 's'}"


def _region_centre(inside: list[tuple[float, float]], outside: list[tuple[float, float]]) -> tuple[float, float]:
    """Middle of the circles that hold a region, pushed away from those that do not."""
    x, y = (sum(c[i] for c in inside) / len(inside) for i in (0, 1))
    for ox, oy in outside:
        x, y = x + (x - ox) * 0.28, y + (y - oy) * 0.28
    return x, y


def _bars(sets: Mapping[str, Keys], counts: Counter[tuple[str, ...]], colours: Mapping[str, str], page: Page) -> Any:
    """UpSet-style: a bar per intersection, the models in it as dots below (Lex et al. 2014)."""
    names = list(sets)
    shown = counts.most_common(MOST_BARS)
    figure, axes = new_figure(
        width=1.6 + 0.36 * len(shown), height=2.6 + 0.24 * len(names), rows=2, page=page, sharex=True,
        height_ratios=[2.4, 0.28 * len(names)],
    )  # fmt: skip
    bars, dots = axes[0][0], axes[1][0]
    total = sum(counts.values())
    bars.bar(range(len(shown)), [100 * c / total for _, c in shown], color="#555555", width=0.65)
    for i, (_, count) in enumerate(shown):
        bars.text(i, 100 * count / total, f"{100 * count / total:.1f}", ha="center", va="bottom", fontsize="x-small")
    bars.set_ylabel("share of all paths [%]")
    bars.grid(visible=False, axis="x")
    for i, (members, _) in enumerate(shown):
        rows = [names.index(n) for n in members]
        dots.plot([i] * len(names), range(len(names)), "o", color="#dddddd", markersize=4)
        dots.plot([i, i], [min(rows), max(rows)], color="#555555", linewidth=1)
        for row in rows:
            dots.plot(i, row, "o", color=colours[names[row]], markersize=5)
    dots.set_yticks(range(len(names)), [f"{n} ({len(sets[n]):,})" for n in names])
    dots.set_xticks([])
    dots.set_ylim(len(names) - 0.5, -0.5)
    dots.grid(visible=False)
    return figure
