"""Greedy decoding of a split, graded: maj1@1 with per-problem outcomes.

Writes `outcomes.jsonl.gz` (rows of rft.stages.rows.Graded), `samples.jsonl.gz` (of rft.records.Sample, draw -1), and
`solutions.jsonl` (of rft.stages.rows.Shown), a capped sample for people. A model that revises is shown the greedy drafts of
an earlier evaluation with the questions.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rft.records import OUTCOMES_FILE, Problem, Sample, read_jsonl, write_jsonl
from rft.stages.drafts import with_drafts
from rft.stages.generation import Generation, generate
from rft.stages.problems import Golds, Leakage, Problems
from rft.stages.rows import Graded, Shown
from rft.stages.stage import SAMPLES_FILE, Done, Facts, Stage, StageContext, added
from rft.stages.weights import Weights
from rft.text.answers import grade
from rft.text.prompts import cleaning_of

NUM_SHOWN = 64
SOLUTIONS_FILE = "solutions.jsonl"


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation."""

    folder: Path

    def outcomes(self) -> Iterator[Graded]:
        """A row per problem, in file order."""
        return (Graded(**row) for row in read_jsonl(self.folder / OUTCOMES_FILE))

    def samples(self) -> list[Sample]:
        """The greedy solutions."""
        return [Sample.from_json(row) for row in read_jsonl(self.folder / SAMPLES_FILE)]

    def solutions(self) -> Iterator[Shown]:
        """A capped sample for people."""
        return (Shown(**row) for row in read_jsonl(self.folder / SOLUTIONS_FILE))

    def accuracy(self) -> tuple[float, int]:
        """(share of right answers, number of problems)."""
        hits = [row.is_right for row in self.outcomes()]
        return sum(hits) / len(hits), len(hits)


@dataclass(frozen=True)
class EvaluationFacts(Facts):
    """What was scored; for a model that revises, also what became of the drafts."""

    eval_subset: str
    num_drafts_correct: int | None = None
    num_revised_to_correct: int | None = None
    num_revised_to_wrong: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Evaluate(Stage[Evaluation]):
    """The first `num_problems` of a set, under one grading rule."""

    kind: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 3  # 3: truncated texts graded by their answer
    samples: ClassVar[bool] = True
    weights: Weights
    generation: Generation
    problems: Problems
    num_problems: int
    rule: str
    drafts: Evaluate | None = added(None)
    guards: tuple[Leakage | Golds, ...] = added(())  # checks of data files, made before this stage
    plugins: tuple[str, ...] = added(())  # digests of the source of a rule that is not this package's

    @property
    def edition(self) -> int:
        return self.version + cleaning_of(self.generation.own_template)

    def run(self, work: StageContext) -> Done:
        everything = work.open(self.problems).problems()
        problems = everything[: self.num_problems]
        drafts = work.open(self.drafts) if self.drafts is not None else None
        asked = with_drafts(problems, self.generation.prompt, drafts.samples()) if drafts else problems
        made = generate(
            self.generation, asked, num_draws=None, model=work.open(self.weights), work=work, rule=self.rule
        )
        write_jsonl(work.out / SAMPLES_FILE, (sample.to_json() for sample in made.samples))
        pairs = list(zip(problems, made.samples, strict=True))
        rows = [Graded.of(problem, sample, rule=self.rule) for problem, sample in pairs]
        write_jsonl(work.out / OUTCOMES_FILE, (row.to_json() for row in rows))
        shown = itertools.islice(pairs, NUM_SHOWN)
        write_jsonl(work.out / SOLUTIONS_FILE, (_shown(p, s, rule=self.rule).to_json() for p, s in shown))
        subset = f"{self.problems.split}: first {len(problems)} of {len(everything)}"
        facts = EvaluationFacts(subset, *(_revisions(drafts, rows) if drafts else ()))
        return Done(made.tokens, made.flops, facts)

    def read(self, folder: Path) -> Evaluation:
        return Evaluation(folder)


def _revisions(drafts: Evaluation, rows: Sequence[Graded]) -> tuple[int, int, int]:
    """(drafts that were right, wrong ones revised to right, right ones revised to wrong)."""
    drafted = {row.id: row.is_right for row in drafts.outcomes()}
    pairs = [(drafted[row.id], row.is_right) for row in rows]
    return (
        sum(before for before, _ in pairs),
        sum(not before and after for before, after in pairs),
        sum(before and not after for before, after in pairs),
    )


def _shown(problem: Problem, sample: Sample, *, rule: str) -> Shown:
    return Shown(
        id=problem.id,
        question=problem.question,
        gold=problem.gold,
        text=sample.text,
        outcome=grade(rule, sample.text, problem.gold, sample.truncated).value,
        source="greedy",
        model=sample.model,
        draw=sample.draw,
        kept=None,
        reason=None,
    )
