"""Which next run shrinks an interval most per hour, and how many replicates a difference needs before the first run.

for option in next_runs(points, outcomes, target="rft_gain"): print(option)
print(draws_table(sd=2.0, num_problems=1319))

python -m analysis.plan.planner DIR --target rft_gain
python -m analysis.plan.planner --sd 2 --problems 1319
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analysis.compare.comparisons import ASSUMED_DRAW_SD, matched_pairs
from analysis.compare.fits import keep_measurable, on_a_line, slope_weights
from analysis.compare.limits import most_problems
from analysis.compare.loss_fits import fit_on_loss
from analysis.load.cells import Base
from analysis.load.checks import verified
from analysis.load.coverage import coverage
from analysis.load.labels import setting_label
from analysis.load.ladders import own_ladders
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, contrast, make_points
from analysis.load.query import most_in_common, where
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_studies
from analysis.plan.amounts import count, finite
from analysis.plan.gains_plan import MINUTES_PER_HOUR, assumed_words, budget_text, gain_noise
from analysis.plan.hours import anew_hours, own_hours
from analysis.plan.repeats import bends, repeats_of
from analysis.stats.budget import Design, draws_table
from analysis.stats.linear import LineFit, NotEnough, fit_line, t_quantile
from analysis.stats.power import VERDICT_UNITS


@dataclass(frozen=True)
class Option:
    """One next run."""

    action: str
    hours: float  # of one worker, from the costs in the records; 0 where the records hold none
    half_width_now: float  # infinite where it is not estimable: of one draw, or one replicate of a given model
    half_width_after: float  # expected

    @property
    def shrink_per_hour(self) -> float:
        """Expected loss of half-width per hour; by the whole shrink where the cost is unknown."""
        return (self.half_width_now - self.half_width_after) / (self.hours or 1.0)

    def __str__(self) -> str:
        cost = f"{self.hours:.3g} h" if self.hours else "cost unknown"
        now = f"±{self.half_width_now:.2f}" if math.isfinite(self.half_width_now) else "not estimable now"
        return f"{self.action}: {now} -> ±{self.half_width_after:.2f} for {cost}"


def next_runs(points: Sequence[Point], outcomes: Outcomes, *, target: str) -> list[Option] | NotEnough:
    """Options for one target of TARGETS, the best per hour first. Raises ValueError for an unknown target."""
    if target not in TARGETS:
        raise ValueError(f"unknown target {target!r}; allowed are {', '.join(TARGETS)}")
    options = TARGETS[target](points, outcomes)
    if isinstance(options, NotEnough):
        return options
    return sorted(options, key=lambda option: (-option.shrink_per_hour, option.hours))


def _rft_gain(points: Sequence[Point], outcomes: Outcomes) -> list[Option] | NotEnough:
    """A method minus its own matched SFT, setting by setting, in new bases: another draw, a replicate, twice the problems."""
    options: list[Option] = []
    names = base_names(p.cell for p in points)
    for rft, control in matched_pairs(points):
        found = gain_noise(rft, control, outcomes)
        if found is None:
            continue
        parts, design, prices = found
        label = f"{names[rft.cell.base]}, {setting_label(rft.cell)}"
        for action, larger in _larger(design, most=most_problems(rft)).items():
            hours = (larger.minutes(prices) - design.minutes(prices)) / MINUTES_PER_HOUR
            widths = (design.half_width(parts), larger.half_width(parts))
            options.append(Option(f"{label}: {action}{assumed_words(parts, design)}", hours, *widths))
    return options or NotEnough("the plan for RFT's gain", "no RFT cell has its sft_matched control with outcomes")


def _larger(design: Design, *, most: int) -> dict[str, Design]:
    """Designs with more of one thing. From one draw no interval follows, whatever else there is more of."""
    extra = max(1, VERDICT_UNITS - design.draws)
    units = f"more {'replicate' if design.given else 'draw'}{'s' if extra > 1 else ''}"
    grown = {f"{extra} {units}{'' if design.given else ' of the base'}": replace(design, draws=design.draws + extra)}
    if design.draws == 1:
        return grown
    if not design.given:
        grown["1 more replicate of every draw"] = replace(design, replicates=design.replicates + 1)
    problems = min(2 * design.problems, most)
    if problems > design.problems:
        every = problems < 2 * design.problems
        grown[f"all {problems:,} test problems" if every else "twice the test problems"] = replace(
            design, problems=problems
        )
    return grown


@dataclass(frozen=True)
class _Scatter:
    """How far points lie from their line: the variance of one, its degrees of freedom, and what one more adds to them."""

    sigma2: float
    df: float
    gain_point: float = 1.0

    @staticmethod
    def of_line(line: LineFit) -> _Scatter:
        """From the residuals."""
        return _Scatter(float(line.residuals @ line.residuals) / line.df, line.df)


def _slope_options(x: np.ndarray, scatter: _Scatter, *, new_x: Sequence[tuple[str, float, float]]) -> list[Option]:
    """More points on a line; `new_x`: (action, x, hours)."""
    now = _slope_width(x, scatter.sigma2, df=scatter.df)
    return [
        Option(
            action, hours, now, _slope_width(np.append(x, value), scatter.sigma2, df=scatter.df + scatter.gain_point)
        )
        for action, value, hours in new_x
    ]


def _slope_width(x: np.ndarray, sigma2: float, *, df: float) -> float:
    """Half-width of the interval of a slope."""
    return t_quantile(0.95, df=df) * math.sqrt(sigma2 / float(((x - x.mean()) ** 2).sum()))


def _data_slope(points: Sequence[Point], outcomes: Outcomes) -> list[Option] | NotEnough:
    """SFT points per doubling of data: half the smallest fraction, or the whole ladder again."""
    return _ladder_options(
        points, outcomes, method="sft", amount=lambda p: p.mean_of("num_human"), grow=0.5, unit="human examples"
    )


def _k_slope(points: Sequence[Point], outcomes: Outcomes) -> list[Option] | NotEnough:
    """RFT points per doubling of k: twice the largest k, or the whole ladder again."""
    own = [point for ladder in own_ladders(points).values() for point in ladder]
    return _ladder_options(
        own, outcomes, method="rft", amount=lambda p: p.cell.k, grow=2.0, unit="samples per question"
    )


def _ladder_options(
    points: Sequence[Point],
    outcomes: Outcomes,
    *,
    method: str,
    amount: Callable[[Point], float | None],
    grow: float,
    unit: str,
) -> list[Option] | NotEnough:
    options: list[Option] = []
    for base, name in base_names(p.cell for p in points).items():
        ladder = [p for p in where(points, method=method, base=base) if amount(p)]
        compared, _ = on_a_line(ladder, lambda p: math.log2(amount(p) or 1), outcomes)
        x = np.array([math.log2(amount(p) or 1) for p in compared])
        line = fit_line(x, [p.estimate.value for p in compared], what=name)
        if not isinstance(line, LineFit):
            continue
        scatter, now = _Scatter.of_line(line), _slope_width(x, _Scatter.of_line(line).sigma2, df=line.df)
        edge = compared[int(x.argmin() if grow < 1 else x.argmax())]
        end = math.log2(amount(edge) or 1)
        target = end + math.log2(grow)
        new = (f"{method} at {2**target:.0f} {unit}", target, own_hours([edge]) * len(edge.cells) * grow)
        further = [p for p in ladder if (math.log2(amount(p) or 1) - end) * math.log2(grow) > 0]
        at_an_end = keep_measurable(further)[1]  # a point beyond them would be there too
        found = _slope_options(x, scatter, new_x=[] if at_an_end else [new])
        for again in repeats_of(compared, bends(x), outcomes):  # of as many points: the same df
            width = _slope_width(x, again.left_of(scatter.sigma2), df=scatter.df)
            found.append(Option(again.action, again.hours, now, width))
        options += [replace(option, action=f"{name}: {option.action}") for option in found]
    return options or NotEnough(
        f"the plan for {method}'s slope", "no base has 3 points within floor and ceiling on draws that they share"
    )


def donor_ladder(points: Sequence[Point], base: Base) -> list[Point]:
    """RFT on all data by number of donors (the own pool is one), of the numbers that are best compared with each other
    (`most_in_common`): at the k per donor with the most draws times the squared number of them, of equals the largest.
    """
    by_k: dict[int, dict[int, Point]] = {}
    for point in where(points, base=base, method="rft", data_frac=1, plainly_selected=True):
        by_k.setdefault(point.cell.k or 0, {})[max(1, len(point.cell.union))] = point
    ladders = {k: most_in_common([found[number] for number in sorted(found)]) for k, found in by_k.items()}
    worth = {k: (coverage([ladder]).draws * len(ladder) ** 2, k) for k, ladder in ladders.items()}
    return ladders[max(worth, key=lambda k: worth[k])] if ladders else []


def _donor_slope(points: Sequence[Point], outcomes: Outcomes) -> list[Option] | NotEnough:
    """RFT points per doubling of donors at one k per donor: another donor, or the whole ladder again."""
    options: list[Option] = []
    for base, name in base_names(p.cell for p in points).items():
        ladder = donor_ladder(points, base)
        if len(ladder) < 2:
            continue
        x = np.log2([max(1, len(p.cell.union)) for p in ladder])
        slope = contrast(ladder, tuple(slope_weights(x)), outcomes)
        if slope is None or slope.num_replicates < 2 or not math.isfinite(slope.se):
            continue
        spread = float(((x - x.mean()) ** 2).sum())
        scatter = _Scatter(slope.se**2 * spread, slope.df, gain_point=0.0)
        donors = max(1, len(ladder[-1].cell.union))
        hours = own_hours(ladder[-1:]) * len(ladder[-1].cells) * (donors + 1) / donors
        new = (f"RFT from another donor ({donors + 1} in all)", math.log2(donors + 1), hours)
        found = _slope_options(x, scatter, new_x=[new])
        for again in repeats_of(ladder, [slope_weights(x)], outcomes):
            gained = again.new_draws or (again.new_replicates if slope.num_draws == 1 else 0)
            width = t_quantile(0.95, df=slope.df + gained) * math.sqrt(again.left_of(slope.se**2))
            found.append(Option(again.action, again.hours, found[0].half_width_now, width))
        options += [replace(option, action=f"{name}: {option.action}") for option in found]
    return options or NotEnough(
        "the plan for donors", "no base has RFT from two numbers of donors at one k, with replicates"
    )


def _loss_slope(points: Sequence[Point], outcomes: Outcomes) -> list[Option] | NotEnough:  # noqa: ARG001
    """SFT points per nat of pretraining loss: another base at either end of the losses seen.

    The scatter about the line is of bases, each with a deviation of its own, which no replicate makes smaller, and of means
    over draws: the new base is run with as many draws and replicates as the one that it is like.
    """
    sft = [p for p in where(points, method="sft", data_frac=1) if p.loss is not None]
    line = fit_on_loss(sft, [p.estimate.value for p in sft], what="SFT against loss")
    if not isinstance(line, LineFit):
        return line
    names = base_names(p.cell for p in points)
    new = []
    for end in (int(line.x.argmin()), int(line.x.argmax())):
        like = f"like {names[sft[end].cell.base]}{_size_words(sft[end])}"
        new.append((f"another base at loss {line.x[end]:.2f} ({like})", float(line.x[end]), anew_hours([sft[end]])))
    return _slope_options(line.x, _Scatter.of_line(line), new_x=new)


def _size_words(point: Point) -> str:
    """', in 6 draws of 12 replicates in all', as many as a point has; '' for a single run."""
    draws, replicates = len(point.draws), len(point.cells)
    if draws == 1:
        return f", in {replicates} replicates" if replicates > 1 else ""
    return f", in {draws} draws{f' of {replicates} replicates in all' if replicates > draws else ''}"


TARGETS: dict[str, Callable[[Sequence[Point], Outcomes], list[Option] | NotEnough]] = {
    "rft_gain": _rft_gain,
    "data_slope": _data_slope,
    "k_slope": _k_slope,
    "donor_slope": _donor_slope,
    "loss_slope": _loss_slope,
}


WORDS = {
    "rft_gain": "RFT minus SFT at equal steps [points]",
    "data_slope": "SFT gain per doubling of data [points]",
    "k_slope": "RFT gain per doubling of k [points]",
    "donor_slope": "RFT gain per doubling of donors [points]",
    "loss_slope": "SFT against pretraining loss [points per nat]",
}


def main(arguments: Sequence[str]) -> int:
    """Command line; exit status 2 for bad input."""
    parser = argparse.ArgumentParser(
        description="Which run next, how to spend minutes, or how many draws before the first."
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR")
    parser.add_argument("--target", default="rft_gain", choices=list(TARGETS))
    parser.add_argument(
        "--sd",
        type=finite(least=0.0),
        default=ASSUMED_DRAW_SD,
        help="points from draw to draw of the base, of a difference",
    )
    parser.add_argument("--problems", type=count, default=1319, help="test problems")
    parser.add_argument(
        "--minutes",
        type=finite(above=0.0),
        help="of one worker: how to spend them on draws, replicates and problems",
    )
    options = parser.parse_args(arguments)
    if not options.folders:
        print(draws_table(sd=options.sd, num_problems=options.problems))
        return 0
    try:
        table, outcomes = verified(load_studies(options.folders))
    except ValueError as error:
        print(f"planner: {error}", file=sys.stderr)
        return 2
    main = main_recipe(make_points(table.cells, outcomes))
    if options.minutes is not None:
        print(budget_text(main.points, outcomes, minutes=options.minutes))
        return 0
    found = next_runs(main.points, outcomes, target=options.target)
    lines = [str(found)] if isinstance(found, NotEnough) else [str(option) for option in found]
    print("\n".join([*lines, *filter(None, [str(main)])]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
