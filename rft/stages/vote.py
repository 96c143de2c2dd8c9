"""Outcomes of K sampled solutions per test problem: what majority voting and pass@k are computed from.

Writes `outcomes.jsonl.gz`, rows {"id", "gold", "outcomes": "CWN", "answers": ["51", "50", null],
"rivals": [null, 0, null], "paths": [0, 1, null], "kinds": "vpp"}; "rivals" numbers the wrong answers that draws vote for,
"paths" a problem's distinct equation lists (null: no equations), "kinds" the verdicts of the embedded world's checker.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rft.records import OUTCOMES_FILE, Problem, Sample, read_jsonl, write_jsonl
from rft.stages.evaluate import graded
from rft.stages.problems import Problems
from rft.stages.shard import Pool, drawn
from rft.stages.stage import Done, Stage, StageContext, added
from rft.text.equations import equation_key
from rft.text.scoring import rivals


@dataclass(frozen=True)
class Votes:
    """A finished vote."""

    folder: Path

    def outcomes(self) -> Iterator[dict[str, Any]]:
        """A row per problem."""
        return read_jsonl(self.folder / OUTCOMES_FILE)


@dataclass(frozen=True, eq=False, kw_only=True)
class Vote(Stage[Votes]):
    """The first draws of a pool of test solutions, graded."""

    kind: ClassVar[str] = "vote"
    version: ClassVar[int] = 3  # 3: truncated texts graded by their answer
    problems: Problems
    num_problems: int
    pool: Pool
    rule: str
    plugins: tuple[str, ...] = added(())

    def run(self, work: StageContext) -> Done:
        problems = work.open(self.problems).problems()[: self.num_problems]
        samples = drawn(self.pool, [problem.id for problem in problems], work)
        write_jsonl(work.out / OUTCOMES_FILE, vote_rows(problems, samples, rule=self.rule))
        return Done()

    def read(self, folder: Path) -> Votes:
        return Votes(folder)


def vote_rows(
    problems: Sequence[Problem], samples: Mapping[str, Sequence[Sample]], *, rule: str
) -> Iterator[dict[str, Any]]:
    """See the module; the samples of each problem by draw."""
    for problem in problems:
        own = samples[problem.id]
        rows = [graded(problem, sample, rule=rule) for sample in own]
        outcomes = "".join(row["outcome"] for row in rows)
        answers = [row["answer"] for row in rows]
        merged: dict[str, Any] = {"id": problem.id, "gold": problem.gold, "outcomes": outcomes, "answers": answers}
        merged["rivals"] = rivals(outcomes, answers)
        merged["paths"] = path_indices([sample.text for sample in own])
        if problem.spec is not None:
            merged["kinds"] = "".join(row["kind"] for row in rows)
        yield merged


def path_indices(texts: Sequence[str]) -> list[int | None]:
    """For each text the number of its equation list among the distinct ones, by first appearance; None without equations."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(key, len(numbers)) if (key := equation_key(text)) else None for text in texts]
