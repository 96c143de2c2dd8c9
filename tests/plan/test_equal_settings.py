"""Two ways to write one cell are one cell: its name, its setting and all its stages are those of the shorter way."""

from __future__ import annotations

import itertools

import pytest
from composing import tiny

from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.text.dedup import TIE_BREAKS
from rft.text.selection import POLICIES, policy_named, select
from tests.text.test_selection import pool

RFT = ("model=nano-s", "method=rft", "k=2")


def planned(*keys: str) -> CellPlan:
    cfg = tiny(*keys)
    return plan(cfg, resolve(cfg))


def what(cell: CellPlan) -> tuple[object, ...]:
    return cell.cell_id, cell.cell_key, cell.setting, {stage.key for stage in cell.stages}


@pytest.mark.parametrize("name", POLICIES)
def test_what_a_policy_says_itself_changes_nothing_when_it_is_said_again(name: str) -> None:
    """Against the selections themselves: one key, one choice of paths; the named policy unchanged, one key."""
    samples, problems = pool(40, 12, seed=3)
    kept: dict[str, list[tuple[str, int]]] = {}
    own = what(planned(*RFT, f"select.policy={name}"))
    for cap, tie_break in itertools.product((None, 1, 4), (None, *TIE_BREAKS)):
        said = {key: value for key, value in (("cap", cap), ("tie_break", tie_break)) if value is not None}
        cell = planned(*RFT, f"select.policy={name}", *(f"select.{key}={value}" for key, value in said.items()))
        policy = policy_named(name, **said)
        chosen = [(path.id, path.draw) for path in select(samples, problems, policy=policy, seed=5).kept]
        assert kept.setdefault(cell.cell_key, chosen) == chosen, (cap, tie_break)
        if policy == POLICIES[name]:
            assert what(cell) == own, (cap, tie_break)
    assert len(kept) > 1


@pytest.mark.parametrize("method", ["rft", "sft_matched", "expert_iteration", "fresh_human"])
def test_a_union_of_the_model_alone_is_its_own_pool(method: str) -> None:
    keys = ("model=nano-s", f"method={method}", "k=2")
    assert what(planned(*keys, "union=[nano-s]")) == what(planned(*keys))
    assert planned(*keys, "union=[nano-m]").cell_key != planned(*keys).cell_key


def test_the_order_of_a_union_counts_since_equal_paths_go_to_the_first_that_found_them() -> None:
    one, other = (planned(*RFT, f"union=[{names}]") for names in ("nano-s,nano-m", "nano-m,nano-s"))
    assert one.cell_key != other.cell_key


@pytest.mark.parametrize(
    ("method", "key", "values", "short"),
    [
        ("sft", "tune.train.lr", ("1e-2", "1e-3", "3e-3"), "[1e-3,3e-3,1e-2]"),
        ("rft", "tune.train.epochs", ("4", "1"), "[1,4]"),
        ("sft_best", "methods.sft_best.epoch_grid", ("3", "1", "2"), "[1,2,3]"),
    ],
)
def test_the_order_of_a_grid_and_repeats_in_it_mean_nothing(
    method: str, key: str, values: tuple[str, ...], short: str
) -> None:
    plain = what(planned(f"method={method}", f"{key}={short}"))
    for order in itertools.permutations(values):
        assert what(planned(f"method={method}", f"{key}=[{','.join(order)}]")) == plain
    assert what(planned(f"method={method}", f"{key}=[{','.join([*values, *values])}]")) == plain
    assert what(planned(f"method={method}", f"{key}=[{','.join(values[1:])}]")) != plain
