"""One recipe at a time: of a study that varies more than labels tell, the settings of its commonest recipe.

    main = main_recipe(points)
    main.points, main.left_out      # [...], {'data.world.human_style': {'0': 16, '0.5': 16}}

Figures, claims and tables of one recipe tell methods, amounts of data, k, numbers of donors and models
(analysis.load.places). WHATEVER else varies, a key that is swept for the first time included, is held at one value: else
settings that differ would be drawn, fitted, tabled or tested as one. So a place names ONE setting, and may be looked up.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.load.cells import Cell, matches
from analysis.load.coverage import run_beside
from analysis.load.names import value_text
from analysis.load.options import ascending, by_preference, is_option
from analysis.load.places import place_of, told, untold_keys
from analysis.load.points import Point

ENGINE = "sampling.engine"  # all draw from the model's distribution: which one did sets no two models apart


@dataclass(frozen=True)
class MainRecipe:
    """Settings of one recipe."""

    points: tuple[Point, ...]
    left_out: Mapping[str, Mapping[str, int]]  # key -> value as text -> settings left out for it

    def __str__(self) -> str:
        """What was left out, in a sentence; '' for nothing."""
        if not self.left_out:
            return ""
        parts = [
            f"{name} = {', '.join(f'{value} ({count})' for value, count in values.items())}"
            for name, values in self.left_out.items()
        ]
        total = sum(sum(values.values()) for values in self.left_out.values())
        return f"Of the commonest recipe alone; {total} settings of others are left out: {'; '.join(parts)}."


def main_recipe(points: Sequence[Point], *, free: Collection[str] = ()) -> MainRecipe:
    """Key by key the commonest value, and the settings that have it or to which it means nothing.

    `free`: keys that the reader of the points shows besides. The commonest is the value in most draws of bases that have
    another setting to be compared with (`coverage.run_beside`), then of most settings, then of most replicates, then null
    (which most keys are by themselves), then the least: the order of the points decides nothing. How models are trained
    (`train.`) and the engine that samples from them are chosen for each base, as every model may have a learning rate of its
    own and not every engine serves every model; all else once. A method's own option has the value that tables take for every
    base (`analysis.load.options`). Settings on part of their examples are left out.
    """
    kept = [point for point in points if point.cell.on_all_examples]
    left_out: dict[str, Counter[str]] = {}
    if len(kept) < len(points):
        left_out["train.examples_frac"] = Counter(
            value_text(p.cell.examples_frac) for p in points if not p.cell.on_all_examples
        )
    keys = untold_keys([point.cell for point in kept])
    # options last: the one that is taken is of settings that nothing else leaves out
    for key in sorted(keys, key=lambda key: (is_option(key), key)):
        if key in free:
            continue
        gone = _not_preferred(kept, key) if is_option(key) else _uncommon(kept, key)
        if gone:
            kept = [point for point in kept if point not in gone]
            left_out[key] = Counter(value_text(point.cell.setting[key]) or "null" for point in gone)
    for point, key in _doubles(kept, free):
        kept = [other for other in kept if other is not point]
        value = value_text(point.cell.setting[key]) if key in point.cell.setting else "not set"
        left_out.setdefault(key, Counter())[value] += 1
    assert len({_shown(point.cell, free) for point in kept}) == len(kept), "one setting for each place"
    return MainRecipe(tuple(kept), {key: dict(sorted(counts.items())) for key, counts in left_out.items()})


def _shown(cell: Cell, free: Collection[str]) -> tuple[Any, ...]:
    return (place_of(cell), *(json.dumps(cell.setting.get(key)) for key in free))


def _group(cell: Cell, key: str) -> tuple[Any, ...]:
    return (cell.base if key.startswith("train.") or key == ENGINE else "", told(cell, key))


def _not_preferred(points: Sequence[Point], key: str) -> list[Point]:
    """Points with another value of a method's own option than the one that is taken."""
    order = by_preference(points, key)
    return [p for p in points if key in p.cell.setting and json.dumps(p.cell.setting[key]) != order[0]]


def _uncommon(points: Sequence[Point], key: str) -> list[Point]:
    """Points with another value of a key than the commonest among those of which labels say the same."""
    groups: dict[tuple[Any, ...], dict[str, list[Point]]] = {}
    for point in points:
        if key in point.cell.setting:
            values = groups.setdefault(_group(point.cell, key), {})
            values.setdefault(json.dumps(point.cell.setting[key]), []).append(point)
    gone, lacking = [], [point for point in points if key not in point.cell.setting]
    for values in groups.values():
        common = min(values, key=lambda text: (*_rarity(values[text], lacking), ascending(json.loads(text))))
        gone += [point for text, members in values.items() if text != common for point in members]
    return gone


def _rarity(points: Sequence[Point], lacking: Sequence[Point]) -> tuple[int, int, int]:
    """Settings and draws in which something can be compared, then settings, then replicates."""
    bases = {point.cell.base for point in points}
    others = [point for point in lacking if point.cell.base in bases]
    return -run_beside(points, others), -len(points), -sum(len(point.cells) for point in points)


def _doubles(points: Sequence[Point], free: Collection[str]) -> list[tuple[Point, str]]:
    """Settings that agree with another wherever both have a key, with a key that only one has.

    Of such the one with the most draws, then the most replicates, then the fewest keys, stands for all: drawn beside each
    other they would be one series.
    """
    groups: dict[tuple[Any, ...], list[Point]] = {}
    doubles = []
    for point in sorted(points, key=lambda p: (-len(p.draws), -len(p.cells), len(p.cell.setting), p.cell.setting_key)):
        others = groups.setdefault(_shown(point.cell, free), [])
        twin = next((other for other in others if matches(point.cell, other.cell, but=())), None)
        if twin is None:
            others.append(point)
        else:
            doubles.append((point, min(point.cell.setting.keys() ^ twin.cell.setting.keys())))
    return doubles
