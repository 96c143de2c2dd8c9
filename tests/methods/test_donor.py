"""A donor that is not fine-tuned: its base draws, and nothing else of the cell changes."""

from __future__ import annotations

from composing import FILES, FROM_FILES, composed

from rft.plan.cell import CellPlan, plan
from rft.stages.finetune import Finetune
from rft.stages.shard import Shard
from rft.stages.stage import Stage


def cell(*more: str) -> CellPlan:
    return plan(composed(*FROM_FILES, "method=rft", "k=2", *more), FILES)


def of_kind(planned: CellPlan, kind: type[Stage]) -> list[Stage]:
    return [stage for stage in planned.stages if isinstance(stage, kind)]


def test_the_base_draws_and_only_the_result_is_trained():
    planned = cell("donor.sft=false")
    assert {shard.weights.key for shard in of_kind(planned, Shard)} == {planned.read.base.key}
    assert [stage.key for stage in of_kind(planned, Finetune)] == [planned.read.trained.weights.key]
    assert planned.setting["donor.sft"] is False


def test_by_default_the_sft_model_draws_and_the_setting_is_what_it_was():
    planned = cell()
    assert planned.cell_key == cell("donor.sft=true").cell_key != cell("donor.sft=false").cell_key
    assert "donor.sft" not in planned.setting
    (writer,) = {shard.weights for shard in of_kind(planned, Shard)}
    assert writer in of_kind(planned, Finetune)


def test_a_control_is_matched_to_the_pool_of_the_same_donor():
    wanted = {shard.key for shard in of_kind(cell("donor.sft=false"), Shard)}
    control = plan(composed(*FROM_FILES, "method=sft_matched", "k=2", "donor.sft=false"), FILES)
    assert {shard.key for shard in of_kind(control, Shard)} == wanted
