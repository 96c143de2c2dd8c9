"""What a claim's test returns, and the rules by which an estimate becomes a verdict.

result = directional(estimate, claim="4b", sign=+1)
result.verdict            # Verdict.NOT_SEPARABLE
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast
from analysis.stats.comparisons import judge
from analysis.stats.linear import LineFit
from analysis.stats.uncertainty import VERDICT_REPLICATES, Estimate, Kind, replicate_mean

SAME_EPOCHS = "3 epochs"  # of the variants of the published study, the one with a fixed number of epochs
ALPHA = 0.05  # of a claim, Holm's correction over the primary contrasts


class Ruling(Enum):
    """How the test of a claim ends."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    EQUIVALENT = "equivalent"  # the difference is smaller than the margin
    NOT_SEPARABLE = "not separable"
    NOT_TESTABLE = "not testable"


@dataclass(frozen=True)
class StudyView:
    """What the claims are tested on."""

    points: tuple[Point, ...]
    outcomes: Outcomes
    published: bool
    variants: tuple[tuple[str, tuple[Point, ...]], ...] = ()  # the points under other epoch rules (published study)

    @property
    def same_epochs(self) -> tuple[Point, ...]:
        """The points with SFT at one number of epochs for every amount of data, as a measured study has by default.

        The published figures take the better of two numbers by their TEST result, which no measured study does.
        """
        points = dict(self.variants).get(SAME_EPOCHS, self.points)
        return tuple(p for p in points if p.method != "sft" or p.cell.epoch_rule == "fixed")


@dataclass(frozen=True)
class ClaimResult:
    """One test of one claim."""

    claim: str  # '4b'
    title: str  # what the paper says
    statistic: str  # what was computed, in words
    ruling: Ruling
    reason: str
    estimate: Estimate | None = None
    unit: str = "points"
    margin: float | None = None
    p: float | None = None  # before Holm's correction
    p_holm: float | None = None
    primary: bool = False
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
) -> ClaimResult:
    """Supported when sign * value > 0 beyond chance, contradicted when < 0, equivalent when within the margin.

    Equivalence goes before the other two, by the meaning of a margin. A measured study with fewer than five units
    (replicates, or bases for a claim over bases) gives no verdict: what it shows is given as the reason.
    """
    if estimate is None:
        return test.not_testable(f"not enough data for {what}")
    if not math.isfinite(estimate.half_width()):
        return test.not_testable(f"{what}: {estimate.value:+.2f}, of unknown error")
    low, high = estimate.interval()
    text = f"{what}: {estimate.value:+.2f} (95 % {low:+.2f} to {high:+.2f}; {estimate.kind.value})"
    values = {"estimate": estimate, "p": estimate.p_value(), "details": tuple(details)}
    lacking = too_few(estimate, view=view)
    if lacking:
        return test.result(Ruling.NOT_TESTABLE, f"{text}; {lacking}", **values)
    if test.margin is not None:
        inner_low, inner_high = estimate.interval(level=1 - 2 * ALPHA)
        if -test.margin < inner_low and inner_high < test.margin:
            return test.result(Ruling.EQUIVALENT, f"{text}; 90 % within ±{test.margin:g}", **values)
    if estimate.p_value() <= ALPHA:
        ruling = Ruling.SUPPORTED if sign * estimate.value > 0 else Ruling.CONTRADICTED
        return test.result(ruling, text, **values)
    return test.result(Ruling.NOT_SEPARABLE, f"{text}{_needed(estimate, test.margin)}", **values)


def too_few(estimate: Estimate, *, view: StudyView) -> str:
    """Why an estimate gives no verdict, or ''."""
    if estimate.kind in (Kind.ITEMS, Kind.EXPLORATORY):
        return f"a verdict needs {VERDICT_REPLICATES} replicates"
    if estimate.kind is Kind.BASES and not view.published and estimate.num_bases < VERDICT_REPLICATES:
        return f"a verdict over bases needs {VERDICT_REPLICATES} of them"
    return ""


def _needed(estimate: Estimate, margin: float | None) -> str:
    if estimate.kind is not Kind.REPLICATES:
        return ""
    needed = judge(estimate, margin=margin or 0.0).replicates_needed
    return f"; {needed} replicates would separate it" if needed else "; more replicates on these problems would not do"


def mean_over_bases(
    groups: Sequence[tuple[Sequence[Point], Sequence[float]]], outcomes: Outcomes, *, published: bool
) -> Estimate | None:
    """Mean over bases of a contrast of each base's points.

    Measured: per replicate the mean over the bases, then problems crossed with replicates; None where the bases share no
    replicate, as one base alone is no mean over them. Published (one run a base): a
    t-interval over bases, which holds their run-to-run variation too.
    """
    if not groups:
        return None
    if published:
        parts = [contrast(points, weights, outcomes) for points, weights in groups]
        values = np.array([part.value for part in parts if part is not None])
        return over_bases(values) if len(values) > 1 else parts[0]
    points = [point for members, _ in groups for point in members]
    weights = np.concatenate([np.asarray(factors, float) for _, factors in groups]) / len(groups)
    return contrast(points, tuple(weights), outcomes)


def over_bases(values: np.ndarray) -> Estimate:
    """t-interval over bases, each a single run."""
    return replace(replicate_mean(values), kind=Kind.BASES, num_replicates=1, num_bases=len(values))


def slope_estimate(line: LineFit, *, num_items: int = 0) -> Estimate:
    """A line's slope over bases as an estimate: df = bases - 2."""
    return Estimate(line.b, line.se_b, line.df, 1, num_items, Kind.BASES, num_bases=line.n)
