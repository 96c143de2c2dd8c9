"""A union thinned to the number of paths of a single model's pool."""

from __future__ import annotations

from pathlib import Path

import pytest
from composing import compute, tiny

from analysis.load.labels import method_label
from analysis.load.records import load_cell
from rft.config import RuntimeConfig
from rft.records import read_jsonl, write_jsonl
from rft.stages import StageContext
from rft.stages.thin import KEPT_FILE, thin_paths
from rft.text.selection import KeptPath


def folder_with(folder: Path, *, count: int) -> Path:
    folder.mkdir()
    rows = [KeptPath(id=f"p{i}", key=f"{i}+1={i + 1}", model="m", draw=i, text="t").to_json() for i in range(count)]
    write_jsonl(folder / KEPT_FILE, rows)
    return folder


def thinned(tmp_path: Path, *, union: int, single: int, seed: int = 0) -> tuple[list[str], int]:
    place = tmp_path / f"{union}-{single}-{seed}"
    place.mkdir()
    inputs = {
        "select": (folder_with(place / "union", count=union),),
        "like": (folder_with(place / "single", count=single),),
    }
    runtime: RuntimeConfig = tiny().runtime
    context = StageContext(runtime=runtime, hints={}, report=lambda share: None)
    stats = thin_paths({"seed": seed}, inputs, place, context)
    return [row["id"] for row in read_jsonl(place / KEPT_FILE)], stats["record"]["num_thinned"]


def test_the_union_keeps_as_many_paths_as_the_single_pool(tmp_path: Path):
    names, gone = thinned(tmp_path, union=20, single=7)
    assert (len(names), gone) == (7, 13)
    assert set(names) < set(thinned(tmp_path, union=20, single=12)[0])
    assert names != thinned(tmp_path, union=20, single=7, seed=1)[0]


def test_a_union_with_fewer_paths_is_left_whole(tmp_path: Path):
    names, gone = thinned(tmp_path, union=4, single=9)
    assert (len(names), gone) == (4, 0)


@pytest.fixture(scope="module")
def cell_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thin")
    overrides = ("method=rft", "model=nano-s", "union=[nano-xs,nano-s]", "k=2", "select.thin=own")
    cfg = tiny(*overrides, f"store.root={folder}/store")
    return compute(cfg, study=folder / "study")


def test_a_thinned_cell_says_so_and_trains_on_what_is_left(cell_folder: Path):
    cell = load_cell(cell_folder)
    assert cell.thinned
    assert not cell.plainly_selected
    assert method_label(cell).endswith("thinned")
    rows = list(read_jsonl(cell_folder / "paths.jsonl.gz"))
    assert all(row["seed"] == 0 for row in rows)
    assert cell.num_augmented == len(rows)
