"""Claims about RFT itself: (4) it beats SFT, (6) distinct paths are what helps.

As in claims_scaling: one function per claim, the primary contrast first, the commitments in ClaimTest constants. Distinct
paths are counted as in the paper's Table 2, the human path among them: the one count that both kinds of study have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from analysis.claims.emit import emitted_lines
from analysis.claims.rulings import (
    ALPHA,
    ClaimResult,
    ClaimTest,
    Ruling,
    StudyView,
    directional,
    left_out_words,
    mean_over_bases,
    mean_words,
    odds_words,
    that_pair,
)
from analysis.claims.scaling import log_amounts, sft_ladders
from analysis.compare.comparisons import MARGIN
from analysis.compare.controls import CONTROLS, control_words, controls_of, harder, other_runs, other_steps, told_apart
from analysis.compare.fits import slope_weights
from analysis.compare.loss_fits import fit_on_loss
from analysis.load.cells import NO_DEDUP
from analysis.load.ladders import own_ladders, shared_tops
from analysis.load.names import base_names, unit_name
from analysis.load.outcomes import Outcomes
from analysis.load.points import Contrast, Point, Scale, contrast, mean_contrast
from analysis.load.query import most_in_common, on_paired_replicates, same_but, where
from analysis.stats.linear import LineFit
from analysis.stats.power import VERDICT_UNITS
from analysis.stats.uncertainty import Estimate

RFT_BEATS_CONTROL = ClaimTest(
    "4a",
    "RFT beats the better SFT: at equal optimiser steps, or at its validated budget",
    "mean over bases of RFT - the harder of step-matched SFT and SFT at its best epochs, full data, own pool, k as in 4b",
    margin=MARGIN,
    primary=True,
)
RFT_BEATS_SFT = ClaimTest(
    "4b",
    "RFT beats SFT",
    "mean over bases of RFT - SFT, full data, own pool, the k that most bases have, the largest such",
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
    "mean over bases of the slope over k of RFT accuracy on log2(distinct paths per question, human path counted), above 0",
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
CORRECT_DISTINCT = ClaimTest(
    "6d",
    "stronger models give more correct but fewer distinct paths",
    "slopes over bases on loss, same k: of correct paths below 0, of distinct ones (human path counted) above 0, both at 5 %",
    margin=None,
    primary=False,
)


def claim_rft_beats_sft(view: StudyView) -> list[ClaimResult]:
    """(4)"""
    return [_beats_controls(view), _beats_plain(view), _later(view)]


def _beats_controls(view: StudyView) -> ClaimResult:
    """Against both controls where the bases that have one have both; else against the one that most have."""
    tops = shared_tops(view.points)
    controls = {p.cell.base: (p, controls_of(p, view.points)) for p in tops}
    counts = {name: sum(name in own for _, own in controls.values()) for name in CONTROLS}
    first = max(counts, key=lambda name: counts[name])
    if not counts[first]:
        lacking = "no RFT cell on the full data has its sft_matched or sft_best cell"
        why = [lacking, *other_steps(tops, view.points), *other_runs(tops, view.points)]
        return RFT_BEATS_CONTROL.not_testable("; ".join(why))
    found = [(p, own) for p, own in controls.values() if first in own]
    pairs: dict[str, list[Contrast]] = {}
    details = [*other_steps([p for p, _ in found], view.points), *other_runs(tops, view.points)]
    for name in CONTROLS:
        count = sum(name in own for _, own in found)
        if count == len(found):
            pairs[name] = [((p, own[name]), (1.0, -1.0)) for p, own in found]
        elif counts[name]:
            details.append(f"{CONTROLS[name]} is there for {count} of {len(found)} bases: not used")
    differences = _means(pairs, view.outcomes)
    against = control_words(list(differences), used=[c for _, own in found for c in own.values()])
    what = f"{mean_words(len(found), thing='base')}, k={tops[0].cell.k}, against {against}"
    odds = _means(pairs, view.outcomes, scale=Scale.LOG_ODDS)
    result = directional(
        RFT_BEATS_CONTROL,
        harder(list(differences.values())),
        view=view,
        what=what,
        details=[*details, *told_apart(differences)],
        odds=odds_words(harder(list(odds.values()))),
        tops=[p for p, _ in found],
    )
    return replace(result, against=control_words(list(differences)).removesuffix(" alone"))


def _means(
    pairs: Mapping[str, Sequence[Contrast]], outcomes: Outcomes, *, scale: Scale = Scale.POINTS
) -> dict[str, Estimate]:
    """Mean over bases of each difference."""
    found = {name: mean_contrast(groups, outcomes, scale=scale) for name, groups in pairs.items()}
    return {name: one for name, one in found.items() if one is not None}


def _beats_plain(view: StudyView) -> ClaimResult:
    tops = shared_tops(view.points)
    pairs = [((top, s), (1.0, -1.0)) for top in tops if (s := same_but(top, view.points, method="sft"))]
    apart = other_runs(tops, view.points, methods=("sft",))
    if not pairs:
        return RFT_BEATS_SFT.not_testable("; ".join(["no RFT cell on the full data has its sft cell", *apart]))
    estimate = mean_over_bases(pairs, view.outcomes)
    what = f"{mean_words(len(pairs), thing='base')}, k={tops[0].cell.k}"
    odds = odds_words(mean_contrast(pairs, view.outcomes, scale=Scale.LOG_ODDS))
    mine = [top for (top, _), _ in pairs]
    return directional(RFT_BEATS_SFT, estimate, view=view, what=what, details=apart, odds=odds, tops=mine)


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
    pairing, apart = that_pair(groups, view.points)
    if not pairing:
        return RFT_LATER.not_testable("; ".join(apart))
    estimate = mean_over_bases(pairing, view.outcomes)
    tops = [points[-1] for points, _ in pairing]
    what = f"difference in bend, {len(pairing)} bases"
    return directional(RFT_LATER, estimate, view=view, what=what, details=apart, tops=tops)


def _rft_by_fraction(points: Sequence[Point], sft: Sequence[Point]) -> dict[object, Point]:
    """Of the base's own pool: the largest k that has the most fractions."""
    mine = where(points, method="rft", base=sft[0].cell.base, union=(), plainly_selected=True)
    by_k: dict[int, dict[object, Point]] = {}
    for point in mine:
        by_k.setdefault(point.cell.k or 0, {})[point.cell.data_frac] = point
    return max(by_k.items(), key=lambda item: (len(item[1]), item[0]))[1] if by_k else {}


