"""Rejection sampling: grade, check and de-duplicate the first k draws of each donor's pool (paper 3.3, algorithm 1).

Writes `kept.jsonl.gz` (rows of rft.text.selection.KeptPath) and `solutions.jsonl`, a capped sample of pool solutions with
what became of each: {"id", "question", "gold", "text", "outcome", "source": "pool", "model", "draw", "kept", "reason"}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.records import Problem, Sample, read_jsonl, write_jsonl
from rft.stages import SAMPLES_FILE, Inputs, StageContext, Stats, only
from rft.stages.problems import split_problems, subset_problems
from rft.text.answers import grade
from rft.text.selection import (
    KeptPath,
    Policy,
    Selection,
    fault,
    intersections,
    path_equations,
    policy_named,
    select,
)
from rft.text.world import verdict

NUM_SHOWN = 64


def select_paths(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages. Raises RuntimeError when a pool is short: never a smaller k."""
    problems = subset_problems(split_problems(only(inputs, "data"), "train"), config["subset"])
    samples = list(pool_samples(config, inputs["shards"]))
    donors = [name for name, _ in config["donors"]]
    expected = len(problems) * config["k"] * len(donors)
    if len(samples) != expected:
        raise RuntimeError(f"the pool holds {len(samples)} samples, expected {expected}: a shard is short")
    policy = _policy(config)
    selection = select(samples, problems, policy=policy, models=donors, seed=config["seed"])
    write_jsonl(out / "kept.jsonl.gz", (path.to_json() for path in selection.kept))
    write_jsonl(out / "solutions.jsonl", _shown(samples, problems, selection, policy=policy))
    return {"tokens": 0, "flops": 0.0, "record": _facts(selection, problems)}


def _policy(config: Mapping[str, Any]) -> Policy:
    """The named policy with the configured checks; the compatibility policy keeps its own grading rule."""
    changes = {name: config[name] for name in ("count_human", "check_equations", "tolerance", "equations")}
    changes |= {name: config[name] for name in ("cap", "tie_break") if name in config}
    if config["policy"] != "paper_script":
        changes["rule"] = config["rule"]
    return policy_named(config["policy"], **changes)


def pool_samples(config: Mapping[str, Any], shards: Sequence[Path]) -> Iterator[Sample]:
    """The first k draws of every donor's shards."""
    folders = iter(shards)
    for name, num_shards in config["donors"]:
        for _ in range(num_shards):
            for row in read_jsonl(next(folders) / SAMPLES_FILE):
                if row["draw"] < config["k"]:
                    assert row["model"] == name, f"shard of {row['model']} listed under {name}"
                    yield Sample.from_json(row)


def _facts(selection: Selection, problems: Sequence[Problem]) -> dict[str, Any]:
    stats = selection.stats
    facts: dict[str, Any] = {
        "num_questions_sampled": stats.num_questions,
        "num_samples": stats.num_samples,
        "correct_per_question": stats.correct_per_question,
        "distinct_per_question": stats.distinct_per_question,
        "distinct_per_question_with_human": stats.distinct_per_question_with_human,
        "no_equation_frac": stats.no_equation_frac,
        "drop_counts": selection.drop_counts,
        "found_by": intersections(selection),
        "histograms": {"correct": stats.correct_histogram, "distinct": stats.distinct_histogram},
        "lucky_frac": _lucky_frac(selection.kept, problems),
    }
    return facts


def _lucky_frac(kept: Sequence[KeptPath], problems: Sequence[Problem]) -> float | None:
    """Share of kept paths whose right answer rests on invalid reasoning; null where the world cannot check it."""
    by_id = {problem.id: problem for problem in problems}
    if not kept or by_id[kept[0].id].spec is None:
        return None
    invalid = sum(verdict(by_id[path.id], path.text).value != "valid" for path in kept)
    return invalid / len(kept)


def _shown(
    samples: Sequence[Sample], problems: Sequence[Problem], selection: Selection, *, policy: Policy
) -> Iterator[dict[str, Any]]:
    """A capped sample of the pool, all draws of the first questions, with outcome and fate."""
    by_id = {problem.id: problem for problem in problems}
    kept = {(path.id, path.model, path.draw) for path in selection.kept}
    for sample in samples[:NUM_SHOWN]:
        problem = by_id[sample.id]
        listed = path_equations(sample.text, kind=policy.equations)
        is_kept = (sample.id, sample.model, sample.draw) in kept
        reason = None if is_kept else fault(sample, problem, listed=listed, policy=policy) or "duplicate_path"
        yield {
            "id": sample.id,
            "question": problem.question,
            "gold": problem.gold,
            "text": sample.text,
            "outcome": grade(policy.rule, sample.text, problem.gold, sample.truncated).value,
            "source": "pool",
            "model": sample.model,
            "draw": sample.draw,
            "kept": is_kept,
            "reason": reason,
        }
