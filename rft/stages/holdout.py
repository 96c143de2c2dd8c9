"""A part of the human subset held out: a data folder whose `train_pool.jsonl` is the rest and `validation.jsonl` the part.

There is no `test.jsonl`: what is trained, chosen or drafted on such a folder cannot have seen the test set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rft.records import write_jsonl
from rft.stages import Inputs, StageContext, Stats, only
from rft.stages.problems import FILES, split_problems, subset_problems
from rft.text.subsets import permutation


def hold_out(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function: problems first..last of the subset, in an order of their own, are held out."""
    problems = subset_problems(split_problems(only(inputs, "data"), "train"), config["subset"])
    first, last = config["held"]
    order = permutation([problem.id for problem in problems], seed=f"holdout-{config['subset']['seed']}")
    held = set(order[first:last])
    assert 0 < len(held) < len(problems), f"{len(held)} of {len(problems)} problems held out"
    write_jsonl(out / FILES["train"], (p.to_json() for p in problems if p.id not in held))
    write_jsonl(out / FILES["validation"], (p.to_json() for p in problems if p.id in held))
    return {"tokens": 0, "flops": 0.0}
