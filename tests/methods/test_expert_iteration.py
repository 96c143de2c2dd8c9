"""Expert iteration: what its rounds share, what each trains on, and its control at equal steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from composing import compute, tiny

from rft.infra.store import Store
from rft.methods.rft import KeptSet
from rft.methods.sft_matched import MatchedSet
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.records import Record, read_json, read_jsonl
from rft.stages.finetune import Finetune
from rft.stages.select import Select

ROUNDS = "methods.expert_iteration.rounds"


def planned(*overrides: str) -> CellPlan:
    cfg = tiny("k=2", "temperature=1.5", *overrides)
    return plan(cfg, resolve(cfg))


def rounds(number: int, *more: str) -> CellPlan:
    return planned("method=expert_iteration", f"{ROUNDS}={number}", *more)


def selected(cell: CellPlan) -> Select:
    (select,) = cell.read.trained.selections
    assert isinstance(select, Select)
    return select


def test_one_round_is_rft():
    assert rounds(1).read.trained.weights == planned("method=rft").read.trained.weights


def test_the_rounds_of_a_shorter_run_are_the_first_of_a_longer_one():
    two, three = (set(rounds(number).stages) for number in (2, 3))
    assert two - three == {rounds(2).read.measured.evaluate}


def test_each_round_draws_from_the_model_of_the_round_before():
    pools = selected(rounds(3)).pools
    assert [pool.donor for pool in pools] == ["nano-xs", "nano-xs-r2", "nano-xs-r3"]
    assert [pool.shards[0].weights for pool in pools[1:]] == [rounds(number).read.trained.weights for number in (1, 2)]
    seeds = [shard.random_seed for pool in pools for shard in pool.shards]
    assert len(set(seeds)) == len(seeds), "no two rounds draw alike"


def test_the_last_pool_alone_and_the_last_model_are_choices():
    last = rounds(3, "methods.expert_iteration.pools=last")
    assert [pool.donor for pool in selected(last).pools] == ["nano-xs-r3"]
    for choice, before in (("base", rounds(3).read.base), ("last", None)):
        cell = rounds(3, f"methods.expert_iteration.train_from={choice}")
        weights = cell.read.trained.weights
        assert isinstance(weights, Finetune)
        assert (weights.base == before) is (choice == "base")
        assert len(cell.read.trained.all_steps_of) == (1 if choice == "base" else 3)


@pytest.mark.parametrize("start", ["base", "last"])
def test_the_control_takes_as_many_steps(tmp_path: Path, start: str):
    shared = (f"{ROUNDS}=2", f"methods.expert_iteration.train_from={start}", f"store.root={tmp_path}/store")
    cells = ("method=expert_iteration",), ("method=sft_matched", "methods.sft_matched.to=expert_iteration")
    found = []
    for cell in cells:
        cfg = tiny("k=2", "temperature=1.5", *shared, *cell)
        folder = compute(cfg, study=tmp_path / "study")
        found.append((plan(cfg, resolve(cfg)), Record.from_json(read_json(folder / "record.json"))))
    (own, _), (control, record) = found
    trainset = control.read.trained.trainset
    assert isinstance(trainset, MatchedSet)
    assert trainset.like == own.read.trained.all_steps_of
    store, examples = Store(tmp_path / "store"), 0
    for one in own.read.trained.all_steps_of:
        assert isinstance(one, KeptSet)
        examples += sum(1 for _ in read_jsonl(store.folder(one.kind, one.key) / "examples.jsonl"))
    steps = -(-2 * examples // 8)  # two epochs over all of them, in batches of eight
    assert record.data["num_optimizer_steps"] == steps
    for one, (_, told) in zip(("own", "control"), found, strict=True):
        assert told.data["drawn_per_question"] == 4.0, "two rounds of k = 2: it stood at its k"
        made_of = {stage.name for stage in told.cost if stage.makes}
        assert ("shard" in made_of) == (one == "own"), "a control needs the number of steps and no sample"
        assert not made_of & {"evaluate", "loss"}
        assert sum(stage.name == "finetune" and bool(stage.makes) for stage in told.cost) == (3 if one == "own" else 1)


def test_steps_add_up_round_by_round_under_a_cap(tmp_path: Path):
    """Each round takes the capped steps; the control takes as many, and both records say so."""
    shared = (f"{ROUNDS}=3", "methods.expert_iteration.train_from=last", "train.max_steps=3")
    found = []
    for method in ("method=expert_iteration", "method=sft_matched"):
        own = (method, "methods.sft_matched.to=expert_iteration", f"store.root={tmp_path}/store", *shared)
        folder = compute(tiny("k=2", "temperature=1.5", *own), study=tmp_path / "study")
        found.append(Record.from_json(read_json(folder / "record.json")).data["num_optimizer_steps"])
    assert found == [9, 9]


@pytest.mark.parametrize("other", ["icl", "sft_best"])
def test_what_has_no_steps_of_its_own_has_no_matched_control(other: str):
    with pytest.raises(ValueError, match="name a method that fine-tunes once"):
        planned("method=sft_matched", f"methods.sft_matched.to={other}")


@pytest.mark.parametrize("override", ["select.choose=random", "sampling.allocate=by_difficulty"])
def test_a_cell_says_what_it_does_not_choose_or_allocate(override: str):
    """So that no control of one is taken for the other's: a key that a setting lacks agrees with any value."""
    key = override.partition("=")[0]
    plain, other = planned("method=rft", "k=8"), planned("method=rft", "k=8", override)
    assert key in plain.setting
    assert plain.setting[key] != other.setting[key]
