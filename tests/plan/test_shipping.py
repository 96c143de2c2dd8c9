"""A stage is computed from its own fields alone: without the graph behind it, as a worker gets it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from composing import tiny

from rft.core.sampling.held import HeldSampler
from rft.execute.stages import StagePayload
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.stages.finetune import Finetune
from rft.stages.stage import StageContext


def planned_model(*overrides: str) -> Finetune:
    cfg = tiny("method=rft", "k=2", *overrides)
    weights = plan(cfg, resolve(cfg)).read.trained.weights
    assert isinstance(weights, Finetune)
    return weights


def test_a_sent_stage_keeps_its_keys_and_not_the_graph_behind_it():
    stage = planned_model()
    sent: StagePayload = pickle.loads(pickle.dumps(StagePayload(stage, "store", tiny("method=sft").runtime, ())))
    assert sent.stage == stage
    assert sent.stage.inputs == stage.inputs
    assert all(one.inputs == () for one in sent.stage.inputs)
    assert stage.inputs[1].inputs, "the plan itself is whole"


def test_what_is_sent_does_not_grow_with_the_pool():
    sizes = [len(pickle.dumps(planned_model(f"k={k}").shipped())) for k in (2, 64)]
    assert sizes[1] < sizes[0] + 200


def test_the_input_of_an_input_cannot_be_opened(tmp_path: Path):
    sent = planned_model().shipped()
    runtime = tiny("method=sft").runtime
    work = StageContext(tmp_path, runtime, lambda share: None, HeldSampler(), lambda stage: tmp_path)
    with pytest.raises(RuntimeError, match="not among its own fields"):
        work.open(sent.trainset.subset.source)
