"""The whole chain from text to record: what does not change a study changes no number in its records.

Real runs at a tiny size, each in a store of its own.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from byte_model import overrides
from composing import composed, compute, tiny

from rft.records import OUTCOMES_FILE, read_json, read_jsonl

WORLD = ("model=nano-xs", "method=rft", "temperature=1.5", "eval.vote_k=3", "eval.vote_temperature=1.5")


def result(cell: Path) -> dict[str, Any]:
    """All that a record says of what came out, and the outcomes by problem."""
    row = read_json(cell / "record.json")
    outcomes = {line["id"]: line for line in read_jsonl(cell / OUTCOMES_FILE)}
    data = {name: value for name, value in row["data"].items() if name != "dataset"}
    loss = {name: value for name, value in row["model"].items() if "loss" in name or "bits" in name}
    return {"scores": row["scores"], "rates": row["rates"], "data": data, "loss": loss, "outcomes": outcomes}


def world(store: Path, *changes: str) -> Path:
    return compute(tiny(*WORLD, f"store.root={store}/store", *changes), study=store / "study")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return result(world(tmp_path_factory.mktemp("plain"), "k=2"))


def test_a_renamed_model_gives_the_same_numbers(plain: dict[str, Any], tmp_path: Path):
    assert result(world(tmp_path, "k=2", "model.name=other")) == plain


def test_k_in_any_order_gives_the_same_numbers(plain: dict[str, Any], tmp_path: Path):
    """Each k alone, and after larger and smaller ones over the same pool."""
    alone = {k: result(world(tmp_path / f"alone{k}", f"k={k}")) for k in (1, 3)}
    together = {k: result(world(tmp_path / "together", f"k={k}")) for k in (3, 1, 2)}
    assert together == {**alone, 2: plain}


def test_settings_that_only_change_speed_change_no_number(plain: dict[str, Any], tmp_path: Path):
    changes = (
        "runtime.micro_batch_tokens=512",
        "runtime.sample_batch=3",
        "tracking.project=other",
        "study_replace=true",
    )
    found = result(world(tmp_path, "k=2", *changes))
    assert found["outcomes"] == plain["outcomes"]
    assert found["scores"] == plain["scores"]


def test_a_measure_besides_changes_no_number_of_the_others(plain: dict[str, Any], tmp_path: Path):
    found = result(world(tmp_path, "k=2", "eval.vote_k=null"))
    assert found["scores"] == {"maj1@1": plain["scores"]["maj1@1"]}
    assert found["data"] == plain["data"]


def test_a_store_that_others_used_before_changes_no_number(plain: dict[str, Any], tmp_path: Path):
    world(tmp_path, "k=1", "method=sft_matched", "seed=3")
    world(tmp_path, "k=5")
    assert result(world(tmp_path, "k=2")) == plain


def files(folder: Path, *changes: str) -> Path:
    rest = [text for text in overrides(folder) if not text.startswith(("data.train_path", "data.test_path"))]
    paths = (f"data.train_path={folder}/data", f"data.test_path={folder}/data")
    cfg = composed(
        *rest, *paths, "method=rft", "k=3", "temperature=1.0", "select.equations=plain", "eval.vote_k=2", *changes
    )
    return compute(cfg, study=folder / "study")


def test_the_order_of_rows_in_files_changes_no_number(tmp_path: Path):
    first = result(files(tmp_path / "first"))
    overrides(tmp_path / "other")
    for name in ("train", "test"):
        path = tmp_path / "other" / "data" / f"{name}.jsonl"
        lines = path.read_text().splitlines(keepends=True)
        random.Random(1).shuffle(lines)
        path.write_text("".join(lines))
    rest = [
        t
        for t in overrides(tmp_path / "scratch")
        if not t.startswith(("data.train_path", "data.test_path", "store.root"))
    ]
    paths = [
        f"data.train_path={tmp_path}/other/data",
        f"data.test_path={tmp_path}/other/data",
        f"store.root={tmp_path}/o",
    ]
    cfg = composed(*rest, *paths, "method=rft", "k=3", "temperature=1.0", "select.equations=plain", "eval.vote_k=2")
    other = result(compute(cfg, study=tmp_path / "study"))
    assert other["outcomes"] == first["outcomes"]
    assert other == first


def test_a_moved_and_a_copied_model_folder_give_the_same_cell(tmp_path: Path):
    first = files(tmp_path / "first")
    shutil.copytree(tmp_path / "first" / "model", tmp_path / "elsewhere")
    again = files(tmp_path / "first", f"model.path={tmp_path}/elsewhere", "data.name=renamed")
    assert json.loads((again / "record.json").read_text())["setting"] == read_json(first / "record.json")["setting"]
    assert result(again) == result(first)
