"""Rejection sampling: which samples become training paths (paper section 3.3 and appendix A.3, Algorithm 1).

    >>> problem = Problem("g-1", "Half of 48?", "48/2 = <<48/2=24>>24\\n#### 24", "24")
    >>> texts = ("48/2=<<48/2=24>>24\\n#### 24", "<<48/2=24>>24\\n#### 24", "<<24+24=48>>48\\n#### 48")
    >>> samples = [Sample("g-1", draw, text, False, 20, "m") for draw, text in enumerate(texts)]
    >>> selection = select(samples, [problem], policy=policy_named("paper"))
    >>> selection.kept
    [KeptPath(id='g-1', key='48/2=24', model='m', draw=0, text='48/2=<<48/2=24>>24\\n#### 24')]
    >>> {reason: count for reason, count in selection.drop_counts.items() if count}
    {'wrong_answer': 1, 'duplicate_path': 1}
    >>> selection.stats.correct_per_question, selection.stats.distinct_per_question
    (2.0, 1.0)

Samples are processed question by question (in the order of the problems), model by model (in the order of `models`), draw by
draw; the order in which the samples are given does not matter. A dropped sample is counted once, under the first reason that
applies. Selecting again from what was kept keeps all of it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rft.records import Problem, Sample
from rft.registry import suggestion
from rft.text import answers, equations
from rft.text.dedup import farthest_paths, random_paths, thin
from rft.text.path_keys import TEXT, human_keys, path_equations

REASONS = ("no_answer", "wrong_answer", "truncated", "false_equation", "duplicate_path")
OVER_CAP = "over_cap"  # a further reason, where the policy has a cap


@dataclass(frozen=True)
class Policy:
    """A named way to select."""

    name: str
    dedup: str  # farthest (Algorithm 1) | none (keep every correct path) | random (one per key, by seed)
    cap: int | None = None  # most paths per question, chosen by seed; None: no cap
    count_human: bool = False  # True: a sample with the human path's key is a duplicate
    check_equations: bool = True
    tolerance: float = equations.TOLERANCE
    # annotated (`<<...>>`) | plain (from text, for models that write no annotations) | text (paths differ by their text)
    equations: str = "annotated"
    rule: str = "paper_select"  # grading rule, see rft.text.answers
    tie_break: str = "others"  # of `farthest`, see rft.text.dedup.farthest_paths
    python_equations: bool = False  # equations are what Python's own syntax accepts, as in the paper's script


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("paper", "farthest"),
        Policy("no_dedup", "none"),
        Policy("random_per_key", "random"),
        Policy("balanced", "farthest", cap=4),  # near the paper's mean of distinct paths at k = 50
        # the released script: only Python syntax in equations and no chains; the rest equals `paper`
        Policy("paper_script", "farthest", python_equations=True),
    )
}


def policy_named(name: str, **changes: Any) -> Policy:
    """The policy of that name with fields replaced. Raises ValueError with the known names and the nearest one."""
    if name not in POLICIES:
        allowed = f"{', '.join(POLICIES)}{suggestion(name, POLICIES)}"
        raise ValueError(f"unknown selection policy {name!r}; allowed are {allowed}")
    return dataclasses.replace(POLICIES[name], **changes)


@dataclass(frozen=True)
class KeptPath:
    """One selected path with its origin."""

    id: str  # Problem.id
    key: str  # its equations joined with '|'; '' when it has none
    model: str  # the donor
    draw: int
    text: str

    def to_json(self) -> dict[str, Any]:
        """The row of a paths file."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class SelectionStats:
    """Counts over all problems given, sampled or not. Distinct paths: keys of samples that pass every check."""

    num_questions: int
    num_samples: int
    correct_per_question: float  # samples with the right answer, equations not checked
    distinct_per_question: float  # distinct keys of sampled paths
    distinct_per_question_with_human: float  # the human path's key counted too, as in the paper's Table 2
    no_equation_frac: float  # of all samples: those without any equation
    found_by: dict[tuple[str, ...], int]  # distinct paths by the exact set of models that found them (paper Fig. 6)
    correct_histogram: list[int]  # questions with 0, 1, 2, ... correct samples (paper Fig. 7)
    distinct_histogram: list[int]  # questions with 0, 1, 2, ... distinct keys

    @property
    def found_alone(self) -> dict[str, int]:
        """Distinct paths that one model alone found, for each model that found any path."""
        names = sorted({name for models in self.found_by for name in models})
        return {name: self.found_by.get((name,), 0) for name in names}


