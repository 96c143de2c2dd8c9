"""A union thinned to the number of paths of a single model's pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from composing import compute, tiny, with_tiny_donors

from analysis.load.labels import method_label
from analysis.load.records import load_cells
from rft.records import Problem, read_jsonl, write_jsonl
from rft.stages.kept import KEPT_FILE
from rft.stages.problems import Subset, write_problems
from rft.stages.thin import Thin
from rft.text.selection import KeptPath
from rft.text.world import WorldSplit, world_problems
from tests.lone_stage import GivenPaths, given_problems, run_stage

LUCKY = "no reason"


def questions() -> list[Problem]:
    world = tiny().data.world
    assert world is not None
    return world_problems(world, split=WorldSplit.POOL, count=20)


def folder_with(folder: Path, *, count: int) -> Path:
    """A path to each question; every third one gives no reason, the others are the human ones."""
    folder.mkdir()
    rows = [
        KeptPath(id=p.id, key=f"{i}", model="m", draw=i, text=p.solution if i % 3 else LUCKY).to_json()
        for i, p in enumerate(questions()[:count])
    ]
    write_jsonl(folder / KEPT_FILE, rows)
    return folder


def thinned(tmp_path: Path, *, union: int, single: int, seed: int = 0) -> tuple[list[str], int]:
    place = tmp_path / f"{union}-{single}-{seed}"
    place.mkdir()
    both, one = GivenPaths(name="union"), GivenPaths(name="single")
    inputs: dict[Any, Path] = {both: folder_with(place / "union", count=union)}
    inputs |= {one: folder_with(place / "single", count=single), given_problems("train"): place}
    write_problems(questions(), place)
    stage = Thin(paths=both, like=one, subset=Subset(given_problems("train"), 20, 0), equations="annotated", seed=seed)
    done = run_stage(stage, out=place / "out", inputs=inputs)
    rows = list(read_jsonl(place / "out" / KEPT_FILE))
    assert done.facts.to_json()["lucky_frac"] == sum(row["text"] == LUCKY for row in rows) / len(rows)
    return [row["id"] for row in rows], done.facts.num_thinned


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
    cfg = with_tiny_donors(tiny(*overrides, f"store.root={folder}/store"))
    return compute(cfg, study=folder / "study")


def test_a_thinned_cell_says_so_and_trains_on_what_is_left(cell_folder: Path):
    (cell,) = load_cells(cell_folder)
    assert cell.thinned
    assert not cell.plainly_selected
    assert method_label(cell).endswith("thinned")
    rows = list(read_jsonl(cell_folder / "paths.jsonl.gz"))
    assert all(row["seed"] == 0 for row in rows)
    assert cell.num_augmented == len(rows)
