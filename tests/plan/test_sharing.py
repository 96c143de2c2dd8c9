"""A plan that shares steps with the plans of other cells is the plan that is made alone."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from config.test_study_configs import configs_of
from hypothesis import given
from hypothesis import strategies as st

from rft.config import StudyConfig
from rft.config.reading import Reading, unnoted, watched
from rft.infra.digest import digest
from rft.plan.cell import CellPlan, plan
from rft.plan.sharing import Memo, shared
from rft.plan.sources import Resolver
from rft.stages.identity import NotPlainError, key_of, text_of

AXES: dict[str, list[str]] = {
    "model": ["nano-xs", "nano-s"],
    "method": ["sft", "rft", "sft_matched", "sft_best", "expert_iteration", "fresh_human", "self_revise", "icl"],
    "k": ["3", "8", "9"],
    "data_frac": ["0.25", "1"],
    "union": ["[]", "[nano-xs,nano-s]"],
    "seed": ["0", "1"],
    "pretrain_seed": ["0", "1"],
    "corpus_seed": ["null", "1"],
    "train_seed": ["null", "7"],
    "train.epoch_rule": ["fixed", "per_fraction"],
    "train.lr": ["null", "0.002"],
    "sample_from": ["own", "all"],
    "select.policy": ["paper", "no_dedup"],
    "eval.vote_k": ["null", "4"],
    "temperature": ["0.7", "1"],
}


def jobs(count: int, *, seed: int) -> list[StudyConfig]:
    rng = random.Random(seed)
    with configs_of() as configs:
        return [
            configs.of([f"{key}={rng.choice(values)}" for key, values in AXES.items()] + ["study_name=s"])
            for _ in range(count)
        ]


def everything(cell: CellPlan) -> list[Any]:
    """All that a record, a plan's text or a worker may see of a plan."""
    stages = [
        (one.key, one.label, one.model, one.work, one.identity(), [i.key for i in one.inputs]) for one in cell.stages
    ]
    told = (cell.names, cell.model_facts, cell.told, cell.unused, [one.key for one in cell.makers])
    order = (list(cell.setting.items()), list(cell.seeds.items()), [one.key for one in cell.targets])
    return [cell.cell_id, cell.cell_key, told, order, stages]


@pytest.mark.parametrize("seed", range(3))
def test_random_cells_that_share_a_memo_are_those_that_are_planned_alone(seed: int):
    resolver, memo = Resolver(), Memo()
    for cfg in jobs(40, seed=seed):
        sources = resolver.resolve(cfg)
        assert everything(plan(cfg, sources, memo=memo)) == everything(plan(cfg, sources))


def test_cells_that_agree_share_their_stages():
    with configs_of() as configs:
        small, large = (configs.of([f"k={k}", "study_name=s"]) for k in (8, 64))
    resolver, memo = Resolver(), Memo()
    one, other = (plan(cfg, resolver.resolve(cfg), memo=memo) for cfg in (small, large))
    mine = {id(stage) for stage in one.stages if stage.kind in ("pretrain", "shard", "human_set", "loss")}
    assert mine <= {id(stage) for stage in other.stages}


@dataclasses.dataclass
class Asked:
    """Stands for a planner, with steps that read in one way or another."""

    cfg: Any
    sources: Any
    memo: Memo | None
    calls: list[str]

    @shared
    def by_method(self) -> Any:
        self.calls.append("by_method")
        return self.cfg.k if self.cfg.method == "rft" else self.cfg.data_frac

    @shared
    def quietly(self) -> Any:
        self.calls.append("quietly")
        return unnoted(self.cfg).models_of_union

    @shared
    def by_property(self) -> Any:
        self.calls.append("by_property")
        return self.cfg.models_of_union

    @shared
    def outer(self) -> Any:
        self.calls.append("outer")
        return self.by_method()


def asked(cfg: StudyConfig, memo: Memo | None, calls: list[str]) -> tuple[Asked, Reading]:
    reading = Reading()
    return Asked(watched(cfg, reading), None, memo, calls), reading


def test_a_step_is_done_again_where_a_key_that_it_read_has_another_value_and_only_there():
    with configs_of() as configs:
        base = configs.of(["method=rft", "k=4", "data_frac=0.5"])
    memo, calls = Memo(), list[str]()
    for changes, expected in (
        ({}, (4, 1)),
        ({"seed": 5, "data_frac": 1.0}, (4, 0)),  # not read by this method
        ({"k": 8}, (8, 1)),
        ({"method": "sft"}, (0.5, 1)),
        ({"method": "sft", "k": 8}, (0.5, 0)),
        ({"k": 4}, (4, 0)),
    ):
        cfg = dataclasses.replace(base, **changes)
        calls.clear()
        p, reading = asked(cfg, memo, calls)
        alone, reading_alone = asked(cfg, None, [])
        assert (p.outer(), len(calls) // 2) == expected
        assert alone.outer() == p.outer()
        assert list(reading.setting.items()) == list(reading_alone.setting.items())


def test_what_is_read_without_a_note_counts_and_is_not_noted():
    with configs_of() as configs:
        base = configs.of(["method=rft"])
    memo, calls = Memo(), list[str]()
    for union in ([], ["nano-xs"], ["nano-xs", "nano-s"]):
        p, reading = asked(dataclasses.replace(base, union=union), memo, calls)
        assert p.quietly() == union
        assert reading.setting == {}
    assert len(calls) == 3


def test_a_step_that_reads_through_a_property_is_recalled_where_what_that_reads_is_the_same():
    with configs_of() as configs:
        base = configs.of(["method=rft"])
    memo, calls = Memo(), list[str]()
    for union, seed in ((["nano-xs"], 0), (["nano-s"], 0)):
        cfg = base.with_values(union=union, seed=seed)
        for one in (cfg, cfg.with_values(seed=7)):
            p, _ = asked(one, memo, calls)
            assert p.by_property() == union
    assert len(calls) == 2


def test_a_copy_with_other_values_is_what_dataclasses_make_of_it():
    with configs_of() as configs:
        base = configs.of(["method=rft", "k=4"])
    before = dataclasses.replace(base)
    twin = base.with_values(k=8, seed=3)
    assert twin == dataclasses.replace(base, k=8, seed=3)
    assert (type(twin), base) == (type(base), before)
    assert twin.data is base.data


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), PLAIN), st.text())
def test_a_key_from_texts_is_the_digest_of_the_values(fields: dict[str, Any], kind: str):
    assert key_of([kind, 1], {name: text_of(value) for name, value in fields.items()}) == digest([kind, 1, fields])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, object(), {"a": [float("nan")]}])
def test_what_is_not_plain_has_no_text(value: Any):
    with pytest.raises(NotPlainError):
        text_of(value)


def test_true_and_one_are_two_settings():
    """To a dictionary they are one key; a plug-in's option may be either."""
    memo, keys = Memo(), list[str]()
    with configs_of() as configs:
        p, _ = asked(configs.of(["method=rft"]), memo, [])
    for value in (True, 1):

        def step(p: Asked, value: Any = value) -> Any:
            p.cfg._reading.setting["a"] = value
            return value

        keys.append(memo.key([], memo.found(step, p).reading))
    assert keys == [digest([[], {"a": True}, {}]), digest([[], {"a": 1}, {}])]
    assert memo.found(lambda p, value: value, p, True).value is True
