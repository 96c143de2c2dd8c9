"""Claims about other sources of data: (7) unions of models, (8) self-query and self-revising.

As in analysis.claims.scaling: one function per claim, the primary contrast first, the commitments in ClaimTest constants.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.claims.rulings import (
    ALPHA,
    ClaimResult,
    ClaimTest,
    Ruling,
    StudyView,
    averaged,
    directional,
    gain_line,
    mean_over_bases,
    mean_words,
    standing_of,
)
from analysis.claims.scaling import full_points
from analysis.compare.comparisons import MARGIN, Standing, lacking
from analysis.compare.controls import other_runs
from analysis.load.cells import Base
from analysis.load.coverage import best_covered
from analysis.load.labels import method_label
from analysis.load.ladders import own_ladders
from analysis.load.names import base_names
from analysis.load.points import Point, contrast
from analysis.load.query import ALL_DATA, same_but, where
from analysis.stats.linear import NotEnough
from analysis.stats.uncertainty import Estimate, both_intervals

UNION = ClaimTest(
    "7a",
    "a union of models beats a single model with as many draws",
    "mean over bases of RFT from D donors x k draws - RFT from the own pool with D k draws, full data",
    margin=MARGIN,
    primary=True,
)
DONORS = ClaimTest(
    "7b",
    "strong models need stronger or more diverse donors",
    "slope over bases on loss of (RFT from the most donors - RFT from fewer), below 0",
    margin=None,
    primary=False,
    unit="points per nat",
)
SELF_QUERY = ClaimTest(
    "8a",
    "self-query does not help",
    "mean over bases of self-query - SFT; upper end of the 90 % interval below the margin",
    margin=MARGIN,
    primary=True,
)
SELF_REVISE = ClaimTest(
    "8b",
    "self-revising does not help",
    "mean over bases of self-revising - SFT; upper end of the 90 % interval below the margin",
    margin=MARGIN,
    primary=False,
)
SELF = {"self_query": SELF_QUERY, "self_revise": SELF_REVISE}


def claim_unions(view: StudyView) -> list[ClaimResult]:
    """(7)"""
    everyone = [p for p in full_points(view.points, method="rft") if p.cell.union]
    unions = where(everyone, plainly_selected=True)
    own = {(b, p.cell.k): p for b, ladder in own_ladders(view.points).items() for p in ladder}
    pairs = [
        ((u, o), (1.0, -1.0)) for u in unions if (o := own.get((u.cell.base, (u.cell.k or 0) * len(u.cell.union))))
    ]
    pairing, apart = averaged(pairs, view.points)
    if pairing:
        estimate = mean_over_bases(pairing, view.outcomes)
        details = [*apart, *_at_equal_paths(where(everyone, thinned=True), own, view)]
        what, tops = mean_words(len(pairing), thing="pair"), [points[0] for points, _ in pairing]
        first = directional(UNION, estimate, view=view, what=what, details=details, tops=tops)
    else:
        first = UNION.not_testable(
            "; ".join(
                ["no union beside a single model's pool with as many draws" + _unequal(unions, own, view), *apart]
            )
        )
    return [first, _donors(unions, view)]


def _at_equal_paths(thinned: Sequence[Point], own: dict[tuple[Base, int | None], Point], view: StudyView) -> list[str]:
    """Exploratory: unions cut to as many paths as the own pool with as many draws keeps."""
    lines, names = [], base_names(point.cell for point in view.points)
    for union in thinned:
        single = own.get((union.cell.base, (union.cell.k or 0) * len(union.cell.union)))
        estimate = contrast((union, single), (1.0, -1.0), view.outcomes) if single else None
        if estimate is not None and math.isfinite(estimate.se):
            numbers = f"{estimate.value:+.2f} (95 %: {both_intervals(estimate)})"
            lines.append(f"at equal paths, {names[union.cell.base]}, {method_label(union.cell)}: {numbers}")
    return lines


def _unequal(unions: Sequence[Point], own: dict[tuple[Base, int | None], Point], view: StudyView) -> str:
    """What an unequal comparison would say, as description."""
    pairs = [(u, o) for u in unions if (o := own.get((u.cell.base, u.cell.k))) is not None]
    found = [contrast(pair, (1.0, -1.0), view.outcomes) for pair in pairs]
    gaps = [estimate.value for estimate in found if estimate is not None]
    if not gaps:
        return ""
    return f" (with D times the draws, unions are {np.mean(gaps):+.1f} points from the own pool, mean of {len(gaps)})"


def _donors(unions: Sequence[Point], view: StudyView) -> ClaimResult:
    k, most, fewer = _donor_pairs(unions)
    if not most:
        return DONORS.not_testable("fewer than two unions of different size, at one k, for one base")
    groups = [((more, less), (1.0, -1.0)) for more, less in zip(most, fewer, strict=True)]
    found = gain_line(groups, view.outcomes, what="gain of donors against loss")
    if isinstance(found, NotEnough):
        return DONORS.not_testable(found)
    line, slope = found
    return directional(DONORS, slope, view=view, sign=-1, what=f"slope over {line.n} bases at k={k} each")


def _donor_pairs(unions: Sequence[Point]) -> tuple[int, list[Point], list[Point]]:
    """(k, unions of more donors, unions of fewer of the same bases) at the k and numbers that most draws of bases share, of
    equals the largest k, then the most donors, then the fewest.
    """
    found: dict[tuple[int, int, int], list[tuple[Point, Point]]] = {}
    for more, less in itertools.permutations([p for p in unions if p.loss is not None], 2):
        sizes = len(more.cell.union), -len(less.cell.union)
        if more.cell.base == less.cell.base and more.cell.k == less.cell.k and sum(sizes) > 0:
            found.setdefault((more.cell.k or 0, *sizes), []).append((more, less))
    best = best_covered(found) if found else (0, 0, 0)
    pairs = found.get(best, [])
    return best[0], [more for more, _ in pairs], [less for _, less in pairs]


def claim_self_made(view: StudyView) -> list[ClaimResult]:
    """(8)"""
    return [_self_made(view, method) for method in SELF]


def _self_made(view: StudyView, method: str) -> ClaimResult:
    test = SELF[method]
    mine = where(view.points, method=method, data_frac=ALL_DATA)
    pairs = [((p, s), (1.0, -1.0)) for p in mine if (s := same_but(p, view.points, method="sft"))]
    apart = other_runs(mine, view.points, methods=("sft",))
    if not pairs:
        return test.not_testable("; ".join([f"no {method} cell beside SFT", *apart]))
    pairing, left_out = averaged(pairs, view.points)
    estimate = mean_over_bases(pairing, view.outcomes)
    what, tops = mean_words(len(pairing), thing="setting"), [point for (point, _), _ in pairing]
    return replace(no_help(test, estimate, view=view, what=what, tops=tops), details=(*apart, *left_out))


def no_help(
    test: ClaimTest, estimate: Estimate | None, *, view: StudyView, what: str, tops: Sequence[Point]
) -> ClaimResult:
    """Supported when the 90 % interval's upper end is below the margin (a harm is no help either) in bases where a positive
    control helps: those of `tops`, which the estimate is a mean over."""
    if estimate is None or not math.isfinite(estimate.se):
        return test.not_testable(f"not enough data for {what}")
    assert test.margin is not None
    high = estimate.interval(level=1 - 2 * ALPHA)[1]
    text = f"{what}: {estimate.value:+.2f} (90 %: {both_intervals(estimate, level=1 - 2 * ALPHA)})"
    p = estimate.p_value(test.margin) / 2 if estimate.value < test.margin else 1 - estimate.p_value(test.margin) / 2
    why = lacking(estimate)
    if why:
        return test.result(Ruling.NOT_TESTABLE, f"{text}; {why}", estimate=estimate)
    control = standing_of(tops, view)
    if high < test.margin and control is not Standing.SEPARATES:
        return test.result(Ruling.NOT_SEPARABLE, f"{text}; {control.value}", estimate=estimate, p=p, control=control)
    if high < test.margin:
        return test.result(Ruling.SUPPORTED, text, estimate=estimate, p=p)
    if estimate.interval()[0] > 0:
        return test.result(Ruling.CONTRADICTED, text, estimate=estimate, p=estimate.p_value())
    return test.result(Ruling.NOT_SEPARABLE, text, estimate=estimate, p=p)
