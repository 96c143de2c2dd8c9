"""Models that read text, in a type of weights that is given: other numbers under another key, and nearly the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from composing import tiny

from rft.core import model
from rft.execute.stages import StageRunner
from rft.infra.store import Store
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.stages.loss import Loss
from rft.stages.scores import Scores
from rft.stages.stage import Stage, in_order

CELL = ("method=rft", "k=2", "temperature=1.5", "select.choose=likeliest", "select.check_equations=false")


def planned(*words: str) -> CellPlan:
    cfg = tiny(*CELL, *words)
    return plan(cfg, resolve(cfg))


def of(cell: CellPlan, kind: type[Stage[Any]]) -> list[Stage[Any]]:
    return [stage for stage in cell.stages if isinstance(stage, kind)]


def test_in_bfloat16_a_loss_is_another_stage_with_nearly_the_same_loss(tmp_path: Path):
    with StageRunner(Store(tmp_path), tiny("runtime.device=cpu").runtime) as run:
        found = {}
        for dtype in ("float32", "bfloat16"):
            (loss,) = of(planned(f"loss.dtype={dtype}"), Loss)
            for stage in in_order([loss]):
                run(stage)
            found[loss.key] = loss.read(run.store.folder("loss", loss.key)).pretrain_loss_nats
    exact, rounded = found.values()
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=2**-7)  # bfloat16 has eight bits


def test_paths_are_scored_by_weights_of_the_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (scores,) = of(planned("select.dtype=bfloat16"), Scores)
    asked: list[str] = []
    load = model.load_model

    def noted(folder: Path, *, device: str, dtype: str) -> Any:
        asked.append(dtype)
        return load(folder, device=device, dtype=dtype)

    with StageRunner(Store(tmp_path), tiny("runtime.device=cpu").runtime) as run:
        *inputs, last = in_order([scores])
        for stage in inputs:
            run(stage)
        monkeypatch.setattr(model, "load_model", noted)
        run(last)
    assert asked == ["bfloat16"]


def test_in_float32_settings_and_keys_are_those_from_before_there_was_a_choice():
    """The words say what is so by default: nothing of it is noted."""
    plain, said = planned(), planned("loss.dtype=float32", "select.dtype=float32")
    assert said.setting == plain.setting
    assert not {"loss.dtype", "select.dtype"} & set(plain.setting)
    assert [stage.key for stage in said.stages] == [stage.key for stage in plain.stages]
    other = planned("loss.dtype=bfloat16", "select.dtype=bfloat16")
    assert (other.setting["loss.dtype"], other.setting["select.dtype"]) == ("bfloat16", "bfloat16")
    changed = {one.kind for one in other.stages} & {one.kind for one in set(other.stages) - set(plain.stages)}
    assert {"loss", "scores", "choose"} <= changed
    assert not changed & {"pretrain", "shard", "select"}
    assert len(of(other, Scores)) == 1


def test_a_type_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"loss\.dtype=float64 is not one of float32, bfloat16"):
        planned("loss.dtype=float64")
    with pytest.raises(ValueError, match=r"select\.dtype=int8 is not one of float32, bfloat16"):
        planned("select.dtype=int8")
