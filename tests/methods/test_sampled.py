"""The method `sampled`: SFT's own model, RFT's pool, and no training on what was kept."""

from __future__ import annotations

import pytest
from composing import tiny

from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve


def planned(*overrides: str) -> CellPlan:
    cfg = tiny(*overrides)
    return plan(cfg, resolve(cfg))


def test_it_scores_the_model_of_sft_and_keeps_the_paths_of_rft() -> None:
    sampled, sft, rft = planned("method=sampled", "k=2"), planned("method=sft"), planned("method=rft", "k=2")
    assert sampled.read.measured.evaluate.key == sft.read.measured.evaluate.key
    assert sampled.read.trained.selections[-1].key == rft.read.trained.selections[-1].key
    assert sum(stage.kind == "finetune" for stage in sampled.stages) == 1


def test_fewer_questions_are_the_first_of_those_trained_on() -> None:
    whole, few = planned("method=sampled", "k=2"), planned("method=sampled", "k=2", "methods.sampled.num_questions=4")
    assert few.read.trained.selections[-1].subset.num_problems == 4
    assert few.read.trained.selections[-1].subset.seed == whole.read.trained.selections[-1].subset.seed
    assert few.read.measured.evaluate.key == whole.read.measured.evaluate.key
    for count, said in ((0, r"outside \[1, inf\)"), (10_000, "must lie in 1")):
        with pytest.raises(ValueError, match=f"num_questions.* {said}"):
            planned("method=sampled", "k=2", f"methods.sampled.num_questions={count}")
