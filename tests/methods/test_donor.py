"""A donor that is not fine-tuned: its base draws, and nothing else of the cell changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from byte_model import overrides
from composing import FILES, FROM_FILES, composed, compute

import rft.stages.generation as generation
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.plan.told import told
from rft.records import Problem, read_jsonl
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


def test_worked_examples_of_a_donor_are_part_of_its_pool_and_of_nothing_else():
    with_, without = cell("donor.sft=false", "donor.num_shots=3"), cell("donor.sft=false")
    assert {s.generation.shots.num_shots for s in of_kind(with_, Shard)} == {3}
    assert {s.key for s in of_kind(with_, Shard)}.isdisjoint(s.key for s in of_kind(without, Shard))
    assert with_.read.measured.evaluate.generation.shots is None
    assert with_.setting["donor.num_shots"] == 3
    assert "donor.num_shots" not in without.setting


def test_what_a_donor_here_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Seen where prompts are made: human examples of the cell's fraction, never the question itself."""
    seen: list[tuple[Problem, list[str]]] = []
    made = generation.make_prompts

    def spied(how, problems, *, shots, tokenizer):
        prompts = made(how, problems, shots=shots, tokenizer=tokenizer)
        if how.shots is not None:
            seen.extend(
                (one, [row["question"] for row in rows if row["question"] in prompt.text])
                for one, prompt in zip(problems, prompts, strict=True)
            )
            assert all(prompt.text.count("Question:") == 3 for prompt in prompts)
        return prompts

    given = overrides(tmp_path)
    rows = list(read_jsonl(tmp_path / "data" / "train.jsonl"))
    monkeypatch.setattr(generation, "make_prompts", spied)
    more = ("method=rft", "k=2", "data_frac=0.5", "donor.sft=false", "donor.num_shots=2", "data.max_prompt_tokens=120")
    compute(composed(*given, *more), study=tmp_path / "study")
    asked = {problem.question for problem, _ in seen}
    assert len(seen) == len(asked) == 6
    for problem, found in seen:
        assert len(found) == 3
        assert problem.question in found
        assert set(found) <= asked


def test_two_names_of_one_model_are_no_two_donors():
    """They would draw the same: as many samples as two models', and no new path among them."""
    cfg = composed("method=rft", "k=2", "model=nano-s", "union=[nano-s,nano-xs,nano-m]")
    assert plan(cfg, resolve(cfg)).setting["union"] == ["nano-s", "nano-xs", "nano-m"]
    cfg.donors["nano-m"] = dataclasses.replace(cfg.donors["nano-xs"], name="nano-m")
    with pytest.raises(ValueError, match=r"nano-xs and nano-m are one model under two names.*raise k"):
        plan(cfg, resolve(cfg))


def test_one_base_trained_otherwise_is_another_donor_and_the_plan_says_what_they_share():
    cfg = composed("method=rft", "k=2", "model=nano-s", "union=[nano-s,nano-xs,nano-m]")
    cfg.donors["nano-m"] = dataclasses.replace(cfg.donors["nano-xs"], name="nano-m", lr=0.5)
    found = resolve(cfg)
    assert plan(cfg, found).setting["union"] == ["nano-s", "nano-xs", "nano-m"]
    assert [line for line in told(cfg, found) if "one base" in line] == [
        "nano-xs and nano-m are one base: they draw with the same random numbers, and so more alike than two models"
    ]
