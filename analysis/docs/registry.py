"""The generated blocks there are. A new kind is one file in `analysis/docs/blocks`; nothing else is edited.

    @makes("results")
    def results(study: Reference, words: Sequence[str]) -> str:
        "Markdown; `words` are those behind the block's name in its marker."

A page holds it as

    <!-- generated: quickstart results -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.claims.rulings import ClaimResult
from analysis.claims.run import published_claims, published_view, run_claims, study_view
from analysis.figures.drawing import Drawing
from analysis.load.cells import Table
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, make_points
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_studies
from analysis.paper import paper_table
from analysis.stats.linear import NotEnough
from analysis.study import draw_all
from rft.archive.reading import About, open_archive
from rft.registry import Registry

PUBLISHED = "published"  # the name of the paper's own study in a marker
BENCH = "bench"  # the name of the benchmarks' rows in a marker
EVERY = "every"  # in place of a name: the published study, then each committed one


@dataclass(frozen=True)
class Reference:
    """A committed study, read and drawn when it is first asked for."""

    folder: Path

    @functools.cached_property
    def about(self) -> About:
        """Commands, commits, machines."""
        return open_archive(self.folder).about

    @functools.cached_property
    def _loaded(self) -> tuple[Table, Outcomes]:
        return verified(load_studies([self.folder]))

    @property
    def table(self) -> Table:
        """Its cells."""
        return self._loaded[0]

    @property
    def outcomes(self) -> Outcomes:
        """Per problem."""
        return self._loaded[1]

    @functools.cached_property
    def points(self) -> list[Point]:
        """Its settings."""
        return make_points(self.table.cells, self.outcomes)

    @property
    def shown(self) -> Sequence[Point]:
        """Of its commonest recipe."""
        return main_recipe(self.points).points

    @property
    def notes(self) -> str:
        """What figures and claims leave out, and what was found on loading: seeds that draws share, bases made twice."""
        return " ".join(filter(None, [str(main_recipe(self.points)), *self.table.notes]))

    @functools.cached_property
    def claims(self) -> dict[str, Sequence[ClaimResult]]:
        """The claims on it and on the published study."""
        return {
            "this study": run_claims(study_view(self.points, self.outcomes)),
            "published": published_claims(),
        }

    @functools.cached_property
    def drawings(self) -> list[Drawing | NotEnough]:
        """Its figures."""
        return draw_all(self.points, self.outcomes, claims=next(iter(self.claims.values())))


@dataclass(frozen=True)
class Published(Reference):
    """The published study, as blocks see it: it has no records."""

    folder: Path = Path(PUBLISHED)

    @functools.cached_property
    def about(self) -> About:
        """None: raises ValueError."""
        raise ValueError("the published study has no records")

    @functools.cached_property
    def _loaded(self) -> tuple[Table, Outcomes]:
        return paper_table(), published_view().outcomes

    @functools.cached_property
    def points(self) -> list[Point]:
        """Its settings, one for each place."""
        return list(published_view().points)

    @functools.cached_property
    def claims(self) -> dict[str, Sequence[ClaimResult]]:
        """The claims on it."""
        return {"published": published_claims()}

    @property
    def shown(self) -> Sequence[Point]:
        """All of them."""
        return self.points

    @property
    def notes(self) -> str:
        """Which epochs its fractions have."""
        return "SFT on part of the data: the better of two epoch rules by test result, as in the paper's figures."


@dataclass(frozen=True)
class Benchmarks(Reference):
    """Committed rows of benchmarks, as blocks see them: files of JSON lines in a folder, and no records."""

    @functools.cached_property
    def about(self) -> About:
        """None: raises ValueError."""
        raise ValueError("benchmarks have no records")

    @functools.cached_property
    def _loaded(self) -> tuple[Table, Outcomes]:
        raise ValueError("benchmarks have no records: of them there is the block speed")


@dataclass(frozen=True)
class Picture:
    """A figure that a page shows."""

    drawing: Drawing
    study: str
    small: bool = False  # of a gallery: in a folder of its own, under its study's name, at a lower resolution

    @property
    def file(self) -> str:
        """Its path below docs/."""
        return f"gallery/{self.study}-{self.drawing.name}.png" if self.small else f"{self.drawing.name}.png"


Part = str | Picture
Make = Callable[[Reference, Sequence[str]], Part | list[Part]]  # a list stands paragraph by paragraph
BLOCKS: Registry[Make] = Registry("block", package="analysis.docs.blocks")


def makes(name: str) -> Callable[[Make], Make]:
    """Decorator that registers what makes a kind of block."""
    return BLOCKS.add(name, home=str(sys._getframe(1).f_globals["__name__"]))
