"""Claims about RFT itself: (4) it beats SFT, (6) distinct paths are what helps, (7) unions, (8) self-query and self-revising.

As in claims_scaling: one function per claim, the primary contrast first, the commitments in ClaimTest constants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analysis.claim_types import (
    ALPHA,
    ClaimResult,
    ClaimTest,
    Ruling,
    StudyView,
    directional,
    mean_over_bases,
    slope_estimate,
    too_few,
)
from analysis.claims_scaling import full_points, log_amounts, sft_ladders
from analysis.comparisons import MARGIN, control_of, sft_of
from analysis.fits import slope_weights
from analysis.linear import LineFit, fit_line
from analysis.points import NO_DEDUP, Point
from analysis.records import Base
from analysis.uncertainty import Estimate

RFT_BEATS_MATCHED = ClaimTest(
    "4a",
    "RFT beats SFT at equal optimiser steps",
    "mean over bases of RFT - SFT matched in steps, full data, own pool, largest k",
    margin=MARGIN,
    primary=True,
)
RFT_BEATS_SFT = ClaimTest(
    "4b",
    "RFT beats SFT",
    "mean over bases of RFT - SFT, full data, own pool, largest k",
    margin=MARGIN,
    primary=False,
)
RFT_LATER = ClaimTest(
    "4c",
    "RFT saturates later than SFT",
    "mean over bases of (last doubling's gain - mean gain of the earlier doublings), RFT minus SFT, above 0",
    margin=MARGIN,
    primary=False,
)
MORE_PATHS = ClaimTest(
    "6a",
    "more distinct paths, more gain",
    "mean over bases of the slope of RFT accuracy on log2(distinct paths per question), over k, above 0",
    margin=None,
    primary=True,
    unit="points per doubling of distinct paths",
)
DEDUP = ClaimTest(
    "6b",
    "training on distinct paths is better than on all correct samples",
    "mean over bases of RFT with de-duplication - without, same k, full data",
    margin=MARGIN,
    primary=False,
)
EMIT = ClaimTest(
    "6c",
    "models trained on more paths emit more distinct paths on test questions",
    "distinct equation lists among the test draws, RFT - SFT",
    margin=None,
    primary=False,
)
CORRECT_DISTINCT = ClaimTest(
    "6d",
    "stronger models give more correct but fewer distinct paths",
    "slopes over bases on loss, same k: of correct paths below 0 and of distinct paths above 0, both at 5 % two-sided",
    margin=None,
    primary=False,
)
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


def own_ladder(points: Sequence[Point]) -> dict[Base, list[Point]]:
    """RFT on all data from the own pool with de-duplication, by base, ascending k."""
    ladders: dict[Base, list[Point]] = {}
    for point in points:
        if (
            point.method == "rft"
            and point.cell.data_frac == 1
            and not point.cell.union
            and point.cell.policy != NO_DEDUP
        ):
            ladders.setdefault(point.cell.base, []).append(point)
    for ladder in ladders.values():
        ladder.sort(key=lambda p: p.cell.k or 0)
    return ladders


def claim_rft_beats_sft(view: StudyView) -> list[ClaimResult]:
    """(4)"""
    tops = [ladder[-1] for ladder in own_ladder(view.points).values()]
    matched = [((top, c), (1.0, -1.0)) for top in tops if (c := control_of(top, view.points, method="sft_matched"))]
    plain = [((top, s), (1.0, -1.0)) for top in tops if (s := sft_of(top, view.points))]
    results = []
    for test, pairs in ((RFT_BEATS_MATCHED, matched), (RFT_BEATS_SFT, plain)):
        if not pairs:
            missing = "sft_matched" if test is RFT_BEATS_MATCHED else "sft"
            results.append(test.not_testable(f"no RFT cell on the full data has its {missing} cell"))
            continue
        estimate = mean_over_bases(pairs, view.outcomes, published=view.published)
        results.append(directional(test, estimate, view=view, what=f"mean of {len(pairs)} bases"))
    return [*results, _later(view)]


def _later(view: StudyView) -> ClaimResult:
    """Bend of RFT against bend of SFT on the same fractions."""
    groups = []
    for sft in sft_ladders(view.points, smallest=0).values():
        rft = _rft_by_fraction(view.points, sft)
        both = [(r, s) for s in sft if (r := rft.get(s.cell.data_frac)) is not None]
        if len(both) < 3 or not _evenly_doubled([s for _, s in both]):
            continue
        bend = np.zeros(len(both))
        bend[-1], bend[-2] = 1.0, -1.0
        earlier = len(both) - 2
        bend[-2] -= 1 / earlier
        bend[0] += 1 / earlier
        groups.append(((*(r for r, _ in both), *(s for _, s in both)), tuple(np.concatenate([bend, -bend]))))
    if not groups:
        return RFT_LATER.not_testable(
            "no base has RFT (one k, de-duplicated) and SFT at 3 fractions, each twice the last"
        )
    estimate = mean_over_bases(groups, view.outcomes, published=view.published)
    return directional(RFT_LATER, estimate, view=view, what=f"difference in bend, {len(groups)} bases")


def _rft_by_fraction(points: Sequence[Point], sft: Sequence[Point]) -> dict[object, Point]:
    """Of the base's own pool: the largest k that has the most fractions."""
    mine = [
        p
        for p in points
        if p.method == "rft" and p.cell.base == sft[0].cell.base and not p.cell.union and p.cell.policy != NO_DEDUP
    ]
    by_k: dict[int, dict[object, Point]] = {}
    for point in mine:
        by_k.setdefault(point.cell.k or 0, {})[point.cell.data_frac] = point
    return max(by_k.items(), key=lambda item: (len(item[1]), item[0]))[1] if by_k else {}