def _evenly_doubled(ladder: Sequence[Point]) -> bool:
    return bool(np.allclose(np.diff(log_amounts(ladder)), 1))


def claim_more_paths(view: StudyView) -> list[ClaimResult]:
    """(6)"""
    return [_more_paths(view), _dedup(view), _correct_distinct(view)]


def distinct_with_human(point: Point) -> float | None:
    """Distinct paths per question, the human path counted: what the paper's Table 2 holds."""
    return point.mean_of("distinct_per_question_with_human")


def _more_paths(view: StudyView) -> ClaimResult:
    counted = [_counted(ladder) for ladder in own_ladders(view.points).values()]
    ladders = [ladder for ladder in counted if len(set(map(distinct_with_human, ladder))) > 2]
    found = [(ladder[0].cell.base, _slope_over_paths(ladder, view.outcomes)) for ladder in ladders]
    groups = {base: group for base, group in found if group is not None}
    if not groups:
        reason = "no base has RFT of shared replicates at 3 values of k with different numbers of distinct paths"
        return MORE_PATHS.result(Ruling.NOT_TESTABLE, reason, details=tuple(_emitted(view)))
    estimate = mean_over_bases(list(groups.values()), view.outcomes)
    names = base_names(p.cell for p in view.points)
    slopes = {names[base]: contrast(*group, view.outcomes) for base, group in groups.items()}
    details = [f"slope of {name}: {slope.value:+.2f}" for name, slope in slopes.items() if slope is not None]
    details += [f"{names[b]} left out: no 3 k on replicates in common" for b, group in found if group is None]
    details += left_out_words((most_in_common(la), la) for la in ladders if la[0].cell.base in groups)
    details += ["k and distinct paths rise together: the slope is not of diversity at equal size", *_emitted(view)]
    return directional(MORE_PATHS, estimate, view=view, what=f"mean slope of {len(groups)} bases", details=details)


