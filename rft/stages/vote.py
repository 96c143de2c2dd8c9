"""Outcomes of K sampled solutions per test problem: what majority voting and pass@k are computed from.

Writes `outcomes.jsonl.gz`, rows of rft.stages.rows.Voted: {"id", "gold", "outcomes": "CWN", "answers": ["51", "50", null],
"rivals": [null, 0, null], "paths": [0, 1, null], "kinds": "vpp"}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rft.records import OUTCOMES_FILE, Problem, Sample, read_jsonl, write_jsonl
from rft.stages.problems import Problems
from rft.stages.rows import Graded, Voted
from rft.stages.shard import Pool, drawn
from rft.stages.stage import Done, Stage, StageContext, added
from rft.text.path_keys import ANNOTATED, path_equations
from rft.text.scoring import rivals


@dataclass(frozen=True)
class Votes:
    """A finished vote."""

    folder: Path

    def outcomes(self) -> Iterator[Voted]:
        """A row per problem."""
        return (Voted(**row) for row in read_jsonl(self.folder / OUTCOMES_FILE))


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
    equations: str = added(ANNOTATED)  # how those of a solution are read, as in selection

    def run(self, work: StageContext) -> Done:
        problems = work.open(self.problems).problems()[: self.num_problems]
        samples = drawn(self.pool, [problem.id for problem in problems], work)
        rows = vote_rows(problems, samples, rule=self.rule, equations=self.equations)
        write_jsonl(work.out / OUTCOMES_FILE, (row.to_json() for row in rows))
        return Done()

    def read(self, folder: Path) -> Votes:
        return Votes(folder)


def vote_rows(
    problems: Sequence[Problem], samples: Mapping[str, Sequence[Sample]], *, rule: str, equations: str
) -> Iterator[Voted]:
    """A row per problem; the samples of each by draw, their equations read as `equations` says (rft.text.path_keys)."""
    for problem in problems:
        own = samples[problem.id]
        rows = [Graded.of(problem, sample, rule=rule) for sample in own]
        outcomes, answers = "".join(row.outcome for row in rows), [row.answer for row in rows]
        kinds = "".join(row.kind or "" for row in rows) if problem.spec is not None else None
        paths = path_indices([sample.text for sample in own], equations=equations)
        yield Voted(problem.id, problem.gold, outcomes, answers, rivals(outcomes, answers, rule=rule), paths, kinds)


def path_indices(texts: Sequence[str], *, equations: str) -> list[int | None]:
    """For each text the number of its equation list among the distinct ones, by first appearance; None without equations."""
    numbers: dict[str, int] = {}
    keys = ("|".join(path_equations(text, kind=equations)) for text in texts)
    return [numbers.setdefault(key, len(numbers)) if key else None for key in keys]
