"""Points on the cells that voted in ONE way: votes at two temperatures, or in two numbers, are not set side by side.

found = in_one_way(points, outcomes)
found.points, found.words       # [...], ' Votes of another kind are left out: RFT k=16 (vote_temperature 1.4).'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.load.cells import OF_VOTES, Cell
from analysis.load.labels import setting_label
from analysis.load.names import base_names, value_text
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, accuracy_of
from analysis.load.votes import has_voted, vote_way, vote_ways


@dataclass(frozen=True)
class OneWay:
    """Settings with votes."""

    points: tuple[Point, ...]  # each of its cells that voted so, greedy accuracy too
    words: str  # what voted otherwise, in a sentence with a space before it; '' for nothing


def commonest_way(points: Iterable[Point]) -> str | None:
    """The way of voting that most draws of bases have, then most cells; None where nothing voted."""
    ways = vote_ways([cell for point in points for cell in point.cells if has_voted(cell)])
    return ways[0] if ways else None


def cast_in(point: Point, way: str | None) -> list[Cell]:
    """Its cells that voted in a way."""
    return [cell for cell in point.cells if has_voted(cell) and vote_way(cell) == way]


def in_one_way(points: Sequence[Point], outcomes: Outcomes) -> OneWay:
    """Of some settings those that voted in their commonest way, on the cells that did."""
    way = commonest_way(points)
    kept, others = [], []
    for point in points:
        cells = cast_in(point, way)
        if cells:
            same = len(cells) == len(point.cells)
            kept.append(point if same else Point(tuple(cells), accuracy_of(cells, outcomes)))
        elif any(map(has_voted, point.cells)):
            others.append(point)
    return OneWay(tuple(kept), _words(others, among=points))


def _words(others: Sequence[Point], *, among: Sequence[Point]) -> str:
    if not others:
        return ""
    names = base_names(point.cell for point in among)
    told = [f"{names[p.cell.base]}, {setting_label(p.cell)} ({_way_words(p)})" for p in others]
    return f" Votes of another kind are left out: {'; '.join(told)}."


def _way_words(point: Point) -> str:
    votes = next(cell.votes for cell in point.cells if has_voted(cell))
    return ", ".join(f"vote_{key.removeprefix(OF_VOTES)} {value_text(value)}" for key, value in sorted(votes.items()))