def _evenly_doubled(ladder: Sequence[Point]) -> bool:
    return bool(np.allclose(np.diff(log_amounts(ladder)), 1))


def claim_more_paths(view: StudyView) -> list[ClaimResult]:
    """(6)"""
    return [_more_paths(view), _dedup(view), _emit(), _correct_distinct(view)]


def _more_paths(view: StudyView) -> ClaimResult:
    groups, slopes = [], []
    for ladder in own_ladder(view.points).values():
        found = [(p, d) for p in ladder if (d := _distinct(p)) is not None and d > 0]
        if len(found) < 3 or len({d for _, d in found}) < 3:
            continue
        weights = slope_weights([math.log2(d) for _, d in found])
        groups.append((tuple(p for p, _ in found), tuple(weights)))
        slopes.append(float(weights @ [p.estimate.value for p, _ in found]))
    if not groups:
        return MORE_PATHS.not_testable("no base has RFT at 3 values of k with different numbers of distinct paths")
    estimate = mean_over_bases(groups, view.outcomes, published=view.published)
    note = "k and distinct paths rise together: the slope is not of diversity at equal size"
    details = [*(f"slope of base {i + 1}: {slope:+.2f}" for i, slope in enumerate(slopes)), note]
    return directional(MORE_PATHS, estimate, view=view, what=f"mean slope of {len(groups)} bases", details=details)


def _distinct(point: Point) -> float | None:
    own = point.mean_of("distinct_per_question")
    return own if own is not None else point.mean_of("distinct_per_question_with_human")


def _dedup(view: StudyView) -> ClaimResult:
    raw = [p for p in view.points if p.method == "rft" and p.cell.policy == NO_DEDUP and p.cell.data_frac == 1]
    twins = {(p.cell.base, p.cell.k): p for ladder in own_ladder(view.points).values() for p in ladder}
    pairs = [((t, p), (1.0, -1.0)) for p in raw if (t := twins.get((p.cell.base, p.cell.k))) is not None]
    if not pairs:
        return DEDUP.not_testable("no RFT cell without de-duplication beside one with it")
    estimate = mean_over_bases(pairs, view.outcomes, published=view.published)
    return directional(DEDUP, estimate, view=view, what=f"mean of {len(pairs)} bases")


def _emit() -> ClaimResult:
    return EMIT.not_testable("outcome files hold the answers of test draws, not their paths")


def _correct_distinct(view: StudyView) -> ClaimResult:
    series: dict[int, list[Point]] = {}
    for ladder in own_ladder(view.points).values():
        for p in ladder:
            if (
                _distinct(p) is not None
                and p.mean_of("correct_per_question") is not None
                and p.cell.loss_nats is not None
            ):
                series.setdefault(p.cell.k or 0, []).append(p)
    best = max(series, key=lambda k: (len(series[k]), k), default=None)
    if best is None or len(series[best]) < 3:
        return CORRECT_DISTINCT.not_testable("fewer than 3 bases with correct and distinct paths counted at one k")
    points = series[best]
    loss = [p.cell.loss_nats or math.nan for p in points]
    lines = [fit_line(loss, [f(p) or 0.0 for p in points], what="paths") for f in (_correct, _distinct)]
    if not all(isinstance(line, LineFit) for line in lines):
        return CORRECT_DISTINCT.not_testable(next(line for line in lines if not isinstance(line, LineFit)))
    correct, distinct = (line for line in lines if isinstance(line, LineFit))
    text = f"k={best}, {len(points)} bases: correct {correct.b:+.1f} (p {correct.p_value(1):.3f}), distinct {distinct.b:+.2f} "
    text += f"(p {distinct.p_value(1):.3f}) per question per nat"
    signs = (correct.p_value(1) <= ALPHA, correct.b < 0, distinct.p_value(1) <= ALPHA, distinct.b > 0)
    if all(signs):
        return CORRECT_DISTINCT.result(Ruling.SUPPORTED, text)
    against = (signs[0] and not signs[1]) or (signs[2] and not signs[3])
    return CORRECT_DISTINCT.result(Ruling.CONTRADICTED if against else Ruling.NOT_SEPARABLE, text)


