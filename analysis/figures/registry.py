"""The figures there are. A new one is one file in this folder, or in a plug-in; nothing else is edited.

    @draws("accuracy_vs_k", order=30)                  # its file name; figures come in ascending order
    def accuracy_against_k(points: Sequence[Point], outcomes: Outcomes) -> Drawing | NotEnough: ...

What a figure needs are its parameters, by the names of `Supplies`' fields. Figures of elsewhere: name their module with
`analysis/plot_scaling.py --plugins my_module`, or install a package with an entry point of the group `rft.plugins`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

from analysis.claims.rulings import ClaimResult, StudyView
from analysis.figures.drawing import Drawing
from analysis.figures.findings import Says
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point
from analysis.sizes import SCREEN, Page
from analysis.stats.linear import NotEnough
from rft.registry import Registry

Draw = TypeVar("Draw", bound=Callable[..., Drawing | NotEnough])


@dataclass(frozen=True)
class Supplies:
    """What figures can be made of."""

    points: Sequence[Point]  # of the commonest recipe
    every_recipe: Sequence[Point]
    outcomes: Outcomes
    view: StudyView  # as the claims see the study
    pools: Sequence[Point] = ()  # sampled and counted, but never trained on (published study)
    published: bool = False  # whether all points are published ones
    page: Page = SCREEN  # where it is shown
    claims: Mapping[str, ClaimResult] = field(default_factory=dict)  # by number, for titles

    def with_points(self, more: Sequence[Point]) -> Supplies:
        """The same with further points to draw; claims and the view that they see are what they were."""
        return replace(self, points=[*self.points, *more], every_recipe=[*self.every_recipe, *more])


OF_POINTS = frozenset({"points", "every_recipe"})  # what `Supplies.with_points` changes


@dataclass(frozen=True)
class Figure:
    """One registered figure."""

    name: str
    order: int
    function: Callable[..., Drawing | NotEnough]
    needs: tuple[str, ...]  # fields of Supplies
    of_paper: bool  # drawn of the published study alone
    says: Says | None = None  # its title, of its fits and the claims

    @property
    def of_one_recipe(self) -> bool:
        """Whether what other recipes hold is left out of it."""
        return "every_recipe" not in self.needs and not self.of_paper

    def draw(self, supplies: Supplies, *, beside: Sequence[Point] = ()) -> Drawing | NotEnough:
        """The figure, or why there is none.

        `beside`: points of another study, drawn with this one's. Whether there is a figure, and what its title says, this
        study's own points decide.
        """
        alone = self._drawn(supplies)
        if isinstance(alone, NotEnough):
            return alone
        if self.says:
            alone = replace(alone, finding=self.says(alone.fits, supplies.claims))
        if not beside or not OF_POINTS.intersection(self.needs):
            return alone
        together = self._drawn(supplies.with_points(beside))
        return alone if isinstance(together, NotEnough) else replace(together, finding=alone.finding)

    def _drawn(self, supplies: Supplies) -> Drawing | NotEnough:
        drawing = self.function(**{name: getattr(supplies, name) for name in self.needs})
        assert isinstance(drawing, NotEnough) or drawing.name == self.name, self.name
        return drawing


FIGURES: Registry[Figure] = Registry("figure", package="analysis.figures")


def draws(name: str, *, order: int, says: Says | None = None, of_paper: bool = False) -> Callable[[Draw], Draw]:
    """Decorator that registers a figure's function. Raises ValueError for a parameter that figures cannot be given.

    `says`: makes its title of its entries in fits.json and of the claims; without it the title is its name in words.
    """
    add = FIGURES.add(name, home=str(sys._getframe(1).f_globals["__name__"]))

    def enter(function: Draw) -> Draw:
        needs = tuple(inspect.signature(function).parameters)
        allowed = [field.name for field in fields(Supplies)]
        unknown = [need for need in needs if need not in allowed]
        if unknown:
            raise ValueError(f"figure {name!r} has the parameters {unknown}: figures are given {', '.join(allowed)}")
        add(Figure(name, order, function, needs, of_paper, says))
        return function

    return enter


def draw_figures(
    supplies: Supplies, *, beside: Sequence[Point] = (), only: str | None = None
) -> list[tuple[Figure, Drawing | NotEnough]]:
    """Every figure in order, or one by its name; those of the paper alone where all points are published.

    `beside`: see `Figure.draw`.
    """
    wanted = [figure for figure in FIGURES.values() if supplies.published or not figure.of_paper]
    wanted = wanted if only is None else [figure for figure in wanted if figure.name == only]
    return [
        (figure, figure.draw(supplies, beside=beside)) for figure in sorted(wanted, key=lambda f: (f.order, f.name))
    ]