def _slope_over_paths(ladder: Sequence[Point], outcomes: Outcomes) -> Contrast | None:
    """One base's slope of accuracy on log2(distinct paths), both of the replicates that all k have; None with under 3 k."""
    paired = _counted(on_paired_replicates(most_in_common(_counted(ladder)), outcomes))
    paths = [distinct_with_human(point) or math.nan for point in paired]
    return (paired, tuple(slope_weights(np.log2(paths)))) if len(set(paths)) > 2 else None


def _counted(points: Sequence[Point]) -> list[Point]:
    """Those with distinct paths, which have a logarithm."""
    return [point for point in points if distinct_with_human(point)]


def _dedup(view: StudyView) -> ClaimResult:
    raw = where(view.points, method="rft", union=(), data_frac=1, policy=NO_DEDUP)
    twins = {(p.cell.base, p.cell.k): p for ladder in own_ladders(view.points).values() for p in ladder}
    pairs = [((t, p), (1.0, -1.0)) for p in raw if (t := twins.get((p.cell.base, p.cell.k))) is not None]
    if not pairs:
        return DEDUP.not_testable("no RFT cell without de-duplication beside one with it")
    pairing, apart = that_pair(pairs, view.points)
    if not pairing:
        return DEDUP.not_testable("; ".join(apart))
    estimate = mean_over_bases(pairing, view.outcomes)
    what, tops = mean_words(len(pairing), thing="pair"), [points[0] for points, _ in pairing]
    return directional(DEDUP, estimate, view=view, what=what, details=apart, tops=tops)


def _emitted(view: StudyView) -> list[str]:
    """Beside the claims, as the paper does not ask it: what RFT models and step-matched SFT emit on test questions."""
    tops = shared_tops(view.points)
    matched = [(top, c) for top in tops if (c := same_but(top, view.points, method="sft_matched"))]
    return emitted_lines(matched, view.points)


def _correct_distinct(view: StudyView) -> ClaimResult:
    series: dict[int, list[Point]] = {}
    for ladder in own_ladders(view.points).values():
        for p in ladder:
            if distinct_with_human(p) is not None and _correct(p) is not None and p.loss is not None:
                series.setdefault(p.cell.k or 0, []).append(p)
    best = max(series, key=lambda k: (len(series[k]), sum(len(p.draws) for p in series[k]), k), default=None)
    if best is None or len(series[best]) < 3:
        return CORRECT_DISTINCT.not_testable("fewer than 3 bases with correct and distinct paths counted at one k")
    points = series[best]
    lines = [fit_on_loss(points, [f(p) or 0.0 for p in points], what="paths") for f in (_correct, distinct_with_human)]
    if not all(isinstance(line, LineFit) for line in lines):
        return CORRECT_DISTINCT.not_testable(next(line for line in lines if not isinstance(line, LineFit)))
    correct, distinct = (line for line in lines if isinstance(line, LineFit))
    text = f"k={best}, {len(points)} bases: correct {correct.b:+.1f} (p {correct.p_value(1):.3f}), "
    text += f"distinct {distinct.b:+.2f} (p {distinct.p_value(1):.3f}) per question per {unit_name(points[0].cell)}"
    if len(points) < VERDICT_UNITS:
        return CORRECT_DISTINCT.not_testable(f"{text}; {len(points)} bases, a verdict over bases needs {VERDICT_UNITS}")
    signs = (correct.p_value(1) <= ALPHA, correct.b < 0, distinct.p_value(1) <= ALPHA, distinct.b > 0)
    if all(signs):
        return CORRECT_DISTINCT.result(Ruling.SUPPORTED, text)
    against = (signs[0] and not signs[1]) or (signs[2] and not signs[3])
    return CORRECT_DISTINCT.result(Ruling.CONTRADICTED if against else Ruling.NOT_SEPARABLE, text)


def _correct(point: Point) -> float | None:
    return point.mean_of("correct_per_question")
