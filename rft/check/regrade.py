"""All texts of the store graded again: greedy solutions, votes and selections of the stages behind a study.

    list(regrade_findings(stages, rebuilder, again))

A greedy solution is graded from the stored sample and problem. A vote or a selection is read from pools, so it is made anew,
from the stored draws, and compared whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rft.check.cell import guarded
from rft.check.finding import Finding, compared, unchecked
from rft.check.rebuild import Rebuilder
from rft.check.recompute import Again
from rft.check.stored import Named
from rft.records import OUTCOMES_FILE, Problem, Sample, read_jsonl
from rft.stages.evaluate import Evaluate
from rft.stages.problems import ProblemFile
from rft.stages.rows import Graded
from rft.stages.stage import SAMPLES_FILE
from rft.text.answers import RULES

GRADED = "graded again"
FROM_POOLS = ("vote", "select")


def regrade_findings(stages: Sequence[Named], rebuilt: Rebuilder, again: Again) -> Iterator[Finding]:
    """A finding a stage that grades."""
    for one in stages:
        if one.kind == Evaluate.kind:
            yield from guarded(GRADED, one.place, _evaluation(one, rebuilt))
        elif one.kind in FROM_POOLS:
            yield from guarded(GRADED, one.place, again.findings(one, check=GRADED))


def _evaluation(one: Named, rebuilt: Rebuilder) -> Iterator[Finding]:
    """Of its fields the rule and the problems are needed alone: a stage that cannot be rebuilt is graded too."""
    try:
        meta = rebuilt.manifest(one.kind, one.key).meta
    except ValueError as error:
        yield unchecked(GRADED, one.place, str(error))
        return
    identity, kinds = meta["identity"], {key: kind for kind, key in meta["inputs"]}
    rule, problems = identity["rule"], identity["problems"]
    if rule not in RULES:
        yield unchecked(GRADED, one.place, f"its rule {rule} is of a plug-in that is not loaded")
        return
    store = rebuilt.store
    folder, source = store.folder(one.kind, one.key), store.folder(kinds[problems], problems)
    if not source.is_dir():
        yield unchecked(GRADED, one.place, "its problems are not in the store")
        return
    asked = ProblemFile(source).problems()[: identity["num_problems"]]
    yield from compared(GRADED, one.place, _faults(folder, asked, rule=rule))


def _faults(folder: Path, problems: Sequence[Problem], *, rule: str) -> Iterator[str]:
    samples = [Sample.from_json(row) for row in read_jsonl(folder / SAMPLES_FILE)]
    stored = list(read_jsonl(folder / OUTCOMES_FILE))
    if not len(problems) == len(samples) == len(stored):
        yield f"{len(stored)} outcomes of {len(samples)} solutions to {len(problems)} problems"
        return
    for problem, sample, row in zip(problems, samples, stored, strict=True):
        if sample.id != problem.id:
            yield f"{problem.id}: its solution is that of {sample.id}"
            continue
        found: dict[str, Any] = Graded.of(problem, sample, rule=rule).to_json()
        if found != row:
            yield f"{problem.id}: {row['outcome']} {row['answer']}, graded again {found['outcome']} {found['answer']}"
