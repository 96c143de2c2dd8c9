"""Questions to points: by attribute, by any key of the setting, and for what is the same but for something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.compare.comparisons import matched_pairs
from analysis.load.checks import verified
from analysis.load.points import Point, make_points
from analysis.load.query import ALL_DATA, same_but, where
from analysis.load.studies import load_studies
from rft.records import read_json, write_json

SMALL = Truth(num_items=40, num_full=32)
TOY = {"model": "nano-s", "data_frac": 1.0, "k": 4, "seed": 0, "title": "toy method"}


def points_of(folder: Path) -> list[Point]:
    table, outcomes = verified(load_studies([folder]))
    return make_points(table.cells, outcomes)


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[Point]:
    specs = [*grid(ks=(1, 4)), *({**TOY, "method": "rft", "train.lr": lr} for lr in (1e-3, 1e-2))]
    specs += [{**TOY, "method": "toy_method"}, {**TOY, "method": "sft_matched", "to": "toy_method"}]
    return points_of(write_study(tmp_path_factory.mktemp("query") / "s", specs=specs, truth=SMALL))


def test_where_is_the_comprehension_it_stands_for(points: list[Point]):
    found = where(points, method="rft", k=4, **{"train.lr": 3e-3})
    by_hand = [p for p in points if p.cell.setting["method"] == "rft" and p.cell.setting.get("k") == 4]
    assert found == [p for p in by_hand if p.cell.setting["train.lr"] == 3e-3]
    assert len(found) == 6  # two models, three fractions
    assert where(points) == list(points)


def test_a_set_asks_for_any_and_none_for_absence(points: list[Point]):
    assert {p.method for p in where(points, data_frac=ALL_DATA)} >= {"icl", "sft", "rft"}
    assert {p.method for p in where(points, k=None)} == {"icl", "sft"}
    assert where(points, method={"icl", "sft"}) == [p for p in points if p.method in ("icl", "sft")]


def test_a_slip_in_a_key_is_refused_with_what_there_is(points: list[Point]):
    with pytest.raises(ValueError, match=r"no point has the key 'train\.rate'; there are .*train\.lr"):
        where(points, **{"train.rate": 1})
    assert where([], **{"train.rate": 1}) == []


def test_same_but_changes_nothing_else(points: list[Point]):
    (rft,) = where(points, method="rft", model="nano-m", k=4, data_frac=0.5)
    smaller = same_but(rft, points, k=1)
    assert smaller is not None
    differing = {key for key, value in rft.cell.setting.items() if smaller.cell.setting[key] != value}
    assert (differing, smaller.cell.base) == ({"k"}, rft.cell.base)
    assert same_but(rft, points, k=2) is None
    assert same_but(rft, points, **{"train.lr": 1e-3}) is None  # there is one, of the other model


def test_every_method_finds_the_control_that_names_it(points: list[Point]):
    found = {(p.method, p.cell.k, c.cell.matched_to) for p, c in matched_pairs(points) if p.cell.model == "nano-s"}
    assert found == {("rft", 1, "rft"), ("rft", 4, "rft"), ("toy_method", 4, "toy_method")}


def test_a_control_that_names_no_method_is_one_of_rft(tmp_path: Path):
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), seeds=range(2))
    folder = write_study(tmp_path / "s", specs=specs, truth=SMALL)
    for path in folder.glob("*/record.json"):  # one replicate from before controls named their method, one from after
        record = read_json(path)
        if record["setting"]["method"] == "sft_matched" and record["seeds"]["data_seed"] == 1:
            write_json(path, {**record, "setting": {**record["setting"], "methods.sft_matched.to": "rft"}})
    points = points_of(folder)
    (control,) = where(points, method="sft_matched")
    assert len(control.cells) == 2, json.dumps([c.setting for c in control.cells])
    assert [c for _, c in matched_pairs(points)] == [control]
