"""Training examples: human paths, and what a method adds to them (paper 3.3: D' = D + kept).

Writes `examples.jsonl`, rows {"id", "question", "solution", "source"} with source human (the subset itself) or a word of
the method's (kept, oracle, fresh, relabelled, ...), and `reference.json`:
{"num_examples": 512, "num_reference_examples": [700]}. Epochs are counted over the reference examples, so that a control can
take as many optimiser steps as the cell that it is matched to.

A method that is only other training data is a subclass with its own `added`:

    @dataclass(frozen=True, eq=False, kw_only=True)
    class KeptSet(Trainset):
        kind: ClassVar[str] = "kept_set"
        paths: Select | Thin

        def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
            return [row(problem, path.text, "kept") for ...]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rft.records import Problem, read_json, read_jsonl, write_json, write_jsonl
from rft.stages.problems import Subset
from rft.stages.stage import Done, Facts, Stage, StageContext, added, said
from rft.text.subsets import rank

EXAMPLES_FILE = "examples.jsonl"
REFERENCE_FILE = "reference.json"
Example = dict[str, str]


@dataclass(frozen=True)
class Examples:
    """A finished set of examples."""

    folder: Path

    def rows(self) -> Iterator[Mapping[str, str]]:
        """The examples, in order."""
        return read_jsonl(self.folder / EXAMPLES_FILE)

    @property
    def num_examples(self) -> int:
        """Number of training examples."""
        return int(read_json(self.folder / REFERENCE_FILE)["num_examples"])

    @property
    def references(self) -> list[int]:
        """Numbers of examples over which epochs are counted: several where the steps of several trainings are to be taken."""
        counts: list[int] = read_json(self.folder / REFERENCE_FILE)["num_reference_examples"]
        return counts


@dataclass(frozen=True)
class TrainsetFacts(Facts):
    """Numbers of examples."""

    num_human: int
    num_augmented: int
    num_examples: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Trainset(Stage[Examples]):
    """The human subset with what the method adds."""

    subset: Subset  # of the human problems
    examples_frac: float = added(1.0)  # share of all examples that are trained on, chosen by seed and text alone
    expected_reference: float = said(0.0)  # estimate of the number of reference examples

    def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
        """Examples beside the human ones."""
        return []

    def references(self, num_examples: int, work: StageContext) -> list[int]:
        """The number of reference examples: those that are trained on, unless a method says otherwise."""
        return [num_examples]

    def run(self, work: StageContext) -> Done:
        human = self.subset.problems(work)
        rows = [row(problem, problem.solution, "human") for problem in human] + self.added(human, work)
        if self.examples_frac < 1:
            rows = nested_part(rows, frac=self.examples_frac, seed=int(self.subset.seed or 0))
        return Done(facts=write_examples(rows, work.out, references=self.references(len(rows), work)))

    def read(self, folder: Path) -> Examples:
        return Examples(folder)


@dataclass(frozen=True, eq=False, kw_only=True)
class HumanSet(Trainset):
    """The human paths alone: SFT."""

    kind: ClassVar[str] = "human_set"


def row(problem: Problem, solution: str, source: str) -> Example:
    """One example; `source` says where its solution comes from, see the module."""
    return {"id": problem.id, "question": problem.question, "solution": solution, "source": source}


def write_examples(
    rows: Sequence[Mapping[str, str]], out: Path, *, references: Sequence[int] | None = None
) -> TrainsetFacts:
    """Write the files of a training set; returns its sizes."""
    write_jsonl(out / EXAMPLES_FILE, rows)
    counted = [len(rows)] if references is None else list(references)
    write_json(out / REFERENCE_FILE, {"num_examples": len(rows), "num_reference_examples": counted})
    num_human = sum(row["source"] == "human" for row in rows)
    return TrainsetFacts(num_human, len(rows) - num_human, len(rows))


def nested_part(rows: Sequence[Example], *, frac: float, seed: int) -> list[Example]:
    """A share of the examples in their order, chosen by seed and text alone; a smaller share lies inside a larger one."""
    ranks = [rank(f"examples-{seed}", one["id"], one["solution"]) for one in rows]
    chosen = sorted(range(len(rows)), key=ranks.__getitem__)[: max(1, round(frac * len(rows)))]
    return [rows[i] for i in sorted(chosen)]
