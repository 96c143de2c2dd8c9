"""What a claim's test returns, and the rules by which an estimate becomes a verdict.

result = directional(test, estimate, view=view, what="mean of 5 bases")
result.ruling, result.relevance            # Ruling.SUPPORTED, Relevance.OPEN: above 0, perhaps within the margin
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from analysis.compare.comparisons import Relevance, Standing, lacking, relevance_of, standing
from analysis.compare.fits import slope_weights
from analysis.compare.loss_fits import fit_on_loss
from analysis.compare.positive import positive_controls
from analysis.load.cells import Base
from analysis.load.coverage import best_together, coverage
from analysis.load.labels import setting_label
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import paired_replicates
from analysis.load.points import Contrast, Point, contrast, mean_contrast
from analysis.load.query import left_out_of, on_paired_replicates, shared_words
from analysis.paper import SAME_EPOCHS
from analysis.stats.linear import LineFit, NotEnough
from analysis.stats.uncertainty import Estimate, Kind, both_intervals, interval_words

ALPHA = 0.05  # of a claim, Holm's correction over the primary contrasts


class Ruling(Enum):
    """How the test of a claim ends."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    EQUIVALENT = "equivalent"  # neither direction separable, smaller than the margin, and a positive control separates
    NOT_SEPARABLE = "not separable"
    NOT_TESTABLE = "not testable"


@dataclass(frozen=True)
class StudyView:
    """What the claims are tested on."""

    points: tuple[Point, ...]
    outcomes: Outcomes
    published: bool
    variants: tuple[tuple[str, tuple[Point, ...]], ...] = ()  # the points under other epoch rules (published study)
    others: tuple[Point, ...] = ()  # settings of other recipes: what may be a positive control, and nothing else

    def controls_beside(self, tops: Sequence[Point]) -> list[Estimate]:
        """The positive controls that were run in the bases of some points."""
        return positive_controls(tops, (*self.points, *self.others), self.outcomes)

    @property
    def same_epochs(self) -> tuple[Point, ...]:
        """The points with SFT at one number of epochs for every amount of data, as a measured study has by default.

        The published figures take the better of two numbers by their TEST result, which no measured study does.
        """
        points = dict(self.variants)[SAME_EPOCHS] if self.variants else self.points
        return tuple(p for p in points if p.method != "sft" or p.cell.epoch_rule == "fixed")


@dataclass(frozen=True)
class ClaimResult:
    """One test of one claim."""

    claim: str  # '4b'
    title: str  # what the paper says
    statistic: str  # what was computed, in words
    ruling: Ruling
    reason: str
    relevance: Relevance | None = None  # how the difference stands to the margin
    estimate: Estimate | None = None
    unit: str = "points"
    margin: float | None = None
    p: float | None = None  # before Holm's correction
    p_holm: float | None = None
    control: Standing | None = None  # where only a positive control is missing
    about_zero: bool = False  # whether its verdict is on the estimate being 0, so that a larger study may separate it
    primary: bool = False
    against: str = ""  # which control its difference is from, where the study decides that
    details: tuple[str, ...] = field(default=())  # exploratory: variants, influence, rivals


@dataclass(frozen=True)
class ClaimTest:
    """The commitment: written down before any study is run through it."""

    claim: str
    title: str
    statistic: str
    margin: float | None
    primary: bool
    unit: str = "points"

    def result(self, ruling: Ruling, reason: str, **values: object) -> ClaimResult:
        """A result of this test."""
        made = ClaimResult(self.claim, self.title, self.statistic, ruling, reason)
        own = {"margin": self.margin, "primary": self.primary, "unit": self.unit}
        return replace(made, **own, **values)  # type: ignore[arg-type]

    def not_testable(self, reason: object) -> ClaimResult:
        """A result for a study that lacks the data."""
        return self.result(Ruling.NOT_TESTABLE, str(reason))


def directional(
    test: ClaimTest,
    estimate: Estimate | None,
    *,
    view: StudyView,
    what: str,
    sign: int = 1,
    details: Sequence[str] = (),
    odds: str = "",
    tops: Sequence[Point] = (),
) -> ClaimResult:
    """Supported when sign * value > 0 beyond chance, contradicted when < 0, both for new bases of this kind.

    Whether the difference matters is a second statement, beside the first. Where neither direction is separable a difference
    within the margin is called equivalent, if a positive control separates in the bases that the estimate is a mean over:
    those of `tops`, without which no claim with a margin is tested. What gives no verdict (see `lacking`) is described. What
    would separate it is said by `run_claims`, which knows of how many it is one. `odds`: the effect on the log-odds scale.
    """
    if estimate is None:
        return test.not_testable(f"not enough data for {what}: a base shares no replicate between its cells")
    if not math.isfinite(estimate.half_width()):
        return test.not_testable(f"{what}: {estimate.value:+.2f}, of unknown error")
    text = f"{what}: {estimate.value:+.2f} (95 %: {both_intervals(estimate)}){f'; {odds}' if odds else ''}"
    values = {"estimate": estimate, "p": estimate.p_value(), "details": tuple(details), "about_zero": True}
    why = lacking(estimate)
    if why:
        return test.result(Ruling.NOT_TESTABLE, f"{text}; {why}", **values)
    relevance = None
    if test.margin is not None:
        assert tops, "a claim with a margin names its bases"
        controls = view.controls_beside(tops)
        relevance = relevance_of(estimate, margin=test.margin, control=controls)
        size, comma, why = relevance.value.partition(",")
        text += f"; {size} of ±{test.margin:g}{comma}{why}"
    if estimate.p_value() <= ALPHA:
        ruling = Ruling.SUPPORTED if sign * estimate.value > 0 else Ruling.CONTRADICTED
    elif relevance is Relevance.SMALLER:
        ruling = Ruling.EQUIVALENT
    else:
        ruling = Ruling.NOT_SEPARABLE
    return test.result(ruling, text, relevance=relevance, **values)


