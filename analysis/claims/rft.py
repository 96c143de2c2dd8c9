"""Claims about RFT itself: (4) it beats SFT, (6) distinct paths are what helps.

As in claims_scaling: one function per claim, the primary contrast first, the commitments in ClaimTest constants. Distinct
paths are counted as in the paper's Table 2, the human path among them: the one count that both kinds of study have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.claims.beside import beside
from analysis.claims.emit import emitted_lines
from analysis.claims.rulings import (
    ALPHA,
    ClaimResult,
    ClaimTest,
    Ruling,
    StudyView,
    averaged,
    directional,
    left_out_words,
    mean_over_bases,
    mean_words,
    odds_words,
)
from analysis.claims.scaling import log_amounts, sft_ladders
from analysis.compare.comparisons import MARGIN, lacking
from analysis.compare.controls import CONTROLS, control_words, controls_of, other_runs, other_steps, told_apart
from analysis.compare.fits import slope_weights
from analysis.compare.loss_fits import fit_on_loss
from analysis.load.cells import NO_DEDUP
from analysis.load.coverage import best_covered, in_common
from analysis.load.ladders import own_ladders, shared_tops, without_k
from analysis.load.names import base_names, unit_name
from analysis.load.outcomes import Outcomes
from analysis.load.points import Contrast, Point, Scale, contrast, distinct_with_human, mean_contrast
from analysis.load.query import lacking_words, most_in_common, on_paired_replicates, same_but, where
from analysis.stats.linear import LineFit
from analysis.stats.power import VERDICT_UNITS

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
    "mean over bases of RFT - SFT, full data, own pool, the k that is best covered beside SFT and its controls (draws times "
    "bases), of equals the largest",
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
    """Against each control in the bases that have it (`beside`). A control that allows no verdict makes none easier: RFT can
    be behind the other one, and no more.
    """
    tops = shared_tops(view.points)
    own = [(p, controls) for p in tops if (controls := controls_of(p, view.points))]
    why = [*without_k(tops, view.points), *other_steps(tops, view.points), *other_runs(tops, view.points)]
    found = beside(own, view.points, view.outcomes)
    if not found.differences:
        none = "no RFT cell on the full data has its sft_matched or sft_best cell"
        return RFT_BEATS_CONTROL.not_testable("; ".join([none, *why, *found.details]))
    used = [points[1] for name in found.judged for points, _ in found.pairs[name]]
    counts = " and ".join(dict.fromkeys(mean_words(len(found.pairs[n]), thing="base") for n in found.judged))
    result = directional(
        RFT_BEATS_CONTROL,
        found.harder,
        view=view,
        what=f"{counts}, k={tops[0].cell.k}, against {control_words(found.judged, used=used)}",
        details=[*why, *found.details, *told_apart(found.differences)],
        odds=odds_words(found.harder_on(Scale.LOG_ODDS, view.outcomes)),
        tops=found.points_beside(found.judged),
    )
    result = replace(result, against=control_words(found.judged).removesuffix(" alone"))
    if not found.short or result.ruling in (Ruling.CONTRADICTED, Ruling.NOT_TESTABLE):
        return result
    short = "; ".join(f"{CONTROLS[name]}: {lacking(found.differences[name])}" for name in found.short)
    return replace(result, ruling=Ruling.NOT_TESTABLE, relevance=None, reason=f"{result.reason}; {short}")


def _beats_plain(view: StudyView) -> ClaimResult:
    tops = shared_tops(view.points)
    found = [((top, s), (1.0, -1.0)) for top in tops if (s := same_but(top, view.points, method="sft"))]
    details = [*without_k(tops, view.points), *other_runs(tops, view.points, methods=("sft",))]
    if not found:
        return RFT_BEATS_SFT.not_testable("; ".join(["no RFT cell on the full data has its sft cell", *details]))
    alone = [p for p in tops if not any(p is top for (top, _), _ in found)]
    pairs, left_out = averaged(found, view.points)
    details += [*lacking_words(alone, view.points, what="SFT beside RFT"), *left_out]
    estimate = mean_over_bases(pairs, view.outcomes)
    what = f"{mean_words(len(pairs), thing='base')}, k={tops[0].cell.k}"
    odds = odds_words(mean_contrast(pairs, view.outcomes, scale=Scale.LOG_ODDS))
    mine = [top for (top, _), _ in pairs]
    return directional(RFT_BEATS_SFT, estimate, view=view, what=what, details=details, odds=odds, tops=mine)


def _later(view: StudyView) -> ClaimResult:
    """Bend of RFT against bend of SFT on the same fractions, at the one k that most draws of bases have so."""
    found = {k: groups for k, groups in _bends(view.points).items() if groups}
    if not found:
        return RFT_LATER.not_testable(
            "no base has RFT (one k, de-duplicated) and SFT at 3 fractions, each twice the last"
        )
    k = best_covered({k: [points for points, _ in groups] for k, groups in found.items()})
    pairing, details = averaged(found[k], view.points)
    here = {points[0].cell.base for points, _ in found[k]}
    others = [points[0] for groups in found.values() for points, _ in groups if points[0].cell.base not in here]
    details += lacking_words(others, view.points, what=f"RFT k={k} and SFT at 3 fractions, each twice the last")
    if not pairing:
        return RFT_LATER.not_testable("; ".join(details))
    estimate = mean_over_bases(pairing, view.outcomes)
    tops = [points[-1] for points, _ in pairing]
    what = f"difference in bend, {len(pairing)} bases, k={k}"
    return directional(RFT_LATER, estimate, view=view, what=what, details=details, tops=tops)


def _bends(points: Sequence[Point]) -> dict[int, list[Contrast]]:
    """By k, of every base that has one, the difference in bend."""
    found: dict[int, list[Contrast]] = {}
    for sft in sft_ladders(points, smallest=0).values():
        mine = where(points, method="rft", base=sft[0].cell.base, union=(), plainly_selected=True) if sft else []
        for k in dict.fromkeys(p.cell.k or 0 for p in mine):
            rft = {p.cell.data_frac: p for p in where(mine, k=k)}
            both = [(r, s) for s in sft if (r := rft.get(s.cell.data_frac)) is not None]
            found.setdefault(k, []).extend(_bend(run) for run in _doubled_run(both))
    return found


def _doubled_run(both: Sequence[tuple[Point, Point]]) -> list[Sequence[tuple[Point, Point]]]:
    """Of RFT and SFT at ascending fractions those in a row, each twice the last, that are best compared with each other: as
    `best_together` counts, of equals the largest amounts; none where no three are.
    """
    several = len({cell.draw for _, sft in both for cell in sft.cells}) > 1
    runs = [both[i:j] for i in range(len(both)) for j in range(i + 3, len(both) + 1)]
    even = [run for run in runs if np.allclose(np.diff(log_amounts([sft for _, sft in run])), 1)]

    def worth(run: Sequence[tuple[Point, Point]]) -> tuple[int, int, float]:
        shared = in_common([p for pair in run for p in pair], paired=True, several=several)
        return shared * len(run) ** 2, len(run), log_amounts([run[-1][1]])[0]

    return [max(even, key=worth)] if even else []


def _bend(both: Sequence[tuple[Point, Point]]) -> Contrast:
    """The last doubling's gain minus the mean gain of the earlier ones, RFT minus SFT."""
    bend = np.zeros(len(both))
    bend[-1], bend[-2] = 1.0, -1.0
    earlier = len(both) - 2
    bend[-2] -= 1 / earlier
    bend[0] += 1 / earlier
    return (*(r for r, _ in both), *(s for _, s in both)), tuple(np.concatenate([bend, -bend]))


