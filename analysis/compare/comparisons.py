"""Is one setting better than another, and does it matter: two statements, both about new bases of this kind.

    result = judge(contrast((rft, sft), (1, -1), outcomes), margin=1.0)     # with its controls: analysis.compare.controls
    result.verdict, result.relevance       # Verdict.BETTER, Relevance.OPEN: above 0, and perhaps below the margin
    result.estimate.these_bases.interval(), result.estimate.interval(), result.odds.value     # (0.4, 1.2), (0.1, 1.5), 0.04
    result.needed_text                      # '14 draws'

SUPERIORITY is about 0, RELEVANCE about a margin below which a difference does not matter. "Within the margin" is said only
where a positive control (fresh human problems, or twice the human data) separates in the same base: where nothing can be
learnt, every difference is small. Several comparisons of a table are Holm-corrected together. McNemar's test describes two
checkpoints and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from analysis.compare.limits import NO_LIMITS, Limits
from analysis.load.cells import MATCHED, Cell
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.load.query import same_but
from analysis.stats.budget import ASSUMED_BASE_SD
from analysis.stats.power import INFEASIBLE, LEVEL, VERDICT_UNITS, Asked, Needed, needed_for_all
from analysis.stats.uncertainty import NOT_ESTIMABLE, Estimate, Kind, held_alone

ONLY_DRAW = "no other draw"  # of a model that is not pretrained here: more of it separates nothing for new bases
MARGIN = 1.0  # points: differences smaller than this do not matter (less than one binomial SE at 1,319 problems)
ASSUMED_DRAW_SD = ASSUMED_BASE_SD  # points from draw to draw, of a paired difference; used where one draw can show none


class Verdict(Enum):
    """Superiority: how a comparison ends."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SEPARABLE = "not separable"
    NOT_ESTIMABLE = NOT_ESTIMABLE


class Relevance(Enum):
    """How a difference stands to the margin."""

    LARGER = "larger than the margin"
    SMALLER = "within the margin"
    UNCONTROLLED = "within the margin, but no positive control separates"  # so that nothing might be learnt there
    UNJUDGED = "within the margin, but a positive control has too few draws"
    UNRUN = "within the margin, but no paired positive control was run in each base"
    OPEN = "open"


class Standing(Enum):
    """Whether anything is known to help in the bases of a comparison."""

    SEPARATES = "a positive control separates"
    FLAT = "no positive control separates in the same bases, so that nothing might help there"
    FEW = "too few draws of a positive control to tell whether anything helps in the same bases"
    NEVER = "no positive control paired with its SFT was run in each of the same bases"


@dataclass(frozen=True)
class Comparison:
    """First minus second, in points."""

    estimate: Estimate
    verdict: Verdict
    relevance: Relevance
    margin: float  # points
    reason: str  # why not separable, or what the verdict rests on
    needed: Needed | None  # for 80 % power at the measured difference; None: no feasible study
    assumed_sd: float | None  # the standard deviation of draws taken where it could not be measured
    odds: Estimate | None = None  # the same difference on the log-odds scale
    p_holm: float | None = None  # where it is one of several
    limits: Limits = NO_LIMITS

    @property
    def needed_text(self) -> str:
        """'9 draws', 'no other draw', 'not separable by any feasible study'; nothing where the verdict stands."""
        if self.verdict in (Verdict.BETTER, Verdict.WORSE):
            return ""
        if not math.isfinite(self.estimate.half_width()):
            return "not enough data"
        if self.estimate.value == 0 and self.estimate.se == 0:
            return f"right and wrong alike on all {self.estimate.num_items:,} problems"
        unit = "bases" if self.estimate.kind is Kind.BASES else "draws"
        if unit == "draws" and not self.limits.draws:
            return ONLY_DRAW
        return self.needed.words(problems=self.estimate.num_items, unit=unit) if self.needed else INFEASIBLE


def judge(
    estimate: Estimate,
    *,
    margin: float = MARGIN,
    level: float = LEVEL,
    control: Sequence[Estimate] = (),
    odds: Estimate | None = None,
    p: float | None = None,
    among: int = 1,
    limits: Limits = NO_LIMITS,
) -> Comparison:
    """The two statements on a difference; `p`: of the difference being 0, after correction for the others of `among`;
    `control`: the positive controls that were run in its bases; `limits`: of studies that could be made of the same.

    What would separate it is asked at the level of Holm's first step, 5 % over their number: enough whatever the others show.
    """
    needed, assumed_sd = _needed(estimate, level=1 - (1 - LEVEL) / among, limits=limits)
    verdict, reason = _superiority(estimate, level=level, p=p)
    relevance = relevance_of(estimate, margin=margin, level=level, control=control)
    return Comparison(estimate, verdict, relevance, margin, reason, needed, assumed_sd, odds, p, limits)


def _needed(estimate: Estimate, *, level: float, limits: Limits) -> tuple[Needed | None, float | None]:
    """(the smallest study that separates it, the standard deviation of draws that was assumed for that); nothing of a model
    that has no further draw.

    The smallest of several differences lies above 0 where all do, in one study, and below 0 where one does at its share of
    the level.
    """
    if estimate.kind is not Kind.BASES and not limits.draws:
        return None, None
    above = estimate.value > 0
    at = level if above else 1 - (1 - level) / len(estimate.judged)
    asked, assumed_sd = [], None
    for part in estimate.judged if above else (estimate,):
        sd, var_items, assumed = spread_of(part)
        bases = part.num_bases if part.kind is Kind.DRAWS else 1
        asked.append(Asked(part.value, sd, var_items, part.num_items, part.num_fitted, _least(part), bases))
        assumed_sd = sd if assumed else assumed_sd
    return needed_for_all(asked, level=at, most_problems=limits.problems), assumed_sd


