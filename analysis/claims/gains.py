"""Claims about who gains less: (3) of more human data, (5) of RFT, for models with lower pretraining loss.

As in analysis.claims.scaling: one function per claim, the primary contrast first, the commitments in ClaimTest constants. A
claim that the paper tests on two kinds of RFT, from a model's own samples and from a union of models, is two rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.claims.rulings import (
    ClaimResult,
    ClaimTest,
    StudyView,
    directional,
    gain_line,
    left_out_words,
    slope_estimate,
)
from analysis.claims.scaling import SMALLEST_FRACTION, full_points, log_amounts, sft_ladders
from analysis.compare.fits import log_odds, point_n, slope_weights
from analysis.compare.loss_fits import fit_on_loss
from analysis.load.cells import Base
from analysis.load.coverage import best_covered
from analysis.load.ladders import shared_tops, without_k
from analysis.load.names import unit_name
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast
from analysis.load.query import most_in_common, on_paired_replicates
from analysis.stats.linear import LineFit, NotEnough
from analysis.stats.uncertainty import Estimate

GAIN_SHRINKS = ClaimTest(
    "3",
    "better models gain less per doubling of data",
    "slope over bases of (SFT points per doubling of data, 1 to 1/8, equal epochs at every amount) on loss, above 0",
    margin=None,
    primary=True,
    unit="points per doubling per nat",
)
RFT_GAIN_SHRINKS = ClaimTest(
    "5a",
    "RFT from a model's own samples gains less for models with lower pretraining loss",
    "slope over bases of (RFT - SFT, full data, own pool, k as in 4b) on loss, above 0",
    margin=None,
    primary=True,
    unit="points per nat",
)
UNION_GAIN_SHRINKS = ClaimTest(
    "5b",
    "RFT from a union of models gains less for models with lower pretraining loss",
    "the same of RFT from a union of donors: the union that is best covered beside SFT (draws times bases), of equals the "
    "fewest donors, then the largest k",
    margin=None,
    primary=False,
    unit="points per nat",
)


OWN_RULE = "epochs as this study set them"  # for SFT on part of the data


def slope_ladders(points: Sequence[Point], *, smallest: float) -> list[list[Point]]:
    """SFT ladders of three fractions or more of bases with a loss that are not post-trained: the fractions that are best
    compared with each other (`most_in_common`).
    """
    ladders = [most_in_common(ladder) for ladder in sft_ladders(points, smallest=smallest).values()]
    return [la for la in ladders if len(la) >= 3 and la[-1].loss is not None and not la[-1].cell.post_trained]


def slope_estimates(
    points: Sequence[Point], outcomes: Outcomes, *, smallest: float = SMALLEST_FRACTION
) -> tuple[list[Point], list[Estimate]]:
    """Per base: its full-data point, of the replicates that all amounts have, and the SFT points per doubling of data."""
    tops, slopes = [], []
    for ladder in slope_ladders(points, smallest=smallest):
        estimate = contrast(ladder, tuple(slope_weights(log_amounts(ladder))), outcomes)
        if estimate is not None:
            tops.append(on_paired_replicates(ladder, outcomes)[-1])
            slopes.append(estimate)
    return tops, slopes


def odds_slopes(points: Sequence[Point], outcomes: Outcomes, *, smallest: float) -> tuple[list[Point], list[float]]:
    """The same on the log-odds scale of the means, over the replicates that all amounts have."""
    every = [on_paired_replicates(ladder, outcomes) for ladder in slope_ladders(points, smallest=smallest)]
    ladders = [ladder for ladder in every if ladder]
    slopes = []
    for ladder in ladders:
        odds = log_odds([p.estimate.value / 100 for p in ladder], n=[point_n(p) for p in ladder])
        slopes.append(float(slope_weights(log_amounts(ladder)) @ odds))
    return [ladder[-1] for ladder in ladders], slopes


def claim_gain_shrinks(view: StudyView) -> list[ClaimResult]:
    """(3): the primary at equal epochs; every other rule, range and scale as detail."""
    line = _gain_shrink_line(view.same_epochs, view.outcomes, smallest=SMALLEST_FRACTION, odds=False)
    if not isinstance(line, LineFit):
        return [GAIN_SHRINKS.not_testable(f"{line} (at equal epochs)")]
    reversed_in, compared = [], 0
    of_data = sft_ladders(view.same_epochs, smallest=SMALLEST_FRACTION).values()
    details = left_out_words((most_in_common(ladder), ladder) for ladder in of_data)
    own = "better of two (by test result)" if view.published else OWN_RULE
    for rule, points in (*view.variants, (own, view.points)):
        for smallest in (1 / 8, 1 / 32):
            for odds in (False, True):
                other = _gain_shrink_line(points, view.outcomes, smallest=smallest, odds=odds)
                if not isinstance(other, LineFit):
                    continue
                compared += 1
                name = f"{rule}, 1 to 1/{round(1 / smallest)}, {'log-odds' if odds else 'points'}"
                details.append(f"{name}: {other.b:+.2f} (SE {other.se_b:.2f}), R² {other.r2:.3f}")
                if other.b * line.b < 0:
                    reversed_in.append(name)
    what = f"slope over {line.n} bases, R² {line.r2:.3f}"
    what += f", its sign reversed in {len(reversed_in)} of {compared} variants" if reversed_in else ""
    ladders = slope_ladders(view.same_epochs, smallest=SMALLEST_FRACTION)
    groups = [(ladder, tuple(slope_weights(log_amounts(ladder)))) for ladder in ladders]
    slope = slope_estimate(line, groups=groups if len(groups) == line.n else (), outcomes=view.outcomes)
    other_scale = _gain_shrink_line(view.same_epochs, view.outcomes, smallest=SMALLEST_FRACTION, odds=True)
    said = _odds_slope(other_scale, unit=unit_name(view.points[0].cell)) if isinstance(other_scale, LineFit) else ""
    return [directional(GAIN_SHRINKS, slope, view=view, what=what, details=details, odds=said)]


def _odds_slope(line: LineFit, *, unit: str) -> str:
    low, high = line.interval()
    return f"on log-odds {line.b:+.3f} per doubling per {unit} (95 % {low:+.3f} to {high:+.3f})"


def _gain_shrink_line(
    points: Sequence[Point], outcomes: Outcomes, *, smallest: float, odds: bool
) -> LineFit | NotEnough:
    if odds:
        tops, slopes = odds_slopes(points, outcomes, smallest=smallest)
    else:
        tops, estimates = slope_estimates(points, outcomes, smallest=smallest)
        slopes = [estimate.value for estimate in estimates]
    return fit_on_loss(tops, slopes, what="gain per doubling against loss")


def claim_rft_gain_shrinks(view: StudyView) -> list[ClaimResult]:
    """(5)"""
    sft = {p.cell.base: p for p in full_points(view.points, method="sft")}
    series: dict[tuple[int, int], dict[Base, Point]] = {}
    for point in full_points(view.points, method="rft"):
        if point.cell.base in sft and point.cell.plainly_selected:
            key = (len(point.cell.union), point.cell.k or 0)
            series.setdefault(key, {})[point.cell.base] = point
    own = {key: members for key, members in series.items() if not key[0]}
    unions = {key: members for key, members in series.items() if key[0]}
    tops = shared_tops(view.points)
    details = without_k(tops, view.points)
    results = [
        _gain_result(
            RFT_GAIN_SHRINKS, own, sft, view, best=(0, tops[0].cell.k or 0) if tops else None, left_out=details
        )
    ]
    beside = {(-n, k): [(p, sft[base]) for base, p in members.items()] for (n, k), members in unions.items()}
    donors, k = best_covered(beside) if beside else (0, 0)
    return [*results, _gain_result(UNION_GAIN_SHRINKS, unions, sft, view, best=(-donors, k))]


def _gain_result(
    test: ClaimTest,
    series: dict[tuple[int, int], dict[Base, Point]],
    sft: dict[Base, Point],
    view: StudyView,
    *,
    best: tuple[int, int] | None,
    left_out: Sequence[str] = (),
) -> ClaimResult:
    """At `best`, (donors, k); every other one as detail."""
    if best is None or best not in series:
        which = f" ({_series_name(best)})" if series and best else ""
        return test.not_testable("; ".join([f"no base has both such RFT and SFT on the full data{which}", *left_out]))
    lines = {key: _gain_line(series[key], sft, view.outcomes) for key in sorted(series)}
    details = [
        f"{_series_name(key)}: {line.b:+.2f} (SE {line.se_b:.2f}), R² {line.r2:.3f}, n = {line.n}"
        for key, found in lines.items()
        if not isinstance(found, NotEnough)
        for line, _ in [found]
    ]
    found = lines[best]
    if isinstance(found, NotEnough):
        return test.not_testable("; ".join([str(found), *left_out]))
    line, slope = found
    what = f"slope of {_series_name(best)} - SFT, {line.n} bases"
    return directional(test, slope, view=view, what=what, details=[*left_out, *details])


def _series_name(key: tuple[int, int]) -> str:
    return f"RFT k={key[1]}" if not key[0] else f"RFT U{key[0]} k={key[1]} each"


def _gain_line(
    series: dict[Base, Point], sft: dict[Base, Point], outcomes: Outcomes
) -> tuple[LineFit, Estimate] | NotEnough:
    groups = [((point, sft[base]), (1.0, -1.0)) for base, point in series.items()]
    return gain_line(groups, outcomes, what="RFT gain against loss")
