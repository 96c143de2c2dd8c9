"""How much of a study settings share: what every choice of a value, and of settings to compare, goes by.

    coverage([(rft, sft), ...])              # Coverage(size=24, draws=12, bases=2, ...) where those of a group are paired
    best_covered({4: groups, 16: groups})    # 16: of several values the one whose groups share most, of equals the largest
    best_together([[p] for p in points])     # places of those that are best compared with each other

What counts is the product of draws and bases, as verdicts are about new draws and about new bases. No choice depends on a
result.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from analysis.load.cells import Base, Draw
from analysis.load.pairs import Key, paired_replicates, replicates_of, shared_names
from analysis.load.points import Point

Group = Sequence[Point]  # settings of one base configuration
Value = TypeVar("Value")
Cells = frozenset[tuple[Draw, Key]]  # replicates by their draw and seeds
LEAST = 3  # settings that are compared on a line, where there are so many


class Coverage(NamedTuple):
    """Sizes of a design, in the order in which they count."""

    size: int  # draws of all bases together times bases: verdicts are over either
    draws: int
    bases: int
    replicates: int  # 0 where a base has several draws: there they decide nothing


def coverages(choices: Mapping[Value, Iterable[Group]]) -> dict[Value, Coverage]:
    """By value the draws, bases and replicates in which the settings of each of its groups can be compared."""
    found = {value: list(groups) for value, groups in choices.items()}
    places = {(c.base, c.draw) for groups in found.values() for group in groups for point in group for c in point.cells}
    several = len(places) > len({base for base, _ in places})
    return {value: _coverage(groups, several=several) for value, groups in found.items()}


def coverage(groups: Iterable[Group]) -> Coverage:
    """The same of one value."""
    return coverages({0: groups})[0]


def _coverage(groups: Sequence[Group], *, several: bool) -> Coverage:
    draws: set[tuple[Base, Draw]] = set()
    replicates = 0
    for group in groups:
        rows = paired_replicates(group)
        draws |= {(group[0].cell.base, row[0][0].draw) for row in rows}
        replicates += len(rows)
    bases = len({base for base, _ in draws})
    return Coverage(len(draws) * bases, len(draws), bases, 0 if several else replicates)


def run_beside(points: Iterable[Point], others: Iterable[Point]) -> int:
    """In how many draws of bases, counted for each of some settings, it was run beside another of them, or of others."""
    own: dict[tuple[Base, Draw], set[str]] = {}
    every: dict[tuple[Base, Draw], set[str]] = {}
    for group, found in ((list(points), own), ([*points, *others], every)):
        for point in group:
            for cell in point.cells:
                found.setdefault((cell.base, cell.draw), set()).add(point.cell.setting_key)
    return sum(len(own[place]) for place in own if len(every[place]) > 1)


def best_covered(choices: Mapping[Value, Iterable[Group]]) -> Value:
    """Of values that sort the one whose groups have the greatest coverage, of equals the largest. Some are given."""
    order: dict[Value, tuple[Any, ...]] = {value: (*found, value) for value, found in coverages(choices).items()}
    return max(order, key=lambda value: order[value])


def best_together(
    groups: Sequence[Group], *, least: int = LEAST, keep: Collection[int] = (), paired: bool = True
) -> list[int]:
    """Places of the groups, all of one base configuration, that are best compared with each other, in their order.

    What all of a choice have in common counts in draws, or, where the groups have one draw in all, in replicates. The choice
    is the one with the largest product of that number and the squared number of groups; of equals the one of more groups,
    then the first by its settings. `least`: groups that stay, where there are so many; where it is below LEAST, a choice that
    shares one draw is taken only where none shares several, as two groups in one draw outweigh one in three. `keep`: places
    that stay. `paired`: whether replicates have to be shared too, or the draw alone.

    Tried is every set of cells that some groups have in common, with all the groups that have it: any other choice has fewer
    groups for as much.
    """
    several = len({cell.draw for group in groups for point in group for cell in point.cells}) > 1

    def order(places: tuple[int, ...]) -> tuple[Any, ...]:
        shared = in_common([point for place in places for point in groups[place]], paired=paired, several=several)
        names = sorted(point.cell.setting_key for place in places for point in groups[place])
        return -min(shared, 2) if least < LEAST else 0, -shared * len(places) ** 2, -len(places), names

    floor = min(least, len(groups))
    choices: set[tuple[int, ...]] = {tuple(range(len(groups))), *_closed(groups, paired=paired)}
    allowed = [some for some in choices if len(some) >= floor and set(keep) <= set(some)]
    best = min(allowed, key=order)
    return list(best)


def in_common(points: Group, *, paired: bool, several: bool) -> int:
    """Draws that all of some points have, or replicates where there are not `several` draws."""
    if not paired:
        return len(set.intersection(*({cell.draw for cell in point.cells} for point in points)))
    rows = paired_replicates(points)
    return len({row[0][0].draw for row in rows}) if several else len(rows)


def _closed(groups: Sequence[Group], *, paired: bool) -> set[tuple[int, ...]]:
    """For every set of replicates (of draws, if these are not paired) that some groups have in common, all that have it."""
    found: set[tuple[int, ...]] = set()
    for names in _names(groups) if paired else [()]:
        own = _replicates(groups, names) if paired else {place: _draws(group) for place, group in enumerate(groups)}
        closed: set[Cells] = set()
        for some in own.values():
            closed |= {some, *(some & other for other in closed)}
        found |= {tuple(place for place, some in own.items() if shared <= some) for shared in closed}
    return found


def _names(groups: Sequence[Group]) -> set[tuple[str, ...]]:
    """Names of seeds that replicates may be told apart by: what the settings of a choice have in common, whichever it is."""
    every = {tuple(shared_names([point.cells])) for group in groups for point in group} - {()}
    found: set[tuple[str, ...]] = set()
    for own in every:
        found |= {own, *(tuple(sorted(set(own) & set(other))) for other in found)}
    return found or {()}


def _draws(group: Group) -> Cells:
    return frozenset.intersection(*(frozenset((cell.draw, ()) for cell in point.cells) for point in group))


def _replicates(groups: Sequence[Group], names: Sequence[str]) -> dict[int, Cells]:
    """By place the replicates that all settings of a group have, of the groups whose settings have these seeds, or none."""
    of_points = {
        place: [replicates_of(point.cells, names) for point in group]
        for place, group in enumerate(groups)
        if all(set(shared_names([point.cells])) >= set(names) or not shared_names([point.cells]) for point in group)
    }
    every = set().union(*(own for found in of_points.values() for own in found))

    def spread(own: Cells) -> Cells:
        """A setting without seeds goes with every replicate of its draws."""
        return own | {(draw, key) for draw, key in every if (draw, ()) in own}

    return {place: frozenset.intersection(*map(spread, found)) for place, found in of_points.items()}
