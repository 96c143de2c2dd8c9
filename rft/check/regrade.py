"""All texts of the store graded again: greedy solutions, votes and selections of the stages behind a study.

    list(regrade_findings(stages, rebuilder, again))

A greedy solution is graded from the stored sample and problem. A vote or a selection is read from pools, so it is made anew,
from the stored draws, and compared whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rft.check.cell import WRONG
from rft.check.finding import Finding, compared, differs, unchecked
from rft.check.rebuild import Rebuilder
from rft.check.recompute import Again
from rft.check.stored import Named
from rft.records import OUTCOMES_FILE, Sample, read_jsonl
from rft.stages.evaluate import Evaluate
from rft.stages.problems import ProblemFile
from rft.stages.rows import Graded
from rft.stages.stage import SAMPLES_FILE

GRADED = "graded again"
FROM_POOLS = ("vote", "select")


def regrade_findings(stages: Sequence[Named], rebuilt: Rebuilder, again: Again) -> Iterator[Finding]:
    """A finding a stage that grades."""
    for one in stages:
        if one.kind == Evaluate.kind:
            yield from _evaluation(one, rebuilt)
        elif one.kind in FROM_POOLS:
            yield from again.findings(one, check=GRADED)


def _evaluation(one: Named, rebuilt: Rebuilder) -> list[Finding]:
    try:
        stage = rebuilt.stage(one.kind, one.key)
    except ValueError as error:
        return [unchecked(GRADED, one.place, str(error))]
    assert isinstance(stage, Evaluate)
    try:
        return compared(GRADED, one.place, _faults(stage, rebuilt))
    except WRONG as error:
        return [differs(GRADED, one.place, f"cannot be read: {type(error).__name__}: {error}")]


def _faults(stage: Evaluate, rebuilt: Rebuilder) -> Iterator[str]:
    store = rebuilt.store
    folder, source = (store.folder(each.kind, each.key) for each in (stage, stage.problems))
    problems = ProblemFile(source).problems()[: stage.num_problems]
    samples = [Sample.from_json(row) for row in read_jsonl(folder / SAMPLES_FILE)]
    stored = list(read_jsonl(folder / OUTCOMES_FILE))
    if not len(problems) == len(samples) == len(stored):
        yield f"{len(stored)} outcomes of {len(samples)} solutions to {len(problems)} problems"
        return
    for problem, sample, row in zip(problems, samples, stored, strict=True):
        if sample.id != problem.id:
            yield f"{problem.id}: its solution is that of {sample.id}"
            continue
        found: dict[str, Any] = Graded.of(problem, sample, rule=stage.rule).to_json()
        if found != row:
            yield f"{problem.id}: {row['outcome']} {row['answer']}, graded again {found['outcome']} {found['answer']}"
