"""What a stage reads is its identity, and nothing else: which stages each key of the data changes.

A new test set, rule or number of votes costs an evaluation and nothing more; training depends on the rows it trains on.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from composing import FILES, FROM_FILES, composed, tiny

from rft.config import StudyConfig
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import Sources, resolve

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
    "data.on_bad_gold=drop": {"file_problems", *TRAINED, *GUARDS},
    "data.max_new_tokens=50": POOLS,
    "data.prompt=plain": TRAINED - {"human_set"},
    "eval.vote_k=2": {"vote", "test shard"},
    "eval.perturbed_seed=1": {"perturb", "copy evaluate"},
    "loss.max_tokens=2000": {"loss"},
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


def test_another_loss_text_measures_the_loss_alone():
    cfg = composed(*IMPORTED)
    assert new_kinds(plan(cfg, FILES), plan(cfg, changed({"loss": "d9"}))) == {"loss"}
