"""Draws dealt to questions by what earlier draws came to: never more than the budget, never beyond the cap."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from composing import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from rft.config import AllocationRule
from rft.plan.allocate import first_draws, wave_blocks
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.stages.allocate import Block, Deal, DealtShard, Standing, Targets, deal_blocks
from rft.stages.stage import Stage

UNIFORM, PROPORTIONAL = AllocationRule.uniform, AllocationRule.proportional


def simulated(
    chances: Mapping[str, float], *, k: int, block: int, waves: int, cap: int, targets: Targets, seed: int = 0
) -> list[dict[str, Standing]]:
    """What each wave left: draw `i` of a question is correct as a table says that no order of drawing changes."""
    lots = {name: random.Random(name) for name in chances}
    table = {name: [lots[name].random() < p for _ in range(k * len(chances))] for name, p in chances.items()}
    first = first_draws(k, waves=waves, block=block)
    counts = dict.fromkeys(chances, first)

    def standings() -> dict[str, Standing]:
        return {name: Standing(count, sum(table[name][:count])) for name, count in counts.items()}

    history = [standings()]
    wanted = targets.of(history[0])
    for num_blocks in wave_blocks((k - first) * len(chances), waves=waves, block=block):
        dealt = deal_blocks(history[-1], targets=wanted, num_blocks=num_blocks, block=block, cap=cap, seed=seed)
        for one in dealt:
            assert one.first_draw == counts[one.id], "blocks of one question follow each other without a gap"
            counts[one.id] += block
        history.append(standings())
    return history


POOLS = st.fixed_dictionaries(
    {
        "chances": st.dictionaries(st.sampled_from("abcdefghij"), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), min_size=1),
        "k": st.integers(1, 24),
        "block": st.integers(1, 6),
        "waves": st.integers(1, 5),
        "cap": st.integers(1, 60),
        "targets": st.builds(Targets, st.sampled_from(list(AllocationRule)), st.integers(1, 20)),
    }
)  # fmt: skip


@settings(deadline=None)
@given(POOLS)
def test_the_budget_and_the_cap_hold_and_nobody_is_served_twice(pool: dict):
    first, *waves = simulated(**pool)
    wanted, k, n = pool["targets"].of(first), pool["k"], len(pool["chances"])
    before = first
    for now in waves:
        assert sum(one.num_draws for one in now.values()) <= k * n
        for name, one in now.items():
            given_some = one.num_draws > before[name].num_draws
            assert not given_some or before[name].num_correct < wanted[name], "a question at its target gets nothing"
            assert not given_some or one.num_draws <= pool["cap"]
        before = now
    assert all(one.num_draws >= next(iter(first.values())).num_draws for one in before.values())
    left = k * n - sum(one.num_draws for one in before.values())
    if left >= pool["block"] * pool["waves"]:  # more than what does not fill the blocks of a wave
        seen = [first, *waves][-2]  # by the last deal
        hungry = [name for name, one in seen.items() if one.num_correct < wanted[name]]
        room = [name for name in hungry if before[name].num_draws + pool["block"] <= pool["cap"]]
        assert not room, "draws are left over only where nobody may have them"


@settings(deadline=None)
@given(POOLS, st.randoms())
def test_the_order_of_questions_changes_nothing(pool: dict, shuffle: random.Random):
    names = list(pool["chances"])
    shuffle.shuffle(names)
    assert simulated(**pool) == simulated(**pool | {"chances": {name: pool["chances"][name] for name in names}})


@settings(deadline=None)
@given(POOLS)
def test_where_no_target_is_reached_it_is_the_uniform_pool(pool: dict):
    """Everyone wants more for ever: all end with equally many draws, but for a last block."""
    endless = pool | {"targets": Targets(UNIFORM, 10**6), "cap": 10**6}
    counts = [one.num_draws for one in simulated(**endless)[-1].values()]
    assert max(counts) - min(counts) <= pool["block"]
    if pool["k"] % pool["block"] == 0:
        assert set(counts) == {pool["k"]}


@settings(deadline=None)
@given(POOLS)
def test_more_waves_see_more_but_targets_follow_the_first_draws_alone(pool: dict):
    history = simulated(**pool)
    assert pool["targets"].of(history[0]) == pool["targets"].of(dict(reversed(history[0].items())))
    wanted = pool["targets"].of(history[0])
    assert all(1 <= value <= pool["targets"].correct for value in wanted.values())


def test_hard_questions_get_what_easy_ones_leave():
    final = simulated(
        {"easy": 1.0, "middle": 0.5, "hard": 0.0}, k=16, block=4, waves=3, cap=64, targets=Targets(UNIFORM, 4)
    )[-1]
    assert final["easy"].num_draws == 4
    assert final["middle"].num_correct >= 4
    assert final["hard"].num_draws > 24
    assert sum(one.num_draws for one in final.values()) == 48


def test_the_proportional_rule_wants_more_of_what_fails_more():
    first = {"a": Standing(8, 8), "b": Standing(8, 6), "c": Standing(8, 4), "d": Standing(8, 0)}
    assert Targets(PROPORTIONAL, 6).of(first) == {"a": 1, "b": 2, "c": 3, "d": 6}
    assert Targets(PROPORTIONAL, 6).of({"c": first["c"], "b": first["b"]}) == {"c": 6, "b": 3}  # over the largest rate
    assert Targets(PROPORTIONAL, 6).of({"a": first["a"]}) == {"a": 1}
    assert Targets(UNIFORM, 6).of(first) == dict.fromkeys(first, 6)


def test_blocks_go_to_the_fewest_draws_first_and_ties_to_the_seed():
    standings = {"a": Standing(8, 0), "b": Standing(4, 0), "c": Standing(4, 4), "d": Standing(4, 0)}
    options = {"targets": dict.fromkeys(standings, 4), "block": 4, "cap": 12}
    orders = {tuple(b.id for b in deal_blocks(standings, num_blocks=2, seed=seed, **options)) for seed in range(9)}
    assert orders == {("b", "d"), ("d", "b")}
    everything = deal_blocks(standings, num_blocks=99, seed=0, **options)
    assert Counter(block.id for block in everything) == {"a": 1, "b": 2, "d": 2}
    assert Block("b", 8) in everything
    assert deal_blocks(standings, num_blocks=99, seed=0, **options | {"cap": 11}) != everything


@given(st.integers(0, 500), st.integers(1, 9), st.integers(1, 9))
def test_waves_share_what_is_left_evenly(left: int, waves: int, block: int):
    shares = wave_blocks(left, waves=waves, block=block)
    assert len(shares) == waves
    assert sum(shares) == left // block
    assert max(shares) - min(shares) <= 1


# As planned


def planned(*overrides: str) -> CellPlan:
    cfg = tiny("method=rft", "sampling.allocate=by_difficulty", "allocation.cap=64", *overrides)
    return plan(cfg, resolve(cfg))


def of_kind(cell: CellPlan, kind: type[Stage]) -> list:
    return [stage for stage in cell.stages if isinstance(stage, kind)]


def test_as_many_draws_are_planned_as_the_uniform_pool_has():
    cell = planned("k=8", "allocation.waves=3")
    deals, shards = of_kind(cell, Deal), of_kind(cell, DealtShard)
    assert [deal.num_blocks * deal.block for deal in deals] == [32, 32, 32]
    assert deals[0].first.num_draws * 16 + 96 == 8 * 16
    for deal in deals:
        parts = sorted(shard.part for shard in shards if shard.deal == deal)
        assert parts == [(0, 8), (8, 16)], "each block is drawn once, eight in a stage"
    assert [len(deal.dealt) for deal in deals] == [0, 2, 4], "a wave sees all earlier ones"


def test_every_shard_has_random_numbers_of_its_own():
    shards = of_kind(planned("k=8", "union=[nano-xs,nano-s]"), DealtShard)
    assert len({shard.random_seed for shard in shards}) == len(shards) == 12
    other = of_kind(planned("k=8", "union=[nano-xs,nano-s]", "sample_seed=1"), DealtShard)
    assert not {s.random_seed for s in shards} & {s.random_seed for s in other}


def test_a_cell_that_allocates_nothing_knows_nothing_of_it():
    plain = tiny("method=rft", "k=8")
    other = tiny("method=rft", "k=8", "allocation.correct=3", "allocation.rule=proportional")
    assert plan(plain, resolve(plain)).cell_key == plan(other, resolve(other)).cell_key
    assert not any(key.startswith("allocation.") for key in plan(plain, resolve(plain)).setting)


def test_what_cannot_be_dealt_is_refused():
    for overrides, message in (
        (("k=2",), "leave nothing to deal: raise k above the draws of a shard"),
        (("k=80",), "allocation.cap=64 is less than k=80"),
        (("k=8", "allocation.waves=0"), r"allocation.waves=0 is outside \[1, inf\)"),
    ):
        with pytest.raises(ValueError, match=message):
            planned(*overrides)
