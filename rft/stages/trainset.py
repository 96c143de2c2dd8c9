"""Training examples: human paths, and what a method adds to them (paper 3.3: D' = D + kept).

Writes `examples.jsonl`, rows of `Example`, and `reference.json`: {"num_examples": 512, "num_reference_examples": [700]}.
Epochs are counted over the reference examples, so that a control can take as many optimiser steps as the cell that it is
matched to.

A method that is only other training data is a subclass with its own `added`:

    @dataclass(frozen=True, eq=False, kw_only=True)
    class KeptSet(Trainset):
        kind: ClassVar[str] = "kept_set"
        paths: Select | Thin

        def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
            return [Example.of(problem, path.text, source="kept") for ...]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rft.infra.manifest import read_manifest
from rft.records import Problem, read_json, read_jsonl, write_json, write_jsonl
from rft.stages.problems import Subset
from rft.stages.stage import Done, Facts, Stage, StageContext, added, said
from rft.text.subsets import rank

EXAMPLES_FILE = "examples.jsonl"
REFERENCE_FILE = "reference.json"


@dataclass(frozen=True)
class Example:
    """One example to train on."""

    id: str  # of its problem
    question: str
    solution: str
    source: str  # human (the subset itself), or a word of the method's: kept, oracle, fresh, relabelled, ...

    @staticmethod
    def of(problem: Problem, solution: str, *, source: str) -> Example:
        """A solution of a problem."""
        return Example(problem.id, problem.question, solution, source)


HUMAN = "human"


def human_examples(problems: Iterable[Problem]) -> list[Example]:
    """Problems with their human paths."""
    return [Example.of(problem, text, source=HUMAN) for problem in problems for text in problem.solutions]


@dataclass(frozen=True)
class Reference:
    """What `reference.json` holds."""

    num_examples: int
    num_reference_examples: list[int]


@dataclass(frozen=True)
class Examples:
    """A finished set of examples."""

    folder: Path

    def rows(self) -> Iterator[Example]:
        """The examples, in order."""
        return (Example(**row) for row in read_jsonl(self.folder / EXAMPLES_FILE))

    @property
    def num_examples(self) -> int:
        """Number of training examples."""
        return self._reference().num_examples

    @property
    def references(self) -> list[int]:
        """Numbers of examples over which epochs are counted: several where the steps of several trainings are to be taken."""
        return self._reference().num_reference_examples

    @property
    def facts(self) -> dict[str, Any]:
        """What its stage told the record."""
        made = read_manifest(self.folder)
        assert made is not None, "an input is finished"
        return made.facts

    def _reference(self) -> Reference:
        return Reference(**read_json(self.folder / REFERENCE_FILE))


@dataclass(frozen=True)
class TrainsetFacts(Facts):
    """Numbers of examples."""

    num_human: int
    num_augmented: int
    num_examples: int
    num_too_long: int | None = None  # left out beyond the limit of tokens, where they are

    @staticmethod
    def of(rows: Sequence[Example]) -> TrainsetFacts:
        """By the sources of examples."""
        num_human = sum(row.source == HUMAN for row in rows)
        return TrainsetFacts(num_human, len(rows) - num_human, len(rows))


@dataclass(frozen=True, eq=False, kw_only=True)
class Trainset(Stage[Examples]):
    """The human subset with what the method adds."""

    subset: Subset  # of the human problems
    examples_frac: float = added(1.0)  # share of all examples that are trained on, chosen by seed and text alone
    expected_reference: float = said(0.0)  # estimate of the number of reference examples

    @property
    def edition(self) -> int:
        """One more for a share of what a method adds, where examples may be equal: these are chosen each for itself."""
        return self.version + (self.examples_frac < 1 and type(self).added is not Trainset.added)

    @property
    def trained_frac(self) -> float:
        """Share of the method's examples that is trained on, but for what is too long."""
        return self.examples_frac

    def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
        """Examples beside the human ones."""
        return []

    def references(self, num_examples: int, work: StageContext) -> list[int]:
        """The number of reference examples: those that are trained on, unless a method says otherwise."""
        return [num_examples]

    def facts_of(self, rows: Sequence[Example], *, whole: Examples) -> TrainsetFacts:
        """What the record says where only these of its examples are trained on; `whole`: all of them."""
        return TrainsetFacts.of(rows)

    def run(self, work: StageContext) -> Done:
        human = self.subset.problems(work)
        rows = human_examples(human) + self.added(human, work)
        if self.examples_frac < 1:
            rows = nested_part(rows, frac=self.examples_frac, seed=int(self.subset.seed or 0))
        return Done(facts=write_examples(rows, work.out, references=self.references(len(rows), work)))

    def read(self, folder: Path) -> Examples:
        return Examples(folder)


@dataclass(frozen=True, eq=False, kw_only=True)
class HumanSet(Trainset):
    """The human paths alone: SFT."""

    kind: ClassVar[str] = "human_set"


def write_examples(rows: Sequence[Example], out: Path, *, references: Sequence[int] | None = None) -> TrainsetFacts:
    """Write the files of a training set; returns its sizes."""
    write_jsonl(out / EXAMPLES_FILE, map(vars, rows))
    counted = [len(rows)] if references is None else list(references)
    write_json(out / REFERENCE_FILE, vars(Reference(len(rows), counted)))
    return TrainsetFacts.of(rows)


def nested_part(rows: Sequence[Example], *, frac: float, seed: int) -> list[Example]:
    """A share of the examples in their order, chosen by seed and text alone; a smaller share lies inside a larger one.

    Equal examples are chosen each for itself, by which of them it is: the second, the third.
    """
    seen: Counter[tuple[str, str]] = Counter()
    ranks = []
    for one in rows:
        text = (one.id, one.solution)
        ranks.append(rank(f"examples-{seed}", *text, *([seen[text]] if text in seen else [])))
        seen[text] += 1
    chosen = sorted(range(len(rows)), key=ranks.__getitem__)[: max(1, round(frac * len(rows)))]
    return [rows[i] for i in sorted(chosen)]
