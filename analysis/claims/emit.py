"""Beside the claims: do models trained on more paths emit more distinct paths on test questions? A description, no verdict.

Per problem, distinct@k is the expected number of distinct equation lists among k of its test draws, exactly
(analysis.load.votes), at the k that every compared cell drew; then as for accuracies: replicates paired, problems crossed
with replicates. RFT stands against SFT at its optimiser steps, as more steps alone narrow what is emitted.

    emitted_lines([(rft, matched)], points)     # ['emitted on test questions, nano-s: +0.120 distinct paths (95 % ...']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.load.names import base_names
from analysis.load.outcomes import PathDraws, read_path_draws
from analysis.load.pairs import by_unit, independent_units, paired_replicates, seeds_by_unit
from analysis.load.points import Point
from analysis.load.voted import cast_in, commonest_way
from analysis.load.votes import distinct
from analysis.stats.uncertainty import Estimate, both_intervals, nested_mean

Pair = tuple[Point, Point]  # RFT, and SFT at its optimiser steps
Found = dict[Path | None, dict[str, PathDraws] | None]


def emitted_lines(pairs: Sequence[Pair], points: Sequence[Point]) -> list[str]:
    """One line for each pair whose cells hold test draws with their paths (`eval.vote_k`); `points` name the bases."""
    way = commonest_way(point for pair in pairs for point in pair)
    pairs = [(_cast_in(first, way), _cast_in(second, way)) for first, second in pairs]
    found: Found = {c.folder: read_path_draws(c) for pair in pairs for p in pair for c in p.cells}
    names, lines = base_names(point.cell for point in points), []
    for pair in _usable(pairs, found):
        one = emitted_difference([pair], found)
        if one is not None:
            lines.append(
                f"emitted on test questions, {names[pair[0].cell.base]}: {one.value:+.3f} distinct paths "
                f"(95 %: {both_intervals(one, digits=3)}), RFT - SFT matched in steps; no claim of the paper"
            )
    return lines


def _cast_in(point: Point, way: str | None) -> Point:
    return replace(point, cells=tuple(cast_in(point, way)))


def _usable(pairs: Sequence[Pair], found: Found) -> list[Pair]:
    return [
        pair
        for pair in pairs
        if all(p.cells for p in pair) and all(found[c.folder] is not None for p in pair for c in p.cells)
    ]


def _mean_distinct(group: Sequence[dict[str, PathDraws]], ids: Sequence[str], *, k: int) -> np.ndarray:
    """distinct@k of every problem, mean over the cells of one replicate."""
    return np.mean([[distinct(part[i], [k])[0] for i in ids] for part in group], axis=0)


def emitted_difference(pairs: Sequence[Pair], found: Found) -> Estimate | None:
    """Mean over pairs, one a base, of distinct@k, first minus second; None when one shares no replicate or problem."""
    rows = [paired_replicates(pair) for pair in pairs]
    if not all(rows):
        return None
    draws = [[[[found[cell.folder] or {} for cell in group] for group in row] for row in mine] for mine in rows]
    everyone = [part for mine in draws for row in mine for group in row for part in group]
    ids = [i for i in everyone[0] if all(i in part for part in everyone)]
    if not ids:
        return None
    k = min(part[i].num_draws for part in everyone for i in ids)
    bases = []
    units = [independent_units(mine) for mine in rows]
    for mine, own in zip(draws, units, strict=True):
        means = np.array([[_mean_distinct(group, ids, k=k) for group in row] for row in mine])
        bases.append(by_unit(means[:, 0] - means[:, 1], own))
    return nested_mean(bases, seeds=[seeds_by_unit(own) for own in units])
