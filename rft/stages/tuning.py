"""The choice of a recipe on validation problems: one model's SFT with every recipe of a grid, each try a stage of its own.

Writes `choice.json`:

{"chosen": {"lr": 0.003, "epochs": 8}, "tries": [{"lr": 0.001, "epochs": 8, "accuracy": 0.41}, ...], "num_validation": 1024,
 "split": "validation split", "at_edge": ["lr 0.003 is the largest tried"]}

    >>> points = [Values(lr=lr) for lr in (0.001, 0.003, 0.01)]
    >>> best_of(points, [0.4, 0.4, 0.4])                     # of equals the one nearest to the middle of the grid
    1
    >>> best_of(points, [0.4, 0.3, 0.4])                     # of equally near ones the first
    0
    >>> edges(points, 2)
    ['lr 0.01 is the largest tried']
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rft.records import read_json, write_json
from rft.stages.evaluate import Evaluate
from rft.stages.stage import Done, Facts, Stage, StageContext, added, said

CHOICE_FILE = "choice.json"
ACCURACY = "accuracy"


@dataclass(frozen=True)
class Values:
    """Fields of a recipe that are tuned; those that are None are not."""

    lr: float | None = added(None)
    epochs: float | None = added(None)

    @property
    def given(self) -> dict[str, float]:
        """Those that are tuned, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def times(self, passes: float) -> Values:
        """With so many passes for each epoch."""
        return self if self.epochs is None else dataclasses.replace(self, epochs=self.epochs * passes)


UNTUNED = Values()


@dataclass(frozen=True)
class TuningFacts(Facts):
    """A choice: what `choice.json` holds, and of all that follow it the record."""

    chosen: Values
    tries: tuple[tuple[Values, float], ...]  # each with its accuracy: the whole curve
    num_validation: int
    split: str  # in words
    at_edge: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The file's object."""
        tries = [values.given | {"accuracy": accuracy} for values, accuracy in self.tries]
        return {**vars(self), "chosen": self.chosen.given, "tries": tries, "at_edge": list(self.at_edge)}

    @staticmethod
    def from_json(row: dict[str, Any]) -> TuningFacts:
        """The inverse."""
        tries = tuple((Values(**_less(one, ACCURACY)), one[ACCURACY]) for one in row.pop("tries"))
        chosen, at_edge = Values(**row.pop("chosen")), tuple(row.pop("at_edge"))
        return TuningFacts(**row, chosen=chosen, tries=tries, at_edge=at_edge)


@dataclass(frozen=True)
class Choice:
    """A finished choice."""

    folder: Path

    @property
    def facts(self) -> TuningFacts:
        """All of it."""
        return TuningFacts.from_json(read_json(self.folder / CHOICE_FILE))


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuning(Stage[Choice]):
    """See the module."""

    kind: ClassVar[str] = "tuning"
    points: tuple[Values, ...]  # of each try
    tries: tuple[Evaluate, ...]  # of the models trained so, on validation problems, in the same order
    split: str = said("")  # which problems those are, in words

    def run(self, work: StageContext) -> Done:
        scores = [work.open(one).accuracy() for one in self.tries]
        accuracies = [accuracy for accuracy, _ in scores]
        best = best_of(self.points, accuracies)
        facts = TuningFacts(
            chosen=self.points[best],
            tries=tuple(zip(self.points, accuracies, strict=True)),
            num_validation=scores[best][1],
            split=self.split,
            at_edge=tuple(edges(self.points, best)),
        )
        write_json(work.out / CHOICE_FILE, facts.to_json())
        return Done(facts=facts)

    def read(self, folder: Path) -> Choice:
        return Choice(folder)


def best_of(points: Sequence[Values], accuracy: Sequence[float]) -> int:
    """Index of the best accuracy; of equals the one nearest to the middle of the grid, then the first."""
    axes = {name: sorted({point.given[name] for point in points}) for name in points[0].given}

    def from_middle(point: Values) -> float:
        steps = ((axes[name].index(value), len(axes[name])) for name, value in point.given.items())
        return sum(abs(2 * place - (count - 1)) / max(1, count - 1) for place, count in steps)

    return min(range(len(points)), key=lambda i: (-accuracy[i], from_middle(points[i]), i))


def edges(points: Sequence[Values], best: int) -> list[str]:
    """What of the chosen point lies at an end of the grid: a better value may lie beyond it."""
    found = []
    for name, value in points[best].given.items():
        tried = sorted({point.given[name] for point in points})
        if len(tried) > 1 and value in (tried[0], tried[-1]):
            found.append(f"{name} {value:g} is the {'smallest' if value == tried[0] else 'largest'} tried")
    return found


def _less(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}
