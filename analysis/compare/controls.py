"""Which SFT a method is compared with: the harder of two controls, without choosing it by the test outcomes.

SFT can be given the optimiser steps of the method (`sft_matched`: more passes, untuned) or the number of passes that did best
on validation problems (`sft_best`). Neither is always better. Whoever picks the weaker has a gain for nothing; whoever picks
the one with the higher test accuracy has looked at the noise that the comparison is judged by. So both differences are
computed, and the claim is about the smaller TRUE one, min(d1, d2):

- it is above 0 where both are: each is tested at the full level (intersection-union test, Berger 1982, Technometrics 24,
  295-300), and the lower end is the smaller lower end;
- it is below 0 where either is: each is tested at half the level (Bonferroni), and the upper end is the smaller upper end at
  that level.

Both intervals are so: of these bases, and of new bases of this kind, where both differences have the second.

    found = controls_of(rft, points)                 # {'sft_matched': Point, 'sft_best': Point}: those that the study has
    compare(rft, found, outcomes).result.verdict     # Verdict.BETTER
    harder([first, second]).interval()               # (-0.3, 1.9)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from analysis.compare.comparisons import MARGIN, Comparison, judge
from analysis.compare.limits import limits_of
from analysis.load.cells import BEST, MATCHED
from analysis.load.labels import studied
from analysis.load.names import base_names
from analysis.load.options import grids
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, Scale, contrast
from analysis.load.query import run_apart, same_but, steps_apart
from analysis.stats.uncertainty import Estimate, both_intervals

CONTROLS = {MATCHED: "SFT at equal steps", BEST: "SFT at its validated budget"}  # in words


@dataclass(frozen=True)
class Harder(Estimate):
    """The smaller of several differences; the fields of an estimate are those of the one that is smallest."""

    parts: tuple[Estimate, ...] = ()
    whole: tuple[Estimate, ...] = ()  # where `parts` are taken for these bases: the same with what draws show of them

    @property
    def judged(self) -> tuple[Estimate, ...]:
        """All of them."""
        return self.whole or self.parts

    def interval(self, *, level: float = 0.95) -> tuple[float, float]:
        """Of the smallest true difference: at least `level` whichever it is."""
        each = 1 - (1 - level) / len(self.parts)
        low = min(part.interval(level=level)[0] for part in self.parts)
        return low, min(part.interval(level=each)[1] for part in self.parts)

    def half_width(self, *, level: float = 0.95) -> float:
        """The longer side of the interval; NaN where one of the differences has no error."""
        low, high = self.interval(level=level)
        return max(self.value - low, high - self.value)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p of the smallest true difference being `null`: all must lie above it, or one below."""
        above = [part.p_value(null) for part in self.parts if part.value > null]
        if len(above) == len(self.parts):
            return max(above)
        below = [part.p_value(null) for part in self.parts if part.value <= null]
        return min(1.0, len(self.parts) * min(below))


def harder(differences: Sequence[Estimate]) -> Estimate:
    """The smaller of the true differences from several controls; of one control, that difference itself.

    Of new bases of this kind where all of them are; else all are taken for these bases as they are, and what lacks for a
    verdict is that of the difference with one draw; the scatter that another's draws show is known all the same.
    """
    assert differences, "a comparison has a control"
    if len(differences) == 1:
        return differences[0]
    if all(one.new_bases is not None for one in differences):
        return replace(_smallest(differences), these=_smallest([one.these_bases for one in differences]))
    lacking_first = sorted(differences, key=lambda one: one.new_bases is not None)
    return replace(_smallest([one.these_bases for one in differences]), whole=tuple(lacking_first))


def _smallest(differences: Sequence[Estimate]) -> Harder:
    least = min(differences, key=lambda estimate: estimate.value)
    own = {one.name: getattr(least, one.name) for one in fields(Estimate)}
    return Harder(**own, parts=tuple(differences))


@dataclass(frozen=True)
class Against:
    """A point against its controls."""

    point: Point
    result: Comparison  # with the harder one
    differences: Mapping[str, Estimate]  # by control
    positive: Sequence[Estimate] = ()  # the positive controls that were run in its base
    controls: Mapping[str, Point] = field(default_factory=dict)  # those of the differences
    apart: Sequence[str] = ()  # a line for each control that was run in other draws or replicates


