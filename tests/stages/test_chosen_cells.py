"""Whole cells of a tiny size for each way to choose paths and to spend draws."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from composing import compute, tiny, with_tiny_donors
from odd_rule import by_lot
from reward_model import write_reward_model

from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import read_jsonl
from rft.stages.allocate import DealtShard
from rft.stages.stage import SAMPLES_FILE
from rft.text.answers import grade
from rft.text.choosing import CHOOSERS

SIZES = ("method=rft", "k=8", "data.rule=by_lot", "select.check_equations=false", "data.max_new_tokens=96")
SIZES += ("temperature=1.0", "select.policy=random_per_key", "select.equations=plain")


@pytest.fixture(scope="module", autouse=True)
def _odd_rule() -> Iterator[None]:
    with by_lot():
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells")


def record(place: Path, *overrides: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(the record, its kept paths) of a cell; all cells share their base and pools."""
    cfg = with_tiny_donors(tiny(*SIZES, *overrides, f"store.root={place}/store"))
    folder = compute(cfg, study=place / "study")
    return json.loads((folder / "record.json").read_text()), list(read_jsonl(folder / "paths.jsonl.gz"))


@pytest.mark.parametrize("chooser", sorted(CHOOSERS))
def test_a_cell_trains_on_what_its_chooser_took(place: Path, chooser: str):
    given = [f"select.reward_model={write_reward_model(place / 'reward')}"] if chooser == "reward" else []
    whole, everything = record(place)
    found, paths = record(place, f"select.choose={chooser}", "select.budget=4", *given)
    assert len(everything) > 4
    assert found["data"]["num_chosen"] == found["data"]["num_augmented"] == len(paths) == 4
    assert found["data"]["num_candidates"] == len(everything) == whole["data"]["num_augmented"]
    assert {(path["id"], path["draw"]) for path in paths} < {(path["id"], path["draw"]) for path in everything}
    assert found["data"]["chosen_mean_logprob"] < 0 < found["data"]["chosen_mean_tokens"]
    assert "num_chosen" not in whole["data"]
    costs = Counter(cost["name"] for cost in found["cost"])
    assert (costs["scores"], costs["choose"], costs["select"]) == (1, 1, 1)


def test_a_shown_draw_is_kept_where_the_cell_trains_on_it_and_nowhere_else(place: Path):
    _, paths = record(place, "select.choose=random", "select.budget=4")
    (folder,) = [
        path.parent
        for path in (place / "study").glob("*_rft_*/record.json")
        if json.loads(path.read_text())["setting"].items() >= {"select.choose": "random", "select.budget": 4}.items()
    ]
    pool = [row for row in read_jsonl(folder / "samples.jsonl") if row["source"] == "pool"]
    kept = {(row["id"], row["draw"]) for row in pool if row["kept"]}
    assert kept == {(path["id"], path["draw"]) for path in paths} & {(row["id"], row["draw"]) for row in pool}
    assert any(row["reason"] == "not_chosen" and row["outcome"] == "correct" for row in pool)


def test_the_step_control_of_a_choice_takes_its_steps(place: Path):
    chosen, _ = record(place, "select.choose=random", "select.budget=4")
    control, _ = record(place, "method=sft_matched", "select.choose=random", "select.budget=4")
    assert control["data"]["num_optimizer_steps"] == chosen["data"]["num_optimizer_steps"]


def test_a_union_is_scored_donor_by_donor(place: Path):
    found, _ = record(place, "k=4", "union=[nano-s,nano-xs]", "model=nano-s", "select.choose=likeliest")
    assert Counter(cost["name"] for cost in found["cost"])["scores"] == 2
    assert found["data"]["num_chosen"] == found["data"]["num_candidates"] > 0


@pytest.mark.parametrize("rule", ["uniform", "proportional"])
def test_draws_go_where_correct_ones_are_wanted(place: Path, rule: str):
    options = ("sampling.allocate=by_difficulty", f"allocation.rule={rule}", "allocation.correct=4")
    found, _ = record(place, *options)
    data = found["data"]
    assert data["num_samples"] <= 8 * 16
    assert data["draws_per_question"] == data["num_samples"] / 16
    assert data["max_draws_per_question"] > 2
    assert 0 < data["reached_target_frac"] <= 1
    used = sum(cost["used"] * cost["tokens"] for cost in found["cost"] if cost["name"].endswith("shard"))
    uniform, _ = record(place)
    whole = sum(cost["used"] * cost["tokens"] for cost in uniform["cost"] if cost["name"] == "shard")
    assert 0 < used < 1.5 * whole
    _check_draws(place, *options, total=data["num_samples"], most=data["max_draws_per_question"])


def _check_draws(place: Path, *overrides: str, total: int, most: int) -> None:
    """Every question's draws are numbered without a gap, no two shards drew alike, and the counts are the record's."""
    cfg = tiny(*SIZES, *overrides)
    cell = plan(cfg, resolve(cfg))
    (select,) = cell.read.trained.selections
    (pool,) = select.pools
    rows, store = [], Store(place / "store")
    for shard in pool.shards:
        entry = store.get(shard.kind, shard.key)
        assert entry is not None
        found = list(read_jsonl(entry.path / SAMPLES_FILE))
        rows += [row for row in found if isinstance(shard, DealtShard) or row["draw"] < pool.first.num_draws]
    draws: dict[str, list[int]] = {}
    for row in rows:
        draws.setdefault(row["id"], []).append(row["draw"])
    assert all(sorted(numbers) == list(range(len(numbers))) for numbers in draws.values())
    assert (len(rows), max(map(len, draws.values()))) == (total, most)
    correct = dict.fromkeys(draws, 0)
    for row in rows:
        correct[row["id"]] += grade("by_lot", row["text"], "1", False).value == "correct"
    below = [name for name, count in correct.items() if count < 4]
    if "allocation.rule=uniform" in overrides and below:
        assert min(len(draws[name]) for name in below) >= sorted(map(len, draws.values()))[len(draws) // 2]


def test_expert_iteration_chooses_and_allocates_in_every_round(place: Path):
    options = ("select.choose=random", "select.budget=4", "sampling.allocate=by_difficulty", "allocation.correct=4")
    found, paths = record(place, "method=expert_iteration", *options)
    costs = Counter(cost["name"] for cost in found["cost"])
    assert (costs["choose"], costs["deal"]) == (2, 6)
    assert len(paths) == 4
    assert found["data"]["max_draws_per_question"] > 0