def _least(estimate: Estimate) -> int:
    """The fewest units that can have a verdict, see `_lacking`."""
    return VERDICT_UNITS if estimate.kind is Kind.BASES else VERDICT_UNITS - 1 + estimate.num_fitted


def lacking(estimate: Estimate) -> str:
    """Why an estimate, or one that it is the smallest of, gives no verdict about new bases; '' where it does."""
    return next((why for part in estimate.judged if (why := _lacking(part))), "")


def _lacking(estimate: Estimate) -> str:
    if not math.isfinite(estimate.half_width()):
        return "not enough data: its error is unknown"
    if estimate.new_bases is None:
        return NOT_ESTIMABLE
    if estimate.kind is Kind.DRAWS and estimate.num_draws - estimate.num_bases < VERDICT_UNITS - 1:
        return f"{estimate.num_draws} draws of {estimate.num_bases} base(s), a verdict needs {VERDICT_UNITS} of one"
    if estimate.kind is Kind.BASES and estimate.num_bases < VERDICT_UNITS:
        return f"{estimate.num_bases} bases, a verdict over bases needs {VERDICT_UNITS}"
    return ""


def _superiority(estimate: Estimate, *, level: float, p: float | None) -> tuple[Verdict, str]:
    why = lacking(estimate)
    if why:
        return (Verdict.NOT_ESTIMABLE if why == NOT_ESTIMABLE else Verdict.NOT_SEPARABLE), why
    found = estimate.p_value() if p is None else p
    said = f"p {found:.2g}" + ("" if p is None else " after Holm's correction") + held_alone(estimate)
    if found > 1 - level:
        return Verdict.NOT_SEPARABLE, f"{said}: {level:.0%} interval holds 0"
    return (Verdict.BETTER if estimate.value > 0 else Verdict.WORSE), said


def relevance_of(
    estimate: Estimate, *, margin: float, level: float = LEVEL, control: Sequence[Estimate] = ()
) -> Relevance:
    """Smaller: the interval of level 1 - 2 (1 - level) lies within the margin (two one-sided tests, Schuirmann 1987) and a
    positive control separates in the same base. Larger: the interval lies beyond the margin. Both of new bases.
    """
    if lacking(estimate):
        return Relevance.OPEN
    low, high = estimate.interval(level=1 - 2 * (1 - level))
    if -margin < low and high < margin:
        return WITHIN[standing(control)]
    low, high = estimate.interval(level=level)
    return Relevance.LARGER if low > margin or high < -margin else Relevance.OPEN


WITHIN = {
    Standing.SEPARATES: Relevance.SMALLER, Standing.FLAT: Relevance.UNCONTROLLED, Standing.FEW: Relevance.UNJUDGED,
    Standing.NEVER: Relevance.UNRUN,
}  # fmt: skip


def standing(controls: Sequence[Estimate], *, level: float = LEVEL) -> Standing:
    """Whether one of some positive controls helps in new bases of this kind, beyond chance (Bonferroni over those that have
    draws enough for a verdict). That nothing helps is said only where all of them have.
    """
    judged = [control for control in controls if not lacking(control)]
    if any(control.interval(level=1 - (1 - level) / len(judged))[0] > 0 for control in judged):
        return Standing.SEPARATES
    if not controls:
        return Standing.NEVER
    return Standing.FLAT if len(judged) == len(controls) else Standing.FEW


def spread_of(estimate: Estimate) -> tuple[float, float, bool]:
    """(standard deviation of one draw, variance that draws do not shrink, whether the first was assumed).

    One draw does not show the first. Assumed then: draws add ASSUMED_DRAW_SD; of one replicate its item noise is that of
    problems which flip from run to run, so that it averages out over draws like the rest.
    """
    fixed = estimate.var_items if math.isfinite(estimate.var_items) else 0.0
    if estimate.new_bases is not None and math.isfinite(estimate.var_units):
        return math.sqrt(estimate.var_units), fixed, False
    if estimate.kind is Kind.REPLICATES:
        return math.sqrt(ASSUMED_DRAW_SD**2 + estimate.var_units / estimate.num_replicates), fixed, True
    return math.sqrt(ASSUMED_DRAW_SD**2 + fixed), 0.0, True


def mcnemar(first: Cell, second: Cell, outcomes: Outcomes) -> tuple[int, int, float] | None:
    """(right only by the first, right only by the second, exact two-sided p) of two checkpoints: no verdict."""
    from scipy import stats

    found = outcomes.matrix([first, second])
    if found is None:
        return None
    mine, theirs = found[1]
    only_first, only_second = int(np.sum(mine & ~theirs)), int(np.sum(~mine & theirs))
    total = only_first + only_second
    p = float(stats.binomtest(only_first, total).pvalue) if total else 1.0
    return only_first, only_second, p


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given (Holm 1979, Scand. J. Statist. 6, 65-70)."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def matched_pairs(points: Sequence[Point]) -> list[tuple[Point, Point]]:
    """Settings that have a control of their own, SFT at their optimiser steps, and that control."""
    treated = [point for point in points if point.method != MATCHED]
    return [(p, control) for p in treated if (control := same_but(p, points, method=MATCHED)) is not None]
