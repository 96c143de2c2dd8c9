"""One recipe at a time: of a study that varies more than figures and claims compare, the settings of its commonest recipe.

    main = main_recipe(points)
    main.points, main.left_out      # [...], {'data.world.human_style': {0.0: 16, 0.5: 16}}

Figures and claims show methods, amounts of data, k, donors, selections and models. WHATEVER else varies, a key that is swept
for the first time included, is held at one value: else settings that differ would be drawn, fitted or tested as one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.points import Point
from analysis.records import Base, Cell, matches, value_text, varying_keys
from analysis.tables import SHOWN

OF_MODEL = ("model.", "donors.")  # parts of a base, which is an axis


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
        return f"Figures and claims are of the commonest recipe; {total} settings of others are left out: {'; '.join(parts)}."


def main_recipe(points: Sequence[Point]) -> MainRecipe:
    """Key by key the commonest value (of equals the first), and the settings that have it or to which it means nothing.

    How models are trained (`train.`) is chosen for each base, as every model may have a learning rate of its own; all else
    once. Settings on part of their examples are left out.
    """
    kept = [point for point in points if point.cell.on_all_examples]
    left_out: dict[str, dict[str, int]] = {}
    if len(kept) < len(points):
        parts = Counter(value_text(p.cell.examples_frac) for p in points if not p.cell.on_all_examples)
        left_out["train.examples_frac"] = dict(parts)
    for key in varying_keys(point.cell for point in kept):
        if key in SHOWN or key.startswith(OF_MODEL):
            continue
        common = _commonest(kept, key, by_base=key.startswith("train."))
        gone = [p for p in kept if key in p.cell.setting and _text(p.cell, key) != common[_group(p.cell, key)]]
        if gone:
            kept = [point for point in kept if point not in gone]
            left_out[key] = dict(Counter(value_text(point.cell.setting[key]) or "null" for point in gone))
    for point, key in _doubles(kept):
        kept = [other for other in kept if other is not point]
        value = value_text(point.cell.setting[key]) if key in point.cell.setting else "not set"
        counts = left_out.setdefault(key, {})
        counts[value] = counts.get(value, 0) + 1
    return MainRecipe(tuple(kept), left_out)


def _group(cell: Cell, key: str) -> Base:
    return cell.base if key.startswith("train.") else ""


def _text(cell: Cell, key: str) -> str:
    return json.dumps(cell.setting[key])


def _commonest(points: Sequence[Point], key: str, *, by_base: bool) -> dict[Base, str]:
    counts: dict[Base, Counter[str]] = {}
    for point in points:
        if key in point.cell.setting:
            group = point.cell.base if by_base else ""
            counts.setdefault(group, Counter())[_text(point.cell, key)] += 1
    return {group: found.most_common(1)[0][0] for group, found in counts.items()}


def _doubles(points: Sequence[Point]) -> list[tuple[Point, str]]:
    """Settings that agree with another wherever both have a key, with a key that only one has (one voted besides).

    Of such the one with the most replicates stands for all: drawn beside each other they would be one series.
    """
    groups: dict[str, list[Point]] = {}
    doubles = []
    for point in sorted(points, key=lambda p: -len(p.cells)):
        shown = json.dumps([point.cell.base, *(point.cell.setting.get(key) for key in SHOWN)])
        others = groups.setdefault(shown, [])
        twin = next((other for other in others if matches(point.cell, other.cell, but=())), None)
        if twin is None:
            others.append(point)
        else:
            doubles.append((point, min(point.cell.setting.keys() ^ twin.cell.setting.keys())))
    return doubles