def _correct(point: Point) -> float | None:
    return point.mean_of("correct_per_question")


def claim_unions(view: StudyView) -> list[ClaimResult]:
    """(7)"""
    unions = [p for p in full_points(view.points, method="rft") if p.cell.union]
    own = {(b, p.cell.k): p for b, ladder in own_ladder(view.points).items() for p in ladder}
    pairs = [
        ((u, o), (1.0, -1.0)) for u in unions if (o := own.get((u.cell.base, (u.cell.k or 0) * len(u.cell.union))))
    ]
    if pairs:
        estimate = mean_over_bases(pairs, view.outcomes, published=view.published)
        first = directional(UNION, estimate, view=view, what=f"mean of {len(pairs)} pairs")
    else:
        first = UNION.not_testable("no union beside a single model's pool with as many draws" + _unequal(unions, own))
    return [first, _donors(unions, view)]


def _unequal(unions: Sequence[Point], own: dict[tuple[Base, int | None], Point]) -> str:
    """What an unequal comparison would say, as description."""
    gaps = [u.estimate.value - o.estimate.value for u in unions if (o := own.get((u.cell.base, u.cell.k))) is not None]
    if not gaps:
        return ""
    return f" (with D times the draws, unions are {np.mean(gaps):+.1f} points from the own pool, mean of {len(gaps)})"


def _donors(unions: Sequence[Point], view: StudyView) -> ClaimResult:
    by_size: dict[int, dict[Base, Point]] = {}
    for point in unions:
        by_size.setdefault(len(point.cell.union), {})[point.cell.base] = point
    if len(by_size) < 2:
        return DONORS.not_testable("fewer than two unions of different size")
    most, fewer = by_size[max(by_size)], by_size[min(by_size)]
    shared = [b for b in most if b in fewer and most[b].cell.loss_nats is not None]
    gains = [most[b].estimate.value - fewer[b].estimate.value for b in shared]
    line = fit_line([most[b].cell.loss_nats or math.nan for b in shared], gains, what="gain of donors against loss")
    if not isinstance(line, LineFit):
        return DONORS.not_testable(line)
    return directional(DONORS, slope_estimate(line), view=view, sign=-1, what=f"slope over {line.n} bases")


def claim_self_made(view: StudyView) -> list[ClaimResult]:
    """(8)"""
    return [_self_made(view, method) for method in SELF]


def _self_made(view: StudyView, method: str) -> ClaimResult:
    test = SELF[method]
    mine = [p for p in view.points if p.method == method and p.cell.data_frac in (None, 1.0)]
    pairs = [((p, s), (1.0, -1.0)) for p in mine if (s := sft_of(p, view.points))]
    if not pairs:
        return test.not_testable(f"no {method} cell beside SFT")
    estimate = mean_over_bases(pairs, view.outcomes, published=view.published)
    return no_help(test, estimate, view=view, what=f"mean of {len(pairs)} settings")


def no_help(test: ClaimTest, estimate: Estimate | None, *, view: StudyView, what: str) -> ClaimResult:
    """Supported when the 90 % interval's upper end is below the margin (a harm is no help either)."""
    if estimate is None or not math.isfinite(estimate.se):
        return test.not_testable(f"not enough data for {what}")
    assert test.margin is not None
    low, high = estimate.interval(level=1 - 2 * ALPHA)
    text = f"{what}: {estimate.value:+.2f} (90 % {low:+.2f} to {high:+.2f}; {estimate.kind.value})"
    p = estimate.p_value(test.margin) / 2 if estimate.value < test.margin else 1 - estimate.p_value(test.margin) / 2
    lacking = too_few(estimate, view=view)
    if lacking:
        return test.result(Ruling.NOT_TESTABLE, f"{text}; {lacking}", estimate=estimate)
    if high < test.margin:
        return test.result(Ruling.SUPPORTED, text, estimate=estimate, p=p)
    if estimate.interval()[0] > 0:
        return test.result(Ruling.CONTRADICTED, text, estimate=estimate, p=estimate.p_value())
    return test.result(Ruling.NOT_SEPARABLE, text, estimate=estimate, p=p)