@dataclass(frozen=True)
class Selected:
    """What was kept and, by reason, how many samples were not."""

    kept: list[KeptPath]
    drop_counts: dict[str, int]
    stats: SelectionStats


@dataclass
class _Totals:
    """Running counts while questions stream by."""

    drops: Counter[str] = field(default_factory=Counter)
    correct: Counter[int] = field(default_factory=Counter)  # questions by their number of correct samples
    distinct: Counter[int] = field(default_factory=Counter)
    distinct_with_human: int = 0
    no_equation: int = 0
    found_by: Counter[tuple[str, ...]] = field(default_factory=Counter)


def select(
    samples: Iterable[Sample],
    problems: Sequence[Problem],
    *,
    policy: Policy,
    models: Sequence[str] | None = None,
    max_draws: int | None = None,
    seed: int = 0,
) -> Selected:
    """Select training paths from samples of one or several models (a union is several models' samples together).

    `models` fixes their order (default: sorted); `max_draws` limits each model and question to its first draws;
    `seed` serves the random choices of `random_per_key` and caps. Raises ValueError for a sample of an unknown problem
    or model, when one draw occurs twice, for a gold answer that the policy's rule misreads, or a tolerance that is 0 or less.
    """
    if policy.tolerance <= 0:
        raise ValueError(f"tolerance must be above 0, got {policy.tolerance}: sides of an equation must differ by less")
    for name, limit in (("cap", policy.cap), ("max_draws", max_draws)):
        if limit is not None and limit < 1:
            raise ValueError(f"{name} must be at least 1, got {limit}")
    for problem in problems:
        if misread := answers.gold_fault(policy.rule, problem.gold):
            raise ValueError(f"problem {problem.id!r} cannot be graded: {misread}")
    grouped, names = _grouped(samples, problems, models)
    totals, kept, num_samples = _Totals(), [], 0
    for problem in problems:
        drawn = _first_draws(grouped.get(problem.id, []), max_draws)
        num_samples += len(drawn)
        kept += _select_question(problem, drawn, policy=policy, seed=seed, totals=totals)
    drops = {reason: totals.drops[reason] for reason in REASONS}
    if policy.cap is not None:
        drops[OVER_CAP] = totals.drops[OVER_CAP]
    order = {name: index for index, name in enumerate(names)}
    found_by = {tuple(sorted(m, key=lambda name: order[name])): n for m, n in sorted(totals.found_by.items())}
    n = max(1, len(problems))
    stats = SelectionStats(
        num_questions=len(problems),
        num_samples=num_samples,
        correct_per_question=_sum(totals.correct) / n,
        distinct_per_question=_sum(totals.distinct) / n,
        distinct_per_question_with_human=totals.distinct_with_human / n,
        no_equation_frac=totals.no_equation / max(1, num_samples),
        found_by=found_by,
        correct_histogram=_histogram(totals.correct),
        distinct_histogram=_histogram(totals.distinct),
    )
    assert len(kept) + sum(drops.values()) == num_samples, "every sample is kept or counted once"
    return Selected(kept, drops, stats)


def _sum(counts: Counter[int]) -> int:
    return sum(value * number for value, number in counts.items())


def _histogram(counts: Counter[int]) -> list[int]:
    return [counts[value] for value in range(max(counts, default=-1) + 1)]


