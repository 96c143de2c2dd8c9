"""The choice of a recipe on validation problems: one model's SFT with every recipe of a grid, each try a stage of its own.

Writes `choice.json`:

{"chosen": {"lr": 0.003, "epochs": 8}, "tries": [{"lr": 0.001, "epochs": 8, "accuracy": 0.41}, ...], "num_validation": 1024,
 "split": "validation split", "at_edge": ["lr 0.003 is the largest tried"]}

    >>> points = [{"lr": lr} for lr in (0.001, 0.003, 0.01)]
    >>> best_of(points, [0.4, 0.4, 0.4])                     # of equals the one nearest to the middle of the grid
    1
    >>> best_of(points, [0.4, 0.3, 0.4])                     # of equally near ones the first
    0
    >>> edges(points, 2)
    ['lr 0.01 is the largest tried']
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rft.records import read_json, write_json
from rft.stages.evaluate import Evaluate
from rft.stages.stage import Done, Facts, Stage, StageContext, said

CHOICE_FILE = "choice.json"
Point = Mapping[str, float]  # a recipe of the grid, by field of the recipe


@dataclass(frozen=True)
class Choice:
    """A finished choice."""

    folder: Path

    @property
    def chosen(self) -> dict[str, float]:
        """The recipe's fields that were chosen."""
        return dict(self.facts["chosen"])

    @property
    def facts(self) -> dict[str, Any]:
        """All that the record holds of it."""
        return dict(read_json(self.folder / CHOICE_FILE))


@dataclass(frozen=True)
class TuningFacts(Facts):
    """The choice."""

    choice: dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuning(Stage[Choice]):
    """See the module."""

    kind: ClassVar[str] = "tuning"
    names: tuple[str, ...]  # fields of the recipe that are tuned
    points: tuple[tuple[float, ...], ...]  # their values in each try
    tries: tuple[Evaluate, ...]  # of the models trained so, on validation problems
    split: str = said("")  # which problems those are, in words

    def run(self, work: StageContext) -> Done:
        scores = [work.open(one).accuracy() for one in self.tries]
        points = [dict(zip(self.names, values, strict=True)) for values in self.points]
        best = best_of(points, [score for score, _ in scores])
        choice = {
            "chosen": points[best],
            "tries": [point | {"accuracy": score} for point, (score, _) in zip(points, scores, strict=True)],
            "num_validation": scores[best][1],
            "split": self.split,
            "at_edge": edges(points, best),
        }
        write_json(work.out / CHOICE_FILE, choice)
        return Done(facts=TuningFacts(choice))

    def read(self, folder: Path) -> Choice:
        return Choice(folder)


def best_of(points: Sequence[Point], accuracy: Sequence[float]) -> int:
    """Index of the best accuracy; of equals the one nearest to the middle of the grid, then the first."""
    values = {name: sorted({point[name] for point in points}) for name in points[0]}

    def from_middle(point: Point) -> float:
        steps = ((values[name].index(value), len(values[name])) for name, value in point.items())
        return sum(abs(2 * place - (count - 1)) / max(1, count - 1) for place, count in steps)

    return min(range(len(points)), key=lambda i: (-accuracy[i], from_middle(points[i]), i))


def edges(points: Sequence[Point], best: int) -> list[str]:
    """What of the chosen point lies at an end of the grid: a better value may lie beyond it."""
    found = []
    for name, value in points[best].items():
        tried = sorted({point[name] for point in points})
        if len(tried) > 1 and value in (tried[0], tried[-1]):
            found.append(f"{name} {value:g} is the {'smallest' if value == tried[0] else 'largest'} tried")
    return found


def applied(recipe: Any, chosen: Point, *, epochs_times: float) -> Any:
    """A recipe with the chosen values; epochs times what the epoch rule makes of them."""
    values = dict(chosen)
    if "epochs" in values:
        values["epochs"] *= epochs_times
    return dataclasses.replace(recipe, **values)