def claim_more_paths(view: StudyView) -> list[ClaimResult]:
    """(6)"""
    return [_more_paths(view), _dedup(view), _correct_distinct(view)]


def _more_paths(view: StudyView) -> ClaimResult:
    counted = [_counted(ladder) for ladder in own_ladders(view.points).values()]
    ladders = [ladder for ladder in counted if len(set(map(distinct_with_human, ladder))) > 2]
    found = [(ladder[0].cell.base, _slope_over_paths(ladder, view.outcomes)) for ladder in ladders]
    groups = {base: group for base, group in found if group is not None}
    if not groups:
        reason = "no base has RFT of shared replicates at 3 values of k with different numbers of distinct paths"
        return MORE_PATHS.result(Ruling.NOT_TESTABLE, reason, details=tuple(_emitted(view)))
    pairing, left_out = averaged(list(groups.values()), view.points)
    estimate = mean_over_bases(pairing, view.outcomes)
    names = base_names(p.cell for p in view.points)
    slopes = {names[base]: contrast(*group, view.outcomes) for base, group in groups.items()}
    details = [f"slope of {name}: {slope.value:+.2f}" for name, slope in slopes.items() if slope is not None]
    details += [f"{names[b]} left out: no 3 k on replicates in common" for b, group in found if group is None]
    details += left_out_words((most_in_common(la), la) for la in ladders if la[0].cell.base in groups)
    details += left_out
    details += ["k and distinct paths rise together: the slope is not of diversity at equal size", *_emitted(view)]
    return directional(MORE_PATHS, estimate, view=view, what=f"mean slope of {len(pairing)} bases", details=details)


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
    pairing, apart = averaged(pairs, view.points)
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
    best = best_covered({k: [(p,) for p in tops] for k, tops in series.items()}) if series else None
    points = series[best] if best is not None else []
    if len(points) < 3:
        return CORRECT_DISTINCT.not_testable("fewer than 3 bases with correct and distinct paths counted at one k")
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