def compare(
    point: Point,
    controls: Mapping[str, Point],
    outcomes: Outcomes,
    *,
    margin: float = MARGIN,
    positive: Sequence[Estimate] = (),
) -> Against | None:
    """A point minus the harder of some controls, replicate by replicate; None when it shares one with none of them."""
    pairs = {name: (point, control) for name, control in controls.items()}
    found = {name: contrast(pair, (1.0, -1.0), outcomes) for name, pair in pairs.items()}
    differences = {name: estimate for name, estimate in found.items() if estimate is not None}
    if not differences:
        return None
    odds = [contrast(pairs[name], (1.0, -1.0), outcomes, scale=Scale.LOG_ODDS) for name in differences]
    on_odds = harder([one for one in odds if one is not None])
    limits = limits_of([point, *(controls[name] for name in differences)])
    result = judge(harder(list(differences.values())), margin=margin, control=positive, odds=on_odds, limits=limits)
    return Against(point, result, differences, positive, {name: controls[name] for name in differences})


def rejudged(one: Against, *, p: float | None, among: int = 1) -> Against:
    """The same after p was corrected for the others of `among` comparisons."""
    old = one.result
    result = judge(
        old.estimate, margin=old.margin, control=one.positive, odds=old.odds, p=p, among=among, limits=old.limits
    )
    return replace(one, result=result)


def controls_of(point: Point, points: Sequence[Point]) -> dict[str, Point]:
    """The controls that a studied method's point has in its draws and replicates, by method; none for other points."""
    if not studied(point.cell):
        return {}
    return {name: control for name in CONTROLS if (control := same_but(point, points, method=name)) is not None}


def other_steps(points: Sequence[Point], among: Sequence[Point]) -> list[str]:
    """A line where step-matched SFT of some points was run but is no control, as it took other numbers of steps.

    'sft_matched of 1 of 5 settings took other numbers of optimiser steps than they did (-1 % to +68 % in single replicates)'
    """
    gaps = [gap for point in points if (gap := steps_apart(point, among)) is not None]
    if not gaps:
        return []
    ends = {f"{100 * end:+.0f} %": None for end in (min(gap.low for gap in gaps), max(gap.high for gap in gaps))}
    span = f"{' to '.join(ends)} in single replicates"
    took = f"took other numbers of optimiser steps than they did ({span})"
    return [f"{MATCHED} of {len(gaps)} of {len(points)} settings {took}"]


def other_runs(points: Sequence[Point], among: Sequence[Point], *, methods: Iterable[str] = CONTROLS) -> list[str]:
    """A line for each of some methods that bases of some points have, but in other draws or replicates: no control there.

    'sft_matched of nano-l was run in other draws or replicates than rft there, and so is no control of it'
    """
    names = base_names(point.cell for point in among)
    lines = []
    for method in methods:
        apart = [point for point in points if run_apart(point, among, method=method)]
        bases = ", ".join(dict.fromkeys(names[point.cell.base] for point in apart))
        theirs = ", ".join(dict.fromkeys(point.method for point in apart))
        where = f"was run in other draws or replicates than {theirs} there, and so is no control of it"
        lines += [f"{method} of {bases} {where}"] if apart else []
    return lines


def control_words(names: Sequence[str], *, used: Iterable[Point] = ()) -> str:
    """'the harder of SFT at equal steps and SFT at its validated budget', or the one that there is.

    With the points that are `used`, also the numbers of epochs that the budget was chosen from, where all have the same.
    """
    found = grids(used)
    told = {name: CONTROLS[name] for name in names}
    if BEST in told and len(found) == 1:
        told[BEST] += f" (best of {found[0]} epochs)"
    return f"the harder of {' and '.join(told.values())}" if len(told) > 1 else f"{told[names[0]]} alone"


def told_apart(differences: Mapping[str, Estimate]) -> list[str]:
    """Each difference in words, for both to be shown."""
    return [
        f"minus {CONTROLS[name]}: {one.value:+.2f} (95 %: {both_intervals(one)})" for name, one in differences.items()
    ]