def _grouped(
    samples: Iterable[Sample], problems: Sequence[Problem], models: Sequence[str] | None
) -> tuple[dict[str, list[Sample]], list[str]]:
    known = {problem.id for problem in problems}
    grouped: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.id not in known:
            raise ValueError(
                f"a sample belongs to problem {sample.id!r}, which is not among the {len(known)} problems given"
            )
        grouped[sample.id].append(sample)
    found = {sample.model for drawn in grouped.values() for sample in drawn}
    names = sorted(found) if models is None else list(models)
    if unknown := sorted(found - set(names)):
        raise ValueError(f"samples of model {unknown[0]!r}, which is not listed in models {names}")
    order = {name: index for index, name in enumerate(names)}
    for drawn in grouped.values():
        drawn.sort(key=lambda sample: (order[sample.model], sample.draw))
        for one, other in itertools.pairwise(drawn):
            if (one.model, one.draw) == (other.model, other.draw):
                raise ValueError(f"problem {one.id!r} has draw {one.draw} of model {one.model!r} twice")
    return grouped, names


def _first_draws(drawn: list[Sample], max_draws: int | None) -> list[Sample]:
    if max_draws is None:
        return drawn
    taken: Counter[str] = Counter()
    kept = []
    for sample in drawn:
        taken[sample.model] += 1
        if taken[sample.model] <= max_draws:
            kept.append(sample)
    return kept


def _select_question(
    problem: Problem, drawn: Sequence[Sample], *, policy: Policy, seed: int, totals: _Totals
) -> list[KeptPath]:
    valid: list[KeptPath] = []
    num_correct = 0
    for sample in drawn:
        listed = path_equations(sample.text, kind=policy.equations)
        totals.no_equation += not listed
        reason = fault(sample, problem, listed=listed, policy=policy)
        num_correct += reason not in ("no_answer", "wrong_answer")
        if reason is None:
            valid.append(KeptPath(sample.id, "|".join(listed), sample.model, sample.draw, sample.text))
        else:
            totals.drops[reason] += 1
    totals.correct[num_correct] += 1
    human = human_keys(problem, kind=policy.equations)
    _count_found(valid, human, totals)
    fresh = [path for path in valid if path.key not in human] if policy.count_human else valid
    kept = _deduplicated(fresh, policy=policy, seed=seed)
    totals.drops["duplicate_path"] += len(valid) - len(kept)
    capped = kept if policy.cap is None else thin(kept, size=min(policy.cap, len(kept)), seed=seed)
    totals.drops[OVER_CAP] += len(kept) - len(capped)
    return capped


def fault(sample: Sample, problem: Problem, *, listed: list[str], policy: Policy) -> str | None:
    """Why a sample cannot be kept, regardless of other samples: the first reason of REASONS that applies, or None.

    `listed` are its equations, as `path_equations` finds them.
    """
    answer = answers.extract(policy.rule, sample.text)
    if answer is None:
        return "no_answer"
    if not answers.equal(policy.rule, answer, problem.gold):
        return "wrong_answer"
    if sample.truncated:
        return "truncated"
    if not policy.check_equations or policy.equations == TEXT:
        return None
    if policy.python_equations and not all(equations.holds_in_python(e, tolerance=policy.tolerance) for e in listed):
        return "false_equation"
    if not policy.python_equations and not equations.check_equations(listed, tolerance=policy.tolerance).ok:
        return "false_equation"
    return None


def _count_found(valid: Sequence[KeptPath], human: set[str], totals: _Totals) -> None:
    models_of: dict[str, set[str]] = defaultdict(set)
    for path in valid:
        models_of[path.key].add(path.model)
    totals.distinct[len(models_of)] += 1
    totals.distinct_with_human += len(models_of.keys() | human)
    totals.found_by.update(tuple(sorted(models)) for models in models_of.values())


def _deduplicated(valid: Sequence[KeptPath], *, policy: Policy, seed: int) -> list[KeptPath]:
    if policy.dedup == "none":
        return list(valid)
    if policy.dedup == "farthest":
        return farthest_paths(valid, tie_break=policy.tie_break)
    if policy.dedup == "random":
        return random_paths(valid, seed=seed)
    raise ValueError(f"unknown dedup {policy.dedup!r}; allowed are farthest, none, random")


def intersections(selection: Selected) -> Mapping[str, int]:
    """`found_by` with readable names, e.g. {"7B": 10, "7B & 13B": 4}, for records and tables."""
    return {" & ".join(models): count for models, count in selection.stats.found_by.items()}
