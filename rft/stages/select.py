"""Rejection sampling: grade, check and de-duplicate the first k draws of each donor's pool (paper 3.3, algorithm 1)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rft.records import Problem, Sample, write_jsonl
from rft.stages.allocate import AnyPool, allocation_facts
from rft.stages.evaluate import SOLUTIONS_FILE
from rft.stages.foreign import ImportedPool
from rft.stages.kept import KEPT_FILE, Selection
from rft.stages.problems import Golds, Subset
from rft.stages.rows import Shown
from rft.stages.served import ServedPool
from rft.stages.stage import Done, Facts, StageContext, added
from rft.text.answers import grade
from rft.text.path_keys import human_keys, path_equations
from rft.text.selection import (
    OVER_CAP,
    POLICIES,
    KeptPath,
    Policy,
    Selected,
    fault,
    intersections,
    policy_named,
    select,
)
from rft.text.world import verdict

NUM_SHOWN = 64


@dataclass(frozen=True)
class Checks:
    """The checks that a sample must pass to be kept, and the choice among those that pass."""

    policy: str  # named set of choices, see rft.text.selection
    count_human: bool
    tolerance: float
    check_equations: bool
    equations: str  # annotated | plain
    rule: str
    cap: int | None = added(None)  # instead of the policy's own
    tie_break: str | None = added(None)
    plugins: tuple[str, ...] = added(())
    cap_told: bool = added(False)  # where there is a cap: shown samples are told `over_cap` apart from `duplicate_path`
    uncapped: bool = added(False)  # the policy's own cap is lifted: something else chooses among the distinct paths

    @property
    def most(self) -> int | None:
        """At most so many paths a question."""
        return POLICIES[self.policy].cap if self.cap is None else self.cap

    def without_cap(self) -> Checks:
        """The same checks, all distinct paths kept."""
        return dataclasses.replace(self, cap=None, cap_told=False, uncapped=POLICIES[self.policy].cap is not None)

    def named(self) -> Policy:
        """The named policy with these checks; the compatibility policy keeps its own grading rule."""
        changes: dict[str, Any] = {
            "count_human": self.count_human,
            "check_equations": self.check_equations,
            "tolerance": self.tolerance,
            "equations": self.equations,
        }
        changes |= {name: value for name in ("cap", "tie_break") if (value := getattr(self, name)) is not None}
        changes |= {"cap": None} if self.uncapped else {}
        changes |= {"rule": self.rule} if self.policy != "paper_script" else {}
        return policy_named(self.policy, **changes)


@dataclass(frozen=True)
class SelectFacts(Facts):
    """What became of the samples."""

    num_questions_sampled: int
    num_samples: int
    correct_per_question: float
    distinct_per_question: float  # without the human path
    distinct_per_question_with_human: float
    no_equation_frac: float
    drop_counts: dict[str, int]
    found_by: dict[str, int]
    histograms: dict[str, list[int]]
    lucky_frac: float | None = (
        None  # share of kept paths whose right answer rests on invalid reasoning (embedded world)
    )
    draws_per_question: float | None = None  # this and the next two where questions have unequal numbers of draws
    max_draws_per_question: int | None = None
    reached_target_frac: float | None = None  # share of questions with as many correct draws as were wanted
    imported_pools: dict[str, Any] | None = None  # by donor, what is known of pools that were drawn elsewhere
    served_pools: dict[str, Any] | None = None  # by donor, what a server's draws have cost, and who drew
    no_equation_by_donor: dict[str, float] | None = None  # of several donors: `no_equation_frac` of each


@dataclass(frozen=True, eq=False, kw_only=True)
class Select(Selection):
    """See the module."""

    kind: ClassVar[str] = "select"
    version: ClassVar[int] = 2  # 2: signs and exponents as they are meant
    pools: tuple[AnyPool, ...]  # in the order in which equal paths go to one of them
    subset: Subset
    checks: Checks
    seed: int
    guards: tuple[Golds, ...] = added(())  # of files: golds can be read

    def run(self, work: StageContext) -> Done:
        """Raises RuntimeError when a pool is short: never a smaller k."""
        problems = self.subset.problems(work)
        samples = [sample for pool in self.pools for sample in pool.samples(work)]
        expected = sum(pool.expected(len(problems), work) for pool in self.pools)
        if len(samples) != expected:
            raise RuntimeError(f"the pool holds {len(samples)} samples, expected {expected}: a shard is short")
        policy = self.checks.named()
        donors = [pool.donor for pool in self.pools]
        selection = select(samples, problems, policy=policy, models=donors, seed=self.seed)
        write_jsonl(work.out / KEPT_FILE, (path.to_json() for path in selection.kept))
        apart = _first_apart(samples, problems, policy=policy, models=donors, seed=self.seed)
        shown = _shown(samples, problems, kept=_origins(selection), apart=apart, policy=policy)
        write_jsonl(work.out / SOLUTIONS_FILE, (row.to_json() for row in shown))
        facts, spent = select_facts(selection, problems), allocation_facts(self.pools, problems, work)
        imported = {pool.donor: pool.facts(work) for pool in self.imported}
        served = {pool.donor: pool.facts(work) for pool in self.pools if isinstance(pool, ServedPool)}
        lacking = _without_equations(samples, kind=policy.equations) if len(self.pools) > 1 else None
        facts = dataclasses.replace(
            facts, imported_pools=imported or None, served_pools=served or None, no_equation_by_donor=lacking
        )
        return Done(facts=facts if spent is None else dataclasses.replace(facts, **dataclasses.asdict(spent)))

    @property
    def imported(self) -> tuple[ImportedPool, ...]:
        """Those of its pools that were drawn elsewhere."""
        return tuple(pool for pool in self.pools if isinstance(pool, ImportedPool))


def _without_equations(samples: Sequence[Sample], *, kind: str) -> dict[str, float]:
    """By donor, the share of its samples in which no equation is read."""
    drawn = Counter(sample.model for sample in samples)
    without = Counter(sample.model for sample in samples if not path_equations(sample.text, kind=kind))
    return {donor: without[donor] / count for donor, count in sorted(drawn.items())}


def select_facts(selection: Selected, problems: Sequence[Problem]) -> SelectFacts:
    """The facts of a selection, for the record."""
    stats = selection.stats
    return SelectFacts(
        num_questions_sampled=stats.num_questions,
        num_samples=stats.num_samples,
        correct_per_question=stats.correct_per_question,
        distinct_per_question=stats.distinct_per_question,
        distinct_per_question_with_human=stats.distinct_per_question_with_human,
        no_equation_frac=stats.no_equation_frac,
        drop_counts=dict(selection.drop_counts),
        found_by=dict(intersections(selection)),
        histograms={"correct": list(stats.correct_histogram), "distinct": list(stats.distinct_histogram)},
        lucky_frac=lucky_frac(selection.kept, problems),
    )


@dataclass(frozen=True)
class LeftFacts(Facts):
    """What the record says of the paths that are left after a choice, in place of what the selection said of all."""

    distinct_per_question: float  # without the human path
    distinct_per_question_with_human: float
    lucky_frac: float | None

    @staticmethod
    def of(kept: Sequence[KeptPath], problems: Sequence[Problem], *, equations: str) -> LeftFacts:
        """Counted; `equations` is how a solution's equations are read."""
        keys: dict[str, set[str]] = {problem.id: set() for problem in problems}
        for path in kept:
            keys[path.id].add(path.key)
        without = sum(map(len, keys.values()))
        for problem in problems:
            keys[problem.id] |= human_keys(problem, kind=equations)
        more = sum(map(len, keys.values())) - without
        n = len(problems)
        return LeftFacts(without / n, (without + more) / n, lucky_frac(kept, problems))


