"""A numbers-changed copy of the problems that are scored: a data folder whose scored split is the copy.

The training pool stays (worked examples of a prompt come from it). Problems whose numbers cannot be changed with certainty
are dropped and counted by reason (rft.text.perturb); the record holds the counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rft.records import write_jsonl
from rft.stages import Inputs, StageContext, Stats, only
from rft.stages.problems import FILES, split_problems
from rft.text.perturb import perturb


def make_copy(config: Mapping[str, Any], inputs: Inputs, out: Path, context: StageContext) -> Stats:
    """Stage function; see rft.stages. Raises ValueError when no problem has a copy."""
    data = only(inputs, "data")
    problems = split_problems(data, config["split"])[: config["num_problems"]]
    copy = perturb(problems, seed=config["seed"])
    if not copy.problems:
        raise ValueError(
            f"none of the {len(problems)} problems has a numbers-changed copy ({copy.drop_counts}): their solutions need "
            "annotated equations (<<a*b=c>>); set eval.perturbed_seed=null"
        )
    write_jsonl(out / FILES[config["split"]], (problem.to_json() for problem in copy.problems))
    shutil.copyfile(data / FILES["train"], out / FILES["train"])
    facts = {"seed": config["seed"], "num_problems": len(copy.problems), "drop_counts": copy.drop_counts}
    return {"tokens": 0, "flops": 0.0, "record": {"perturbed": facts}}
