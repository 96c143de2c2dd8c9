"""One recipe at a time: of a study that varies more than figures and claims compare, the settings of its commonest recipe.

    main = main_recipe(points)
    main.points, main.left_out      # [...], {'human_style': {0.0: 16, 0.5: 16}}

Without this a base would count twice in a regression over bases, once per recipe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.points import Point

FIELDS = ("data", "eval_subset", "human_style", "temperature", "sample_from", "epoch_rule", "epochs")


@dataclass(frozen=True)
class MainRecipe:
    """Settings of one recipe."""

    points: tuple[Point, ...]
    left_out: Mapping[str, Mapping[Any, int]]  # field -> value -> settings left out for it

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
    """Field by field the commonest value (of equals the first), and the settings that have it or to which it means nothing.

    Epochs are compared under the rule 'fixed' alone. Settings on part of their examples are left out.
    """
    kept = [point for point in points if point.cell.on_all_examples]
    left_out: dict[str, dict[Any, int]] = {}
    if len(kept) < len(points):
        parts = Counter(p.cell.examples_frac for p in points if not p.cell.on_all_examples)
        left_out["examples_frac"] = dict(parts)
    for name in FIELDS:
        values = [_value(point, name) for point in kept]
        counts = Counter(value for value in values if value is not None)
        if len(counts) > 1:
            common = counts.most_common(1)[0][0]
            kept = [point for point, value in zip(kept, values, strict=True) if value in (None, common)]
            left_out[name] = {value: count for value, count in counts.items() if value != common}
    return MainRecipe(tuple(kept), left_out)


def _value(point: Point, name: str) -> Any:
    if name == "epochs" and point.cell.epoch_rule != "fixed":
        return None
    if name == "sample_from" and point.cell.data_frac in (None, 1.0):
        return None  # all questions are the own ones
    return getattr(point.cell, name)
