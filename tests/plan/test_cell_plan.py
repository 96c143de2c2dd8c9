"""Identity and sharing: which stages a cell rests on, and what changes a key."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from composing import composed, tiny

from rft.config import StudyConfig
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.stages.finetune import Finetune
from rft.stages.imported import Import
from rft.stages.select import Select
from rft.stages.stage import in_order
from rft.stages.thin import Thin


def planned(*overrides: str) -> CellPlan:
    cfg = tiny(*overrides)
    return plan(cfg, resolve(cfg))


def keys(cell: CellPlan, kind: str) -> list[str]:
    return [stage.key for stage in cell.stages if stage.kind == kind]


def test_sft_and_rft_share_models_and_rft_finetunes_the_base():
    sft, rft = planned("method=sft"), planned("method=rft", "k=2")
    assert keys(sft, "pretrain") == keys(rft, "pretrain")
    assert keys(sft, "finetune")[0] in keys(rft, "finetune")
    weights = rft.read.trained.weights
    assert isinstance(weights, Finetune)
    assert weights.base.kind == "pretrain"


def test_a_larger_k_extends_the_pool_and_keeps_its_shards():
    small, large = planned("method=rft", "k=2"), planned("method=rft", "k=5")
    assert set(keys(small, "shard")) < set(keys(large, "shard"))
    assert keys(small, "select") != keys(large, "select")


def test_k_below_a_shard_uses_the_same_shards():
    assert keys(planned("method=rft", "k=1"), "shard") == keys(planned("method=rft", "k=2"), "shard")


@pytest.mark.parametrize(
    "override",
    [
        "runtime.threads=2",
        "runtime.micro_batch_tokens=512",
        "runtime.sample_batch=8",
        "store.root=elsewhere",
        "tracking.project=other",
        "train.lr=1e-3",  # the model's own value, written out
        "train.epochs=2.0",
    ],
)
def test_what_only_changes_speed_or_spelling_changes_no_key(override: str):
    assert planned("method=rft", override).cell_key == planned("method=rft").cell_key


@pytest.mark.parametrize(
    ("override", "unchanged", "changed"),
    [
        ("temperature=0.9", "finetune[0]", "shard"),
        ("sample_seed=5", "finetune[0]", "shard"),
        ("train_seed=5", "pretrain", "finetune"),
        ("data_seed=5", "pretrain", "kept_set"),
        ("pretrain_seed=5", "heldout", "corpus"),
        ("corpus_seed=5", "heldout", "corpus"),
        ("corpus_seed=5", "heldout", "pretrain"),
        ("data.world.human_style=0.1", "pretrain", "world_problems"),
        ("sampling.engine=torch", "finetune[0]", "shard"),
        ("sampling.stop=[x]", "finetune[0]", "shard"),
        ("select.policy=no_dedup", "shard", "select"),
        ("train.epochs=3", "pretrain", "finetune"),
    ],
)
def test_a_setting_changes_its_own_stage_and_no_earlier_one(override: str, unchanged: str, changed: str):
    before, after = planned("method=rft"), planned("method=rft", override)
    kind, first_only = unchanged.removesuffix("[0]"), unchanged.endswith("[0]")
    kept = slice(0, 1) if first_only else slice(None)
    assert keys(before, kind)[kept] == keys(after, kind)[kept]
    assert set(keys(before, changed)).isdisjoint(keys(after, changed))


def test_a_key_without_meaning_collapses_and_one_with_meaning_does_not():
    assert planned("method=sft", "k=1").cell_id == planned("method=sft", "k=9").cell_id
    assert planned("method=sft_matched", "k=1").cell_id != planned("method=sft_matched", "k=9").cell_id
    assert planned("method=icl", "data_frac=0.5").cell_id == planned("method=icl").cell_id
    assert "k" in planned("method=sft").unused


def test_the_test_set_is_the_same_for_every_seed():
    one, other = planned("method=sft", "seed=1"), planned("method=sft", "seed=2")
    assert keys(one, "world_problems") == keys(other, "world_problems")
    scored = [(cell.read.measured.evaluate.problems, cell.read.measured.evaluate.num_problems) for cell in (one, other)]
    assert scored[0] == scored[1]


def test_a_union_pools_its_donors_only():
    cell = planned("method=rft", "model=nano-xs", "union=[nano-s,nano-m]", "k=2")
    (select,) = cell.read.trained.selections
    assert isinstance(select, Select)
    assert [pool.donor for pool in select.pools] == ["nano-s", "nano-m"]
    assert {stage.model for stage in cell.stages if stage.kind == "shard"} == {"nano-s", "nano-m"}


def test_donor_shards_are_those_of_the_donors_own_cell():
    union = planned("method=rft", "model=nano-xs", "union=[nano-xs]", "k=2")
    assert set(keys(planned("method=rft", "model=nano-xs", "k=2"), "shard")) == set(keys(union, "shard"))


def test_stages_come_after_their_inputs():
    seen: set[str] = set()
    for stage in in_order(planned("method=rft").read.targets):
        assert {one.key for one in stage.inputs} <= seen
        seen.add(stage.key)


def test_planning_changes_nothing_in_the_configuration():
    cfg: StudyConfig = tiny("method=rft")
    before = copy.deepcopy(cfg)
    plan(cfg, resolve(cfg))
    assert cfg == before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data_frac=0", r"data_frac=0\.0 is outside \(0, 1\]"),
        ("data_frac=1.5", r"data_frac=1\.5 is outside \(0, 1\]"),
        ("k=0", r"k=0 is outside \[1, inf\): samples a question and donor"),
        ("union=[nano-q]", "unknown model 'nano-q'.*known are"),
        ("union=[nano-s,nano-s]", "names a model twice"),
        ("temperature=0", r"temperature=0.0 is outside \(0, inf\)"),
        ("data.world.human_style=2", "human_style=2.0 is outside"),
        ("data.num_train=65", "data.num_train=65 is more than data.num_pool=64"),
        ("data.eval_problems=25", "data.eval_problems=25 is more than data.num_test=24"),
        ("tracking.mode=foo", "tracking.mode=foo is not one of offline"),
        ("select.policy=papr", "select.policy=papr is not one of"),
        ("data.rule=last", "data.rule=last is not one of"),
        ("train.schedule=step", "train.schedule=step is not one of cosine"),
    ],
)
def test_bad_values_are_refused_with_what_is_allowed(override: str, message: str):
    with pytest.raises(ValueError, match=message):
        tiny("method=rft", override)


def test_an_imported_model_runs_on_the_embedded_world(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    cfg = composed("model=smollm2-135m", "method=sft", f"model.path={tmp_path}", "data.prompt=plain")
    cell = plan(cfg, resolve(cfg))
    assert isinstance(cell.read.base, Import)
    assert cell.read.loss.path.endswith("heldout.txt")


UNION = ("method=rft", "model=nano-s", "union=[nano-xs,nano-s]", "k=2")


def test_a_thinned_union_shares_both_selections():
    union, thinned = planned(*UNION), planned(*UNION, "select.thin=own")
    single = planned("method=rft", "model=nano-s", "k=4")
    whole, thin = thinned.read.trained.selections
    assert isinstance(thin, Thin)
    assert union.read.trained.selections == (whole,) == (thin.paths,)
    assert single.read.trained.selections == (thin.like,)
    assert (thinned.setting["select.policy"], thinned.setting["select.thin"]) == ("paper", "own")
    assert thinned.cell_id != union.cell_id


def test_thinning_means_nothing_without_a_union():
    plain, asked = planned("method=rft", "k=2"), planned("method=rft", "k=2", "select.thin=own")
    assert plain.cell_key == asked.cell_key


def test_adapters_are_another_setting_than_full_fine_tuning():
    full, lora = planned("method=sft"), planned("method=sft", "train.lora_rank=4")
    assert full.setting["train.lora_rank"] is None
    assert (lora.setting["train.lora_rank"], lora.setting["train.lora_alpha"]) == (4, 8)


@pytest.mark.parametrize("override", ["select.cap=1", "select.tie_break=scored"])
def test_a_choice_beyond_the_policy_is_named_and_changes_the_selection(override: str):
    plain, chosen = planned("method=rft", "k=2"), planned("method=rft", "k=2", override)
    name, _, value = override.removeprefix("select.").partition("=")
    assert str(chosen.setting[f"select.{name}"]) == value
    assert chosen.setting["select.policy"] == "paper"
    assert keys(plain, "select") != keys(chosen, "select")
    assert keys(plain, "shard") == keys(chosen, "shard")
