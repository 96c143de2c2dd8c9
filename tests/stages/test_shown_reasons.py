"""What the shown samples of a selection say of each draw, against its counts."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
from composing import composed, tiny
from lone_stage import given_problems, run_stage

from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import Problem, Sample, read_jsonl, write_jsonl
from rft.stages.evaluate import SOLUTIONS_FILE
from rft.stages.problems import Subset, write_problems
from rft.stages.select import Checks, Select, SelectFacts
from rft.stages.shard import DrawnShard, Pool
from rft.stages.stage import SAMPLES_FILE
from rft.text.selection import POLICIES
from tests.composing import FILES, FROM_FILES

NUM_DRAWS = 16


@dataclass(frozen=True, eq=False, kw_only=True)
class GivenShard(DrawnShard):
    """Stands for draws."""

    kind: ClassVar[str] = "given_shard"


def sampled(problem: Problem, draw: int, rng: random.Random) -> Sample:
    a = rng.randrange(1, 7)
    right = f"<<{a}+{7 - a}=7>>\n#### 7"
    text = rng.choice([right, right, right, right, right, f"so {right}", "#### 8", "<<3+3=7>>\n#### 7", "?"])
    return Sample(problem.id, draw, text, False, 9, "m")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("cap", [None, 1, 2])
def test_the_shown_reasons_are_those_that_are_counted(tmp_path: Path, policy: str, cap: int | None):
    """Four questions of 16 draws: all that is drawn is shown."""
    rng = random.Random(f"{policy} {cap}")
    problems = [Problem(f"p{n}", f"{n}?", "<<1+6=7>>\n#### 7", "7") for n in range(4)]
    subset = Subset(given_problems("train"), len(problems), 0)
    shard = GivenShard(
        subset=subset, block=(0, 4), draws=(0, NUM_DRAWS), temperature=1.0, top_p=1.0, seed=0, stream="s"
    )
    inputs = {subset.source: tmp_path / "problems", shard: tmp_path / "shard"}
    for folder in inputs.values():
        folder.mkdir()
    write_problems(problems, inputs[subset.source])
    samples = [sampled(problem, draw, rng) for problem in problems for draw in range(NUM_DRAWS)]
    write_jsonl(inputs[shard] / SAMPLES_FILE, (sample.to_json() for sample in samples))
    checks = Checks(policy, False, 1e-3, True, "annotated", "paper_select", cap=cap)
    stage = Select(pools=(Pool("m", (shard,), NUM_DRAWS),), subset=subset, checks=checks, seed=0)
    done = run_stage(stage, out=tmp_path / "out", inputs=inputs)
    rows = list(read_jsonl(tmp_path / "out" / SOLUTIONS_FILE))
    assert isinstance(done.facts, SelectFacts)
    counted = {reason: count for reason, count in done.facts.drop_counts.items() if count}
    assert Counter(row["reason"] for row in rows if not row["kept"]) == counted
    assert ("over_cap" in counted) == (cap is not None or policy == "balanced")


def test_keys_follow_where_there_is_a_cap():
    """Elsewhere they are those of before, so that nothing is trained again."""
    for words, capped in (((), False), (("select.policy=balanced",), True), (("select.cap=2",), True)):
        for cell in (plan(composed(*FROM_FILES, "method=rft", "k=2", *words), FILES), tiny_cell(*words)):
            (select,) = (one for one in cell.stages if isinstance(one, Select))
            assert ("cap_told" in select.identity()["checks"]) is capped
            assert (replace(select, checks=replace(select.checks, cap_told=False)).key == select.key) is not capped
            assert not select.checks.without_cap().cap_told


def tiny_cell(*words: str):
    cfg = tiny("method=rft", "k=2", *words)
    return plan(cfg, resolve(cfg))
