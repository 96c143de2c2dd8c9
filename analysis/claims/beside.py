"""RFT beside its controls, each over the bases that have it: what claim 4a and the figure of differences say alike.

    found = beside([(rft, {"sft_matched": control, ...}), ...], points, outcomes)
    found.harder             # the smallest true difference, of the controls that allow a verdict
    found.short              # controls that do not, where another does: RFT can fall behind, and no more

RFT beats the harder control where it beats each (an intersection-union test): so each difference is judged on all the bases
and draws that it has, and neither a control that is missing somewhere nor one that is added takes anything from the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.claims.rulings import averaged
from analysis.compare.comparisons import lacking
from analysis.compare.controls import CONTROLS, harder
from analysis.load.outcomes import Outcomes
from analysis.load.points import Contrast, Point, Scale, mean_contrast
from analysis.load.query import lacking_words
from analysis.stats.uncertainty import Estimate


@dataclass(frozen=True)
class Beside:
    """Means over bases of the differences from some controls, by control."""

    pairs: Mapping[str, Sequence[Contrast]]
    differences: Mapping[str, Estimate]
    details: tuple[str, ...]  # a line for each base that is left out of a difference

    @property
    def judged(self) -> tuple[str, ...]:
        """The controls that allow a verdict; all, where none does."""
        able = tuple(name for name, one in self.differences.items() if not lacking(one))
        return able or tuple(self.differences)

    @property
    def short(self) -> tuple[str, ...]:
        """The others."""
        return tuple(name for name in self.differences if name not in self.judged)

    @property
    def harder(self) -> Estimate | None:
        """The smallest of the differences that are judged; None where there is none."""
        return harder([self.differences[name] for name in self.judged]) if self.differences else None

    def harder_on(self, scale: Scale, outcomes: Outcomes) -> Estimate | None:
        """The same of these pairs on another scale."""
        found = [mean_contrast(self.pairs[name], outcomes, scale=scale) for name in self.judged]
        known = [one for one in found if one is not None]
        return harder(known) if known else None

    def points_beside(self, names: Sequence[str]) -> list[Point]:
        """What stands beside these controls, each base once."""
        found = {points[0].cell.base: points[0] for name in names for points, _ in self.pairs[name]}
        return list(found.values())


def beside(own: Sequence[tuple[Point, Mapping[str, Point]]], points: Sequence[Point], outcomes: Outcomes) -> Beside:
    """Of points, one of a base, with what each is compared with by name; `points`: all of the study, which name the bases."""
    names = list(dict.fromkeys(name for _, found in own for name in found))
    pairs: dict[str, Sequence[Contrast]] = {}
    differences: dict[str, Estimate] = {}
    lines: dict[str, list[str]] = {}
    for name in names:
        groups, left_out = averaged([((p, found[name]), (1.0, -1.0)) for p, found in own if name in found], points)
        without = [p for p, found in own if name not in found]
        lines[name] = [*lacking_words(without, points, what="such cell"), *left_out]
        estimate = mean_contrast(groups, outcomes) if groups else None
        if estimate is not None:
            pairs[name], differences[name] = groups, estimate
    return Beside(pairs, differences, tuple(_told(lines)))


def _told(lines: Mapping[str, Sequence[str]]) -> list[str]:
    """What holds for every control once, the rest with the control's name."""
    every = dict.fromkeys(line for own in lines.values() for line in own)
    shared = [line for line in every if all(line in own for own in lines.values())]
    rest = [f"{CONTROLS.get(name, name)}: {line}" for name, own in lines.items() for line in own if line not in shared]
    return [*shared, *rest]
