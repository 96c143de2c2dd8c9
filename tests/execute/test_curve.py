"""The curve in a cell's folder: that of its model, thinned for long trainings, and none where nothing was trained."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from composing import compute, tiny
from explored import unpacked

from analysis.explore.documents import Documents
from analysis.explore.opened import open_study
from rft.execute.curve import thinned
from rft.records import CELL_CURVE_FILE, CURVE_FILE, read_json, read_jsonl
from rft.stages.weights import CurvePoint


def points(count: int) -> list[CurvePoint]:
    return [CurvePoint(step, 1 / step, 0.001, 10 * step, 0.1 * step) for step in range(1, count + 1)]


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 12, 18, 19, 20, 21, 99, 1000])
def test_a_thinned_curve_has_its_ends_and_even_steps(count: int):
    kept = [point.step for point in thinned(points(count), most=10)]
    assert len(kept) <= 10
    if count <= 10:
        assert kept == list(range(1, count + 1))
    else:
        assert (kept[0], kept[-1]) == (1, count)
        assert len({b - a for a, b in itertools.pairwise(kept[:-1])}) == 1
        assert 0 < kept[-1] - kept[-2] <= kept[1] - kept[0]


def test_a_cell_keeps_the_curve_of_its_own_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    folder = compute(tiny("method=sft"), study=tmp_path / "study")
    rows = list(read_jsonl(folder / CELL_CURVE_FILE))
    record = read_json(folder / "record.json")
    key = next(stage["key"] for stage in record["stages"] if stage["name"] == "finetune")
    (own,) = tmp_path.rglob(f"{key}*/**/{CURVE_FILE}")
    assert rows == list(read_jsonl(own))
    assert [row["step"] for row in rows] == list(range(1, record["data"]["num_optimizer_steps"] + 1))
    shown = unpacked(Documents(open_study([folder])).get("cells/0.json.gz"))
    assert shown["curve"] == rows


def test_without_training_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    folder = compute(tiny("method=icl"), study=tmp_path / "study")
    assert "curve" not in read_json(folder / "record.json")["files"]
    assert not (folder / CELL_CURVE_FILE).exists()