def standing_of(tops: Sequence[Point], view: StudyView) -> Standing:
    """Whether anything is known to help in the bases of some points."""
    return standing(view.controls_beside(tops))


def mean_over_bases(groups: Sequence[Contrast], outcomes: Outcomes) -> Estimate | None:
    """Mean over base configurations of a contrast of each one's points, published and measured alike.

    Draws of the base are random where every configuration has two; where each has one, bases are, and a base's own draw lies
    inside their interval. None where one of the bases has nothing to pair.
    """
    return mean_contrast(groups, outcomes) if groups else None


def averaged(groups: Sequence[Contrast], among: Sequence[Point]) -> tuple[list[Contrast], list[str]]:
    """The contrasts that a mean over bases is of, and a line for each of the others.

    Left out are contrasts whose settings share no replicate; of several of one base those that share little with the others
    (`coverage.best_together`); and bases of one draw beside bases of several, see `_of_several_draws`.
    """
    names = base_names(point.cell for point in among)
    pairing = [group for group in groups if paired_replicates(group[0])]
    apart = dict.fromkeys(names[group[0][0].cell.base] for group in groups if group not in pairing)
    lines = [f"{', '.join(apart)} left out: no draw and replicate that all compared settings have"] if apart else []
    of_bases: dict[Base, list[Contrast]] = {}
    for group in pairing:
        of_bases.setdefault(group[0][0].cell.base, []).append(group)
    kept: list[Contrast] = []
    for base, own in of_bases.items():
        together = [own[place] for place in best_together([points for points, _ in own], least=1)]
        rest = [point for points, _ in together for point in points]
        lines += [
            f"{names[base]}, {' and '.join(setting_label(point.cell) for point in points)} left out: "
            f"{shared_words(points, rest)}"
            for points, _ in own
            if not any(points is some for some, _ in together)
        ]
        kept += together
    several, alone = _of_several_draws(kept)
    return several, lines + (
        [f"{', '.join(names[base] for base in alone)} left out: one draw, where other bases have several"]
        if alone
        else []
    )


def _of_several_draws(groups: Sequence[Contrast]) -> tuple[list[Contrast], list[Base]]:
    """(contrasts, bases left out): bases of one draw go where the draws of the others have at least as many degrees of
    freedom as all the bases. A mean over bases with one draw among them is judged over bases.
    """
    draws: dict[Base, int] = {}
    for base in dict.fromkeys(points[0].cell.base for points, _ in groups):
        every = [point for points, _ in groups for point in points if point.cell.base == base]
        draws[base] = coverage([every]).draws
    several = {base: count for base, count in draws.items() if count > 1}
    if not several or sum(several.values()) - len(several) < len(draws) - 1:
        return list(groups), []
    kept = [group for group in groups if group[0][0].cell.base in several]
    return kept, [base for base in draws if base not in several]


def left_out_words(pairs: Iterable[tuple[Sequence[Point], Sequence[Point]]]) -> list[str]:
    """A line for each of some points that is not among the kept ones of its base; `pairs`: (kept, points)."""
    return [
        f"left out: {point.cell.cell_id}, as {shared_words([point], kept)}"
        for kept, points in pairs
        for point in left_out_of(kept, points)
    ]


def mean_words(count: int, *, thing: str) -> str:
    """What an estimate over `count` of something is: 'mean of 3 pairs', 'one pair'."""
    return f"one {thing}" if count == 1 else f"mean of {count} {thing}s"


def odds_words(found: Estimate | None) -> str:
    """'on log-odds +0.12 (95 % -0.02 to +0.26)': the same difference on the log-odds scale."""
    return "" if found is None else f"on log-odds {found.value:+.2f} (95 % {interval_words(found)})"


def gain_line(groups: Sequence[Contrast], outcomes: Outcomes, *, what: str) -> tuple[LineFit, Estimate] | NotEnough:
    """A line of each base's contrast on its pretraining loss, and its slope; a base whose settings share nothing is left out.

    Contrasts are paired draw by draw, and the loss is of the paired draws, so that a setting with draws of its own shifts
    no base.
    """
    found = [(group, contrast(*group, outcomes)) for group in groups]
    paired = [(group, estimate.value) for group, estimate in found if estimate is not None]
    tops = [on_paired_replicates(points, outcomes)[0] for (points, _), _ in paired]
    line = fit_on_loss(tops, [value for _, value in paired], what=what)
    if not isinstance(line, LineFit):
        return line
    return line, slope_estimate(line, groups=[group for group, _ in paired], outcomes=outcomes)


def slope_estimate(line: LineFit, *, groups: Sequence[Contrast] = (), outcomes: Outcomes | None = None) -> Estimate:
    """A line's slope over base configurations as an estimate: df = bases - 2, a base's own draw inside its residual.

    `groups`: per base what the line's values are contrasts of: from them follows the error for these bases as they are.
    """
    these = None
    if groups and outcomes is not None:
        weights = len(groups) * slope_weights(line.x)  # so that the mean over bases is the slope
        scaled = [(points, tuple(w * np.asarray(f))) for (points, f), w in zip(groups, weights, strict=True)]
        found = mean_contrast(scaled, outcomes)
        these = None if found is None else found.these_bases
    return Estimate(
        line.b, line.se_b, line.df, 1, 0, Kind.BASES, num_draws=line.n, num_bases=line.n, num_fitted=2, these=these,
        var_units=line.n * line.se_b**2, var_items=0.0,  # more bases, as spread out on the axis as these
    )  # fmt: skip
