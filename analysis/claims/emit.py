"""Claim (6c): do models trained on more paths emit more distinct paths on test questions?

Per problem, distinct@k is the expected number of distinct equation lists among k of its test draws, exactly
(analysis.stats.votes), at the k that every compared cell drew; then as for accuracies: replicates paired, problems crossed
with replicates.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.claims.rulings import ClaimResult, ClaimTest, StudyView, directional
from analysis.load.names import base_names
from analysis.load.outcomes import PathDraws, read_path_draws
from analysis.load.pairs import by_unit, independent_units, paired_replicates
from analysis.load.points import Point
from analysis.stats.uncertainty import Estimate, both_intervals, nested_mean
from analysis.stats.votes import distinct

EMIT = ClaimTest(
    "6c",
    "models trained on more paths emit more distinct paths on test questions",
    "mean over bases of distinct@k of the test draws (exact, all draws), RFT - SFT, own pool, full data, above 0; k as in 4",
    margin=None,
    primary=False,
    unit="distinct paths per question",
)

Pair = tuple[Point, Point]  # RFT and what it is compared with
Found = dict[Path | None, dict[str, PathDraws] | None]


def claim_emit(view: StudyView, *, pairs: Sequence[Pair], matched: Sequence[Pair]) -> ClaimResult:
    """`pairs`: per base RFT and SFT; `matched`: RFT and SFT at its optimiser steps, for the details alone."""
    found: Found = {c.folder: read_path_draws(c) for pair in (*pairs, *matched) for p in pair for c in p.cells}
    usable = _usable(pairs, found)
    if not usable:
        return EMIT.not_testable("no RFT cell and its SFT cell both hold test draws with their paths (eval.vote_k)")
    estimate = emitted_difference(usable, found)
    names = base_names(point.cell for point in view.points)
    details = []
    for label, group in (("RFT - SFT", usable), ("RFT - SFT matched in steps", _usable(matched, found))):
        for pair in group:
            one = emitted_difference([pair], found)
            if one is not None:
                numbers = f"{one.value:+.3f} (95 %: {both_intervals(one, digits=3)})"
                details.append(f"{label}, {names[pair[0].cell.base]}: {numbers}")
    return directional(EMIT, estimate, view=view, what=f"mean of {len(usable)} bases", details=details)


def _usable(pairs: Sequence[Pair], found: Found) -> list[Pair]:
    return [pair for pair in pairs if all(found[c.folder] is not None for p in pair for c in p.cells)]


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
    for mine, places in zip(draws, map(independent_units, rows), strict=True):
        means = np.array([[_mean_distinct(group, ids, k=k) for group in row] for row in mine])
        bases.append(by_unit(means[:, 0] - means[:, 1], places))
    return nested_mean(bases)
