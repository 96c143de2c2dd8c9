"""What a stage reads is its identity, and nothing else: which stages each key of the data changes.

A new test set, rule or number of votes costs an evaluation and nothing more; training depends on the rows it trains on.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from composing import FILES, FROM_FILES, composed, tiny

from rft.config import DataConfig, StudyConfig
from rft.plan.cell import CellPlan, plan
from rft.plan.data_files import SetSource
from rft.plan.sources import Sources, resolve
from rft.text.answers import RULES, grading_marks

IMPORTED = (*FROM_FILES, "method=rft", "k=2")
SCORED = {"evaluate"}
POOLS = {"shard", "select", "kept_set", "finetune", "evaluate"}
TRAINED = {"human_set", "finetune", *POOLS}
GUARDS = {"golds", "leakage"}

# key=value -> kinds of stage that may change; what is not listed keeps every key
OF_FILES: dict[str, set[str]] = {
    "data.eval_problems=20": SCORED,
    "data.test_limit=30": {"file_problems", *GUARDS, *SCORED},
    "data.rule=last_number": {"golds", "select", "kept_set", "finetune", *SCORED},
    "data.num_shots=2": set(),  # of ICL alone
    "data.num_validation=10": {"part", *TRAINED, *GUARDS},  # rows of the training file are held out
    "data.num_train=50": TRAINED,
    "data.train_limit=90": {"file_problems", *TRAINED, *GUARDS},
    "data.on_duplicate=drop": {"file_problems", *TRAINED, *GUARDS},
    "data.solutions=all": {"file_problems", *TRAINED, *GUARDS},
    "data.on_bad_gold=drop": {"file_problems", *TRAINED, *GUARDS},
    "++data.adapter={question:q,solution:a}": {"file_problems", *TRAINED, *GUARDS},
    "data.on_too_long=drop": {"within_limit", *POOLS},
    "data.on_too_long=truncate": POOLS,
    "data.max_new_tokens=50": POOLS,
    "data.prompt=plain": TRAINED - {"human_set"},
    "eval.vote_k=2": {"vote", "test shard"},
    "eval.perturbed_seed=1": {"perturb", "copy evaluate"},
    "loss.max_tokens=2000": {"loss"},
    "loss.dtype=bfloat16": {"loss"},
    "select.dtype=bfloat16": set(),  # of choices among paths alone
}
OF_THE_WORLD: dict[str, set[str]] = {
    "data.num_test=20": {"world_problems", *SCORED},
    "data.eval_problems=8": SCORED,
    "data.num_validation=4": set(),
    "data.rule=last_number": {"select", "kept_set", "finetune", *SCORED},
    "data.num_pool=60": {"world_problems", *TRAINED},
    "data.num_train=12": TRAINED,
    "loss.max_tokens=2048": {"heldout", "loss"},
    "loss.window=128": {"loss"},
    "loss.dtype=bfloat16": {"loss"},
    "eval.vote_k=2": {"vote", "test shard"},
}


def kinds(cell: CellPlan) -> dict[str, str]:
    """Kind by key; shards of test problems and evaluations of a copy have names of their own."""
    found = {}
    for stage in cell.stages:
        name = f"test {stage.kind}" if stage.kind == "shard" and " test " in stage.label else stage.kind
        found[stage.key] = f"copy {name}" if stage.label.endswith("numbers changed") else name
    return found


def new_kinds(before: CellPlan, after: CellPlan) -> set[str]:
    known = kinds(before)
    return {kind for key, kind in kinds(after).items() if key not in known}


@pytest.mark.parametrize("override", OF_FILES)
def test_a_key_of_files_changes_its_own_stages(override: str):
    before, after = (plan(composed(*IMPORTED, *more), FILES) for more in ((), (override,)))
    assert new_kinds(before, after) <= OF_FILES[override]
    assert OF_FILES[override] == set() or new_kinds(before, after)


@pytest.mark.parametrize("override", OF_THE_WORLD)
def test_a_key_of_the_world_changes_its_own_stages(override: str):
    def planned(*more: str) -> CellPlan:
        cfg: StudyConfig = tiny("method=rft", "k=2", *more)
        return plan(cfg, resolve(cfg))

    assert new_kinds(planned(), planned(override)) <= OF_THE_WORLD[override]
    assert OF_THE_WORLD[override] == set() or new_kinds(planned(), planned(override))


def changed(content: dict[str, str]) -> Sources:
    values: dict[str, Any] = {"data_digest": FILES.data_digest | content}
    return dataclasses.replace(FILES, **values)


def test_another_test_file_costs_an_evaluation_and_nothing_more():
    cfg = composed(*IMPORTED)
    found = new_kinds(plan(cfg, FILES), plan(cfg, changed({"test": "d9"})))
    assert found == {"file_problems", *GUARDS, *SCORED}


def test_another_training_file_trains_again_on_the_same_base():
    cfg = composed(*IMPORTED)
    found = new_kinds(plan(cfg, FILES), plan(cfg, changed({"train": "d9"})))
    assert found == {"file_problems", *TRAINED, *GUARDS}


def test_a_rule_that_grades_otherwise_than_before_grades_again(monkeypatch: pytest.MonkeyPatch):
    """What its name alone would not tell: another key for each stage that holds grades, and for what rests on these."""
    cfg = composed(*IMPORTED)
    before = plan(cfg, FILES)
    assert grading_marks(cfg.data.rule) == ()  # as in the keys of studies that are there
    monkeypatch.setitem(RULES._things, cfg.data.rule, dataclasses.replace(RULES[cfg.data.rule], version=2))
    assert new_kinds(before, plan(cfg, FILES)) == OF_FILES["data.rule=last_number"]
    assert {name for name in RULES if grading_marks(name)} >= {"math_verify", "exact", "choice"}


def test_another_loss_text_measures_the_loss_alone():
    cfg = composed(*IMPORTED)
    assert new_kinds(plan(cfg, FILES), plan(cfg, changed({"loss": "d9"}))) == {"loss"}


SET = ("eval.sets=[svamp]", "+eval_sets.svamp.test_path=svamp.jsonl")
WITH_SET = dataclasses.replace(FILES, sets={"svamp": SetSource("d8", "svamp.jsonl", 40)})
OF_SET = {"file_problems", *GUARDS, *SCORED}

# The same of a further test set: whatever is said of it costs its own evaluation at most; what is not listed, nothing
OF_FURTHER_SETS: dict[str, tuple[str, set[str]]] = {
    "num_train": ("50", set()),
    "num_pool": ("50", set()),
    "num_validation": ("10", set()),
    "num_test": ("10", set()),
    "eval_problems": ("20", SCORED),
    "prompt": ("plain", SCORED),
    "rule": ("last_number", {"golds", *SCORED}),
    "max_prompt_tokens": ("200", SCORED),
    "max_new_tokens": ("50", SCORED),
    "num_shots": ("2", set()),  # worked examples are the cell's own
    "expected_question_tokens": ("9", set()),
    "expected_solution_tokens": ("9", set()),
    "world": ("null", set()),
    "train_path": ("other.jsonl", set()),
    "test_path": ("other.jsonl", set()),  # a path is not a content
    "loss_path": ("other.txt", set()),
    "train_limit": ("5", set()),
    "test_limit": ("30", OF_SET),
    "on_bad_gold": ("drop", OF_SET),
    "on_duplicate": ("drop", OF_SET),
    "solutions": ("all", set()),
    "on_too_long": ("drop", set()),
    "recipe": ("{epochs:1}", set()),
    "adapter": ("{question:q,solution:a}", OF_SET),
    "train_mix": ("[{path:a.jsonl}]", set()),
}


def test_the_table_has_every_key_of_a_further_set():
    assert OF_FURTHER_SETS.keys() == {field.name for field in dataclasses.fields(DataConfig)} - {"name", "kind"}


@pytest.mark.parametrize("method", ["icl", "sft", "rft", "sft_matched", "self_revise"])
def test_a_further_set_costs_an_evaluation_and_nothing_more(method: str):
    cell = ("model=smollm2-135m", "data=gsm8k", "model.path=folder", f"method={method}", "k=2")
    alone, more = plan(composed(*cell), FILES), plan(composed(*cell, *SET), WITH_SET)
    assert new_kinds(alone, more) == OF_SET
    assert {stage.key for stage in alone.stages} < {stage.key for stage in more.stages}
    assert (alone.cell_id, alone.cell_key, alone.setting) == (more.cell_id, more.cell_key, more.setting)


@pytest.mark.parametrize("key", OF_FURTHER_SETS)
def test_a_key_of_a_further_set_changes_its_own_stages(key: str):
    value, kinds_of = OF_FURTHER_SETS[key]
    before = plan(composed(*IMPORTED, *SET), WITH_SET)
    after = plan(composed(*IMPORTED, *SET, f"++eval_sets.svamp.{key}={value}"), WITH_SET)
    assert new_kinds(before, after) <= kinds_of
    assert kinds_of == set() or new_kinds(before, after)
    assert before.cell_key == after.cell_key
    assert (before.set_keys == after.set_keys) == (kinds_of == set())  # the record tells the two apart


@pytest.mark.parametrize("override", [key for key in OF_FILES if key.startswith("data.")])
def test_a_key_of_the_cells_own_data_leaves_a_further_set_its_problems(override: str):
    before, after = (plan(composed(*IMPORTED, *SET, *more), WITH_SET) for more in ((), (override,)))
    assert before.set_keys == after.set_keys
    assert before.sets[0].problems == after.sets[0].problems


def test_another_content_of_a_further_set_costs_its_evaluation():
    other = dataclasses.replace(WITH_SET, sets={"svamp": SetSource("d9", "svamp.jsonl", 40)})
    cfg = composed(*IMPORTED, *SET)
    assert new_kinds(plan(cfg, WITH_SET), plan(cfg, other)) == OF_SET


def test_votes_on_a_further_set_are_shards_of_its_own():
    cfg, voted = (composed(*IMPORTED, *SET, *more) for more in ((), ("eval.vote_k=2",)))
    new = [stage.label for stage in plan(voted, WITH_SET).stages if stage.key not in kinds(plan(cfg, WITH_SET))]
    assert len([label for label in new if label.startswith("vote")]) == 2
    assert len(new) == 2 + len([label for label in new if label.startswith("sample")])


def test_a_set_of_another_world_is_looked_at_for_training_questions():
    cfg = tiny("method=sft", "eval.sets=[longer]", "+eval_sets.longer.world.max_steps=4",
               "+eval_sets.longer.num_test=20", "+eval_sets.longer.eval_problems=10")  # fmt: skip
    own = plan(tiny("method=sft"), resolve(tiny("method=sft")))
    assert new_kinds(own, plan(cfg, resolve(cfg))) == {"world_problems", "leakage", "evaluate"}