def lucky_frac(kept: Sequence[KeptPath], problems: Sequence[Problem]) -> float | None:
    """Share of kept paths whose right answer rests on invalid reasoning.

    None where nothing was kept, or where the data set cannot check reasoning.
    """
    by_id = {problem.id: problem for problem in problems}
    if not kept or by_id[kept[0].id].spec is None:
        return None
    invalid = sum(verdict(by_id[path.id], path.text).value != "valid" for path in kept)
    return invalid / len(kept)


Origin = tuple[str, str, int]  # question, donor, draw


def _origins(selection: Selected) -> set[Origin]:
    return {(path.id, path.model, path.draw) for path in selection.kept}


def _first_apart(
    samples: Sequence[Sample], problems: Sequence[Problem], *, policy: Policy, models: Sequence[str], seed: int
) -> set[Origin]:
    """Of the questions that are shown, the samples that would be kept without a cap."""
    if policy.cap is None:
        return set()
    asked = {sample.id for sample in samples[:NUM_SHOWN]}
    own, those = [one for one in samples if one.id in asked], [one for one in problems if one.id in asked]
    return _origins(select(own, those, policy=dataclasses.replace(policy, cap=None), models=models, seed=seed))


def _shown(
    samples: Sequence[Sample], problems: Sequence[Problem], *, kept: set[Origin], apart: set[Origin], policy: Policy
) -> Iterator[Shown]:
    """A capped sample of the pool, all draws of the first questions, with outcome and fate."""
    by_id = {problem.id: problem for problem in problems}
    for sample in samples[:NUM_SHOWN]:
        problem = by_id[sample.id]
        listed = path_equations(sample.text, kind=policy.equations)
        origin = (sample.id, sample.model, sample.draw)
        is_kept, other = origin in kept, OVER_CAP if origin in apart else "duplicate_path"
        reason = None if is_kept else fault(sample, problem, listed=listed, policy=policy) or other
        yield Shown(
            id=sample.id,
            question=problem.question,
            gold=problem.gold,
            text=sample.text,
            outcome=grade(policy.rule, sample.text, problem.gold, sample.truncated).value,
            source="pool",
            model=sample.model,
            draw=sample.draw,
            kept=is_kept,
            reason=reason,
        )
