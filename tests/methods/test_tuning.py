"""Recipes chosen on validation problems: one choice per model, which every method and its control follow alike."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.records import Record, read_json
from rft.stages.finetune import Finetune
from rft.stages.stage import Stage
from rft.stages.tuning import Tuning, Values, best_of, edges
from tests.composing import compute, tiny

RATES = "tune.train.lr=[1e-3,1e-2,1e-1]"
METHODS = ("sft", "rft", "sft_matched", "self_query", "self_revise", "expert_iteration", "sampled", "oracle_paths")


def planned(*keys: str) -> CellPlan:
    cfg = tiny("k=2", *keys)
    return plan(cfg, resolve(cfg))


def choices(cell: CellPlan) -> set[Stage]:  # type: ignore[type-arg]
    return {stage for stage in cell.stages if isinstance(stage, Tuning)}


def record(study: Path, *keys: str) -> Record:
    cfg = tiny("k=2", f"store.root={study}/store", *keys)
    return Record.from_json(read_json(compute(cfg, study=study / "study") / "record.json"))


def weights(found: Record, place: int = -1) -> str:
    return [row["weights"] for row in found.stages if row["name"] == "finetune"][place]


def test_all_methods_follow_one_choice() -> None:
    found = [choices(planned(f"method={name}", RATES)) for name in METHODS]
    assert all(one == found[0] for one in found)
    assert len(found[0]) == 1
    assert not choices(planned("method=icl", RATES))


@pytest.mark.parametrize("method", METHODS)
def test_no_training_of_a_tuned_cell_is_untuned(method: str) -> None:
    cell = planned(f"method={method}", RATES)
    (choice,) = choices(cell)
    tried = {one.weights for one in choice.tries}  # type: ignore[attr-defined]
    assert all(one.choice == choice for one in cell.stages if isinstance(one, Finetune) and one not in tried)


def test_a_choice_per_model_is_that_on_all_the_data_and_one_per_fraction_is_not() -> None:
    whole = choices(planned("method=sft", RATES))
    assert choices(planned("method=sft", RATES, "data_frac=0.5")) == whole
    assert choices(planned("method=sft", RATES, "data_frac=0.5", "tune.per=fraction")).isdisjoint(whole)
    assert choices(planned("method=sft", RATES, "tune.per=fraction")) == whole


@pytest.mark.parametrize("grid", [RATES, "tune.train.epochs=[1,2]"])
@pytest.mark.parametrize("rule", ["fixed", "per_fraction"])
def test_the_epoch_rule_of_a_fraction_is_not_that_of_a_choice_on_all_the_data(grid: str, rule: str) -> None:
    whole = choices(planned("method=sft", grid))
    assert choices(planned("method=sft", grid, "data_frac=0.5", f"train.epoch_rule={rule}")) == whole


def test_each_donor_has_a_choice_of_its_own() -> None:
    cell = planned("method=rft", "union=[nano-s,nano-xs]", RATES)
    assert {one.model for one in choices(cell)} == {"nano-s", "nano-xs"}
    for one in cell.stages:
        if isinstance(one, Tuning):
            assert {tried.generation.model for tried in one.tries} == {one.model}


def test_the_curve_is_that_of_cells_with_each_recipe_scored_on_validation(tmp_path: Path) -> None:
    tuned = record(tmp_path, "method=sft", "tune.train.lr=[1e-3,1e-2]")
    choice = tuned.data["choice"]
    alone = {}
    for tried in choice["tries"]:
        found = record(tmp_path, "method=sft", f"train.lr={tried['lr']}", "eval.split=validation")
        alone[tried["lr"]] = found
        assert found.scores["maj1@1"].value == tried["accuracy"]
    assert choice["num_validation"] == 8
    assert tuned.data["lr"] == choice["chosen"]["lr"]
    assert weights(tuned) == weights(alone[choice["chosen"]["lr"]])
    assert choice["at_edge"]  # of two values each is at an edge


def test_a_grid_of_one_recipe_is_that_recipe(tmp_path: Path) -> None:
    """In RFT, where the tries are other trainings than its own; without a validation split."""
    more = ("method=rft", "data.num_validation=0", "data_frac=0.5", "train.epoch_rule=per_fraction", "temperature=1.5")
    tuned = record(tmp_path, *more, "tune.train.epochs=[3]", "tune.train.lr=[2e-3]")
    fixed = record(tmp_path, *more, "train.epochs=3", "train.lr=2e-3")
    assert weights(tuned) == weights(fixed)
    assert tuned.data["num_optimizer_steps"] == fixed.data["num_optimizer_steps"]
    assert tuned.scores == fixed.scores
    assert "choice" not in fixed.data
    assert fixed.data["num_human"] == 8


def test_a_control_takes_the_steps_of_the_method_under_tuned_epochs(tmp_path: Path) -> None:
    more = ("tune.train.epochs=[1,3]", "train.batch_size=2", "temperature=1.5")
    rft, control = (record(tmp_path, f"method={name}", *more) for name in ("rft", "sft_matched"))
    assert rft.data["num_optimizer_steps"] == control.data["num_optimizer_steps"]
    assert rft.data["choice"] == control.data["choice"]


def test_a_grid_is_no_setting_of_a_cell_that_has_none() -> None:
    assert not [key for key in planned("method=rft").setting if key.startswith("tune")]
    assert [key for key in planned("method=rft", RATES).setting if key.startswith("tune")]
    assert "train.lr" not in planned("method=rft", RATES).setting


def test_the_choice_is_the_best_then_the_most_central() -> None:
    rng = random.Random(0)
    for _ in range(300):
        lrs, epochs = sorted(rng.sample(range(1, 50), 5)), sorted(rng.sample(range(1, 50), rng.choice([1, 3, 5])))
        points = [Values(lr=float(lr), epochs=float(one)) for lr in lrs for one in epochs]
        accuracy = [rng.choice([0.1, 0.2]) for _ in points]
        chosen = points[best_of(points, accuracy)]
        rivals = [one for one, score in zip(points, accuracy, strict=True) if score == max(accuracy)]

        def far(one: Values, lrs: list[int] = lrs, epochs: list[int] = epochs) -> float:
            steps = abs(lrs.index(int(one.lr or 0)) - 2) / 4
            return steps + abs(epochs.index(int(one.epochs or 0)) - len(epochs) // 2) / max(1, len(epochs) - 1)

        assert chosen in rivals
        assert far(chosen) == min(map(far, rivals))
        said = edges(points, points.index(chosen))
        assert ("largest" in str(said) or "smallest" in str(said)) == (
            chosen.lr in (lrs[0], lrs[-1]) or (len(epochs) > 1 and chosen.epochs in (epochs[0], epochs[-1]))
        )


@pytest.mark.parametrize("keys", [("eval.split=validation",), ("tune.train.lr=[0]",), ("tune.train.epochs=[-1]",)])
def test_a_grid_that_cannot_work_is_refused(keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"tune (chooses on|.*outside)|tune\.train"):
        tiny("method=sft", *(keys if "tune" in keys[0] else (RATES, *keys)))
