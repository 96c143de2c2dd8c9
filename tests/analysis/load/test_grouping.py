"""Cells are grouped, compared and named by their whole setting: what differs in anything is never averaged or matched."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.load.cells import Cell, matches
from analysis.load.checks import verified
from analysis.load.names import base_names
from analysis.load.outcomes import Outcomes
from analysis.load.pairs import paired_replicates
from analysis.load.places import place_of, untold_keys
from analysis.load.points import Point, make_points
from analysis.load.query import same_but
from analysis.load.recipes import main_recipe
from analysis.load.studies import load_studies
from analysis.stats.uncertainty import Kind
from analysis.study import draw_study
from analysis.tables.matched import compared, matched_rows
from analysis.tables.results import UNLIKE, records_csv, results_rows, results_table
from rft.records import read_json, write_json

SMALL = Truth(num_items=60, num_full=32)


def loaded(folder: Path) -> tuple[list[Point], Outcomes]:
    table, outcomes = verified(load_studies([folder]))
    return make_points(table.cells, outcomes), outcomes


def specs_of(*, seeds: int = 2, **changes: Any) -> list[dict[str, Any]]:
    methods = ("sft", "sft_matched", "rft")
    return [
        {**spec, **changes}
        for spec in grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=methods, seeds=range(seeds))
    ]


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return [*value, "x"] if isinstance(value, list) else "another"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cell]:
    folder = write_study(tmp_path_factory.mktemp("one") / "s", specs=specs_of(seeds=1), truth=SMALL)
    return {cell.method: cell for cell in load_studies([folder]).cells}


def changed(cell: Cell, key: str) -> Cell:
    setting = {**cell.setting, key: other(cell.setting[key])}
    return replace(cell, setting=setting, cell_id=f"{cell.cell_id}-{key}", folder=None)


def test_every_key_splits_a_point_and_parts_it_from_its_controls(cells: Mapping[str, Cell]):
    rft, sft = cells["rft"], cells["sft"]
    nothing = Outcomes({}, {})
    for key in [*rft.setting, "a.key.of.next.year"]:
        first = replace(rft, setting={"a.key.of.next.year": 1, **rft.setting})
        twin = changed(first, key)
        assert len(make_points([first, twin], nothing)) == 2, key
        assert matches(first, twin, but=()) is False, key
        if key in sft.setting and key != "method":
            (point,) = make_points([changed(rft, key)], nothing)
            assert same_but(point, make_points([sft], nothing), method="sft") is None, key


def test_every_seed_makes_a_replicate_and_the_bases_own_a_draw(cells: Mapping[str, Cell]):
    rft, nothing = cells["rft"], Outcomes({}, {})
    for name in rft.seeds:
        twin = replace(rft, seeds={**rft.seeds, name: 7}, folder=None)
        if name == "pretrain_seed":
            twin = replace(twin, draw=f"{rft.draw}-7")
        (point,) = make_points([rft, twin], nothing)
        assert [len(cells) for cells in point.draws] == ([1, 1] if name == "pretrain_seed" else [2]), name
        assert (point.estimate.kind is Kind.DRAWS) == (name == "pretrain_seed"), name


def test_two_learning_rates_are_two_rows(tmp_path: Path):
    """Averaged, 10 % and 60 % became '35.0 %, 2 seeds'."""
    specs = [{**spec, "train.lr": lr} for lr in (1e-5, 3e-3) for spec in specs_of(seeds=1)]
    table = load_studies([write_study(tmp_path / "s", specs=specs, truth=SMALL)])
    header, rows = results_rows(table, Outcomes({}, {}))
    assert len(rows) == 6
    assert {row[header.index("lr")] for row in rows} == {"1e-05", "0.003"}
    assert {row[header.index("seeds")] for row in rows} == {"1"}


def test_many_keys_share_a_column_with_what_is_unlike_most(tmp_path: Path):
    """Seven columns of recipes pushed every score out of the window."""
    usual = {"train.lr": 1e-3, "train.epochs": 3, "train.batch_size": 8, "sampling.top_p": 1.0}
    odd = {"train.lr": 3e-3, "train.epochs": 5, "train.batch_size": 16, "sampling.top_p": 0.9}
    recipes = [usual, *({**usual, key: value} for key, value in odd.items())]
    specs = [{**spec, **recipe} for recipe in recipes for spec in specs_of(seeds=1)]
    table = load_studies([write_study(tmp_path / "s", specs=specs, truth=SMALL)])
    header, rows = results_rows(table, Outcomes({}, {}))
    told = Counter(row[header.index(UNLIKE)] for row in rows)
    assert told == {"": 3, "lr 0.003": 3, "epochs 5": 3, "train.batch_size 16": 3, "sampling.top_p 0.9": 3}
    assert not {"lr", "epochs", "sampling.top_p"} & set(header)


def test_adapters_are_compared_with_adapters(tmp_path: Path):
    """RFT with adapters at 25 % was set against full SFT at 60 %: the sign turned round."""
    full = specs_of(seeds=1)
    adapters = [{**spec, "train.lora_rank": 8} for spec in full]
    points, outcomes = loaded(write_study(tmp_path / "s", specs=[*full, *adapters], truth=SMALL))
    for rft in (p for p in points if p.method == "rft"):
        for method in ("sft", "sft_matched"):
            control = same_but(rft, points, method=method)
            assert control is not None
            assert control.cell.setting["train.lora_rank"] == rft.cell.setting["train.lora_rank"]
    header, rows = matched_rows(compared(points, outcomes))
    assert {row[header.index("LoRA")] for row in rows} == {"null", "8"}


@pytest.mark.parametrize("key", ["train.epochs", "train.batch_size", "data.rule", "data.num_shots", "sampling.top_p"])
def test_a_control_of_another_recipe_is_none(tmp_path: Path, key: str):
    specs = [{**spec, key: 2 if spec["method"] == "rft" else 1} for spec in specs_of(seeds=1)]
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    (rft,) = [p for p in points if p.method == "rft"]
    assert same_but(rft, points, method="sft_matched") is None


def test_what_was_measured_besides_parts_no_cell_from_its_control(tmp_path: Path):
    specs = [{**spec, **({"eval.vote_k": 8} if spec["method"] == "rft" else {})} for spec in specs_of(seeds=1)]
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    (rft,) = [p for p in points if p.method == "rft"]
    assert same_but(rft, points, method="sft_matched") is not None


def test_figures_hold_keys_they_do_not_show_and_name_what_they_omit(tmp_path: Path):
    five = specs_of(seeds=1, **{"a.new.key": 5})
    six = [{**spec, "a.new.key": 6} for spec in grid(models=("nano-s",), fracs=(1.0,), ks=(2, 4), seeds=range(2))]
    study = write_study(tmp_path / "s", specs=[*five, *six], truth=SMALL)
    with pictures():
        text = draw_study([study], out=tmp_path / "figures")
    assert "a.new.key = 5 (3)" in " ".join(text.split())
    captions = [fit.get("caption", "") for fit in read_json(tmp_path / "figures" / "fits.json")["fits"]]
    assert all("a.new.key = 5 (3)" in caption for caption in captions if caption)
    points, _ = loaded(tmp_path / "s")
    assert {p.cell.setting.get("a.new.key") for p in main_recipe(points).points} == {6}


def test_a_setting_that_another_lacks_a_key_of_is_left_out_by_name(tmp_path: Path):
    """One of the two stands for both, and the figure says which."""
    with_key = [{**spec, "eval.batch": 3} for spec in specs_of(seeds=1)]
    points, _ = loaded(write_study(tmp_path / "s", specs=[*specs_of(seeds=2), *with_key], truth=SMALL))
    recipe = main_recipe(points)
    assert len(points) == 2 * len(recipe.points) == 6
    assert {len(point.cells) for point in recipe.points} == {2}
    assert recipe.left_out == {"eval.batch": {"3": 3}}


def test_learning_rates_of_their_own_keep_all_models(tmp_path: Path):
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), methods=("sft",), seeds=range(2))
    specs = [{**spec, "train.lr": 1e-3 if spec["model"] == "nano-m" else 3e-3} for spec in specs]
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    assert len(main_recipe(points).points) == len(points) == 2


def test_an_engine_that_not_every_model_has_keeps_all_models_and_parts_two_of_one_model(tmp_path: Path):
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), methods=("sft",), seeds=range(2))
    specs = [{**s, "sampling.engine": "torch" if s["model"] == "nano-m" else "ctranslate2"} for s in specs]
    points, _ = loaded(write_study(tmp_path / "s", specs=specs, truth=SMALL))
    assert len(main_recipe(points).points) == len(points) == 2
    again = [{**spec, "sampling.engine": "torch", "seed": 0} for spec in specs[:1]]
    points, _ = loaded(write_study(tmp_path / "t", specs=[*specs, *again], truth=SMALL))
    assert len(points) == 3
    assert main_recipe(points).left_out == {"sampling.engine": {"torch": 1}}


def test_a_study_given_twice_counts_once_and_says_so(tmp_path: Path):
    folder = write_study(tmp_path / "s", specs=specs_of(), truth=SMALL)
    shutil.copytree(folder, tmp_path / "copy")
    for pair in ([folder, folder], [folder, tmp_path / "copy"], [tmp_path / "copy", folder]):
        table = load_studies(pair)
        assert len(table.cells) == 6
        assert "6 cells were found again with the same results and count once" in results_table(table, Outcomes({}, {}))


def test_unequal_results_of_one_cell_are_refused_with_both_places(tmp_path: Path):
    folder = write_study(tmp_path / "s", specs=specs_of(), truth=SMALL)
    other = write_study(tmp_path / "t", specs=specs_of(), truth=SMALL, rng_seed=1)
    with pytest.raises(
        ValueError, match=r"/s/\d and .*/t/\d hold the same cell .* with other results: maj1@1 is .* and "
    ):
        load_studies([folder, other])


def test_bases_are_named_by_what_sets_them_apart(tmp_path: Path):
    specs = grid(models=("nano-s",), fracs=(1.0,), methods=("sft",))
    folder = write_study(tmp_path / "s", specs=specs, truth=SMALL)
    (cell,) = load_studies([folder]).cells
    content = {key: value for key, value in cell.setting.items() if not key.startswith("model.")}
    twins = [
        replace(cell, base=digit, setting={**content, "model.content": digit * 32, "model.lr": 1}) for digit in "ab"
    ]
    assert list(base_names(twins).values()) == ["nano-s content=aaaaaaaa", "nano-s content=bbbbbbbb"]
    draws = [replace(cell, draw=str(seed), seeds={"pretrain_seed": seed}) for seed in (0, 1)]
    assert list(base_names(draws).values()) == ["nano-s"], "draws are of one base configuration"


def test_samplings_of_one_training_set_are_one_replicate(tmp_path: Path):
    """Three seeds of sampling beside one SFT run: averaged, never three replicates and never two dropped."""
    folder = write_study(tmp_path / "s", specs=specs_of(seeds=1), truth=SMALL)
    points, _ = loaded(folder)
    sft, rft = (next(p for p in points if p.method == method) for method in ("sft", "rft"))
    samplings = tuple(replace(rft.cell, seeds={**rft.cell.seeds, "sample_seed": seed}) for seed in range(3))
    (row,) = paired_replicates([Point(samplings, rft.estimate), sft])
    assert [len(group) for group in row] == [3, 1]
    assert len(paired_replicates([Point(samplings, rft.estimate)])) == 3, (
        "by themselves they are replicates of sampling"
    )


def test_every_key_is_a_column_of_the_table_of_records(tmp_path: Path):
    folder = write_study(tmp_path / "s", specs=specs_of(**{"a.new.key": [1, 2]}), truth=SMALL)
    first, *rows = records_csv(load_studies([folder]), Outcomes({}, {})).splitlines()
    assert {"a.new.key", "train.lr", "select.policy", "data_seed", "pretrain_seed", "maj1@1"} <= set(first.split(","))
    assert len(rows) == 6


def test_a_record_from_before_is_refused_by_name(tmp_path: Path):
    folder = write_study(tmp_path / "s", specs=specs_of(seeds=1), truth=SMALL)
    row = read_json(folder / "0" / "record.json")
    write_json(folder / "0" / "record.json", {**row, "schema_version": 1})
    table = load_studies([folder])
    assert len(table.cells) == 2
    assert "from before records held their whole configuration" in table.missing[0].reason


def test_settings_are_compared_as_values_and_not_as_text(cells: Mapping[str, Cell]):
    sft = cells["sft"]
    same = replace(sft, setting=json.loads(json.dumps(dict(reversed(sft.setting.items())))))
    assert same.setting_key == sft.setting_key


def test_a_share_of_one_and_no_share_said_are_one_place(cells: Mapping[str, Cell]):
    """Cells of before and after a method learnt the key: told apart by a column, since no label does."""
    cell = cells["sft"]
    older = replace(cell, setting={k: v for k, v in cell.setting.items() if k != "train.examples_frac"})
    newer = replace(cell, setting={**cell.setting, "train.examples_frac": 1.0})
    assert place_of(older) == place_of(newer)
    assert "train.examples_frac" in untold_keys([older, newer])
