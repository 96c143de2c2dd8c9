"""The rows of graded solutions: one class for each kind of row, which alone knows the keys of its file.

    row = Graded("w-0f3a", "51", "C", "51", kind="v")
    row.to_json()                  # {"id": "w-0f3a", "gold": "51", "outcome": "C", "answer": "51", "kind": "v"}
    Graded(**row.to_json()) == row

`kind` and `kinds` stand in rows of the embedded world alone: first letters of its checker's verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from rft.records import Outcome, Problem, Sample
from rft.text.answers import extract, grade
from rft.text.world import verdict


@dataclass(frozen=True)
class Graded:
    """One solution of a problem."""

    id: str
    gold: str
    outcome: str  # letter
    answer: str | None
    kind: str | None = None

    @staticmethod
    def of(problem: Problem, sample: Sample, *, rule: str) -> Graded:
        """Graded under a rule."""
        assert sample.id == problem.id
        letter = grade(rule, sample.text, problem.gold, sample.truncated).letter
        kind = verdict(problem, sample.text).value[0] if problem.spec is not None else None
        return Graded(problem.id, problem.gold, letter, extract(rule, sample.text), kind)

    @property
    def is_right(self) -> bool:
        """Whether the answer is the gold one."""
        return self.outcome == Outcome.CORRECT.letter

    def to_json(self) -> dict[str, Any]:
        """The row of an evaluation's outcomes."""
        return _less(vars(self), *_unset(self))


@dataclass(frozen=True)
class Voted:
    """The draws of a problem, in order."""

    id: str
    gold: str
    outcomes: str  # a letter a draw
    answers: list[str | None]
    rivals: list[int | None]  # numbers of the wrong answers that draws vote for
    paths: list[int | None]  # numbers of the distinct equation lists; None: no equations
    kinds: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The row of a vote's outcomes."""
        return _less(vars(self), *_unset(self))


@dataclass(frozen=True)
class Scored:
    """All that a cell did with one test problem."""

    greedy: Graded
    perturbed: Graded | None  # on the numbers-changed copy of the problem
    draws: Voted | None

    @staticmethod
    def from_json(row: dict[str, Any]) -> Scored:
        """From a row of a cell's outcomes. Raises KeyError or TypeError for what is none."""
        name, gold = row["id"], row["gold"]
        copy, draws = row.get("perturbed"), row.get("draws")
        return Scored(
            Graded(name, gold, **row["greedy"]),
            None if copy is None else Graded(name, **copy),
            None if draws is None else Voted(name, gold, **draws),
        )

    def to_json(self) -> dict[str, Any]:
        """The row of a cell's outcomes; the parts repeat no id, and no gold answer but the copy's, which is its own."""
        row = {"id": self.greedy.id, "gold": self.greedy.gold, "greedy": _less(self.greedy.to_json(), "id", "gold")}
        if self.perturbed is not None:
            row |= {"perturbed": _less(self.perturbed.to_json(), "id", "kind")}
        if self.draws is not None:
            row |= {"draws": _less(self.draws.to_json(), "id", "gold")}
        return row


@dataclass(frozen=True)
class Shown:
    """A solution in the capped sample that is written for people."""

    id: str
    question: str
    gold: str
    text: str
    outcome: str  # in full
    source: str  # greedy | pool | relabelled
    model: str
    draw: int
    kept: bool | None  # None: not asked
    reason: str | None  # why it was not kept

    def to_json(self) -> dict[str, Any]:
        """The row of a file of solutions."""
        return dict(vars(self))


def _unset(row: Graded | Voted) -> Iterator[str]:
    """Fields that stand at their default, None: they are not written."""
    return (one.name for one in fields(row) if one.default is None and getattr(row, one.name) is None)


def _less(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
