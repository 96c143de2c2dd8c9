"""The training examples of a method: human paths, and what the method adds to them (paper 3.3: D' = D + kept).

Writes `examples.jsonl`, rows {"id", "question", "solution", "source"} with source human | kept | oracle | fresh, and
`reference.json`: {"num_examples": 512, "num_reference_examples": 700}. A method "matched" to an RFT cell trains for as
many optimiser steps as that cell does: its epochs are counted over the reference.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.records import Problem, read_jsonl, write_json, write_jsonl
from rft.stages import Inputs, StageContext, Stats, only
from rft.stages.problems import split_problems, subset_problems
from rft.text.subsets import permutation, rank

EXAMPLES_FILE = "examples.jsonl"
REFERENCE_FILE = "reference.json"
Row = dict[str, str]


def make_trainset(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages."""
    pool = split_problems(only(inputs, "data"), "train")
    human = subset_problems(pool, config["subset"])
    kept = list(read_jsonl(only(inputs, "select") / "kept.jsonl.gz")) if "select" in inputs else []
    added = _added(config, pool=pool, human=human, kept=kept)
    rows = [_row(problem, problem.solution, "human") for problem in human] + added
    if "examples_frac" in config:
        rows = nested_part(rows, frac=config["examples_frac"], seed=config["subset"]["seed"])
    write_jsonl(out / EXAMPLES_FILE, rows)
    reference = len(human) + len(kept)
    write_json(out / REFERENCE_FILE, {"num_examples": len(rows), "num_reference_examples": reference})
    num_human = sum(row["source"] == "human" for row in rows)
    facts = {"num_human": num_human, "num_augmented": len(rows) - num_human, "num_examples": len(rows)}
    return {"tokens": 0, "flops": 0.0, "record": facts}


def _added(
    config: Mapping[str, Any], *, pool: Sequence[Problem], human: Sequence[Problem], kept: Sequence[Mapping[str, Any]]
) -> list[Row]:
    method, seed = config["method"], config["subset"]["seed"]
    if method == "rft":
        by_id = {problem.id: problem for problem in pool}
        return [_row(by_id[path["id"]], path["text"], "kept") for path in kept]
    if method == "oracle_paths":
        return oracle_paths(human, Counter(path["id"] for path in kept), seed=seed)
    if method == "fresh_human":
        return fresh_human(pool, human, num_fresh=len(kept), seed=seed)
    assert method in ("sft", "sft_matched"), method
    return []


def nested_part(rows: Sequence[Row], *, frac: float, seed: int) -> list[Row]:
    """A share of the examples in their order, chosen by seed and text alone; a smaller share lies inside a larger one."""
    ranks = [rank(f"examples-{seed}", row["id"], row["solution"]) for row in rows]
    chosen = sorted(range(len(rows)), key=ranks.__getitem__)[: max(1, round(frac * len(rows)))]
    return [rows[i] for i in sorted(chosen)]


def fresh_human(pool: Sequence[Problem], human: Sequence[Problem], *, num_fresh: int, seed: int) -> list[Row]:
    """`num_fresh` human problems beyond the subset, in the subset's own order. Raises ValueError when the pool is short."""
    by_id = {problem.id: problem for problem in pool}
    order = permutation(list(by_id), seed=seed)
    fresh = order[len(human) : len(human) + num_fresh]
    if len(fresh) < num_fresh:
        raise ValueError(
            f"fresh_human needs {num_fresh} problems beyond the {len(human)} of the subset, the pool has {len(fresh)}: "
            "raise data.num_pool, or lower k or data_frac"
        )
    return [_row(by_id[name], by_id[name].solution, "fresh") for name in fresh]


def oracle_paths(human: Sequence[Problem], counts: Mapping[str, int], *, seed: int) -> list[Row]:
    """As many true alternative paths as RFT kept: per question the same number where there are as many, else elsewhere.

    Alternatives have another equation list than the human path and than each other.
    """
    from rft.text.world import alternative_paths

    wanted = sum(counts.values())
    per_question = {p.id: _shuffled(alternative_paths(p), seed=seed, name=p.id) for p in human}
    chosen = {p.id: per_question[p.id][: counts.get(p.id, 0)] for p in human}
    left = [(p.id, text) for p in human for text in per_question[p.id][len(chosen[p.id]) :]]
    left.sort(key=lambda pair: rank(f"oracle-{seed}", *pair))
    short = wanted - sum(map(len, chosen.values()))
    if short > len(left):
        raise ValueError(
            f"oracle_paths needs {wanted} alternative paths, the {len(human)} problems have "
            f"{wanted - short + len(left)}: lower k, or use a world with more paths"
        )
    for name, text in left[:short]:
        chosen[name].append(text)
    return [_row(p, text, "oracle") for p in human for text in chosen[p.id]]


def _shuffled(texts: Sequence[str], *, seed: int, name: str) -> list[str]:
    return random.Random(rank(f"oracle-{seed}", name)).sample(list(texts), len(texts))


def _row(problem: Problem, solution: str, source: str) -> Row:
    return {"id": problem.id, "question": problem.question, "solution": solution, "source": source}
