"""Numbers that a table lays side by side are of the same draws of a base, or say of how many."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.load.checks import verified
from analysis.load.studies import load_every_set, load_studies
from analysis.tables.grids import Grid, paper_tables
from analysis.tables.sets import sets_table
from rft.records import RECORD_FILE, StageCost, read_json, write_json

TRUTH = Truth(draw_sd=10.0, num_items=400)
Spec = dict[str, Any]
SAME_CELLS = "Numbers of one row are of the same draws and replicates"
DRAWS_NOTE = "In brackets, where settings of a base were not run in the same draws of it: in how many"


def twin(folder: Path, *, name: str) -> None:
    """Score a cell on a byte copy of its own test set under another name."""
    shutil.copy(folder / "outcomes.jsonl.gz", folder / f"outcomes-{name}.jsonl.gz")
    record = read_json(folder / RECORD_FILE)
    cost = StageCost("evaluate", f"e-{name}", 1.0, 1e9, 1, False, makes=False).__dict__
    record.setdefault("sets", []).append(
        {
            "name": name, "key": name, "setting": {"data.rule": "gsm8k", "data.test_content": name},
            "scores": {"maj1@1": record["scores"]["maj1@1"]}, "rates": {}, "data": {}, "stages": [], "cost": [cost],
            "provenance": {}, "files": {"outcomes": f"outcomes-{name}.jsonl.gz"},
        }
    )  # fmt: skip
    write_json(folder / RECORD_FILE, record)


def scored(folder: Path, where: Mapping[str, set[int]], *, seeds: tuple[int, ...] = (0,)) -> tuple[Grid, list[Any]]:
    """(table, cells) of SFT in five draws whose copies were scored in some of the draws, by their name."""
    specs = grid(models=("nano-s",), fracs=(1.0,), methods=("sft",), draws=range(1, 6), seeds=seeds)
    study = write_study(folder, specs=specs, truth=TRUTH, rng_seed=4)
    for (place, spec), (name, draws) in itertools.product(enumerate(specs), where.items()):
        if spec["pretrain_seed"] in draws:
            twin(study / str(place), name=name)
    table = load_every_set([study])
    return sets_table(*verified(table)), list(table.cells)


def values(found: Grid) -> list[dict[str, str]]:
    return [dict(zip(found.header, row, strict=True)) for row in found.rows]


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize(
    "where",
    [{"twin": {5}}, {"twin": {1, 2}, "other": {2, 3}}, {"twin": {1, 2, 3}, "other": {1, 2, 3}}, {"a": {1}, "b": {2}}],
)
def test_a_copy_of_the_own_test_set_has_the_numbers_of_the_own_set(
    tmp_path: Path, where: Mapping[str, set[int]], seeds: tuple[int, ...]
) -> None:
    """In one draw of five SFT had 30.8 beside 40.5 on the same problems: the difference was the draw's."""
    found, cells = scored(tmp_path / "s", where, seeds=seeds)
    own = {seed: [] for seed in range(1, 6)}
    for cell in cells:
        if cell.test_set == "world-easy":
            own[cell.seeds["pretrain_seed"]].append(100 * cell.accuracy.value)
    pairs = 0
    for row in values(found):
        there = {name: row[name] for name in ("world-easy", *where) if row[name]}
        assert len(set(there.values())) == 1
        pairs += len(there) > 1
        common = set.intersection(*(where.get(name, set(own)) for name in there))
        assert (row["draws"], row["seeds"]) == (str(len(common)), str(len(common) * len(seeds)))
        by_hand = np.mean([np.mean(own[draw]) for draw in common])
        assert next(iter(there.values())).startswith(f"{by_hand:.1f} ±")
    assert pairs == len({frozenset(draws) for draws in where.values()} | overlaps(where))
    assert SAME_CELLS in found.note


def overlaps(where: Mapping[str, set[int]]) -> set[frozenset[int]]:
    """What two copies have in common, where that is something."""
    return {frozenset(a & b) for a, b in itertools.combinations(where.values(), 2) if a & b}


def test_sets_scored_in_all_cells_have_a_row_a_setting_as_before(tmp_path: Path) -> None:
    found, _ = scored(tmp_path / "s", {"twin": set(range(1, 6))})
    assert found.header == ("base", "method", "data", "also", "world-easy", "twin")
    (row,) = found.rows
    assert row[-1] == row[-2] != ""
    assert SAME_CELLS not in found.note


def tables(folder: Path, specs: list[Spec]) -> dict[str, Grid]:
    table, outcomes = verified(load_studies([write_study(folder, specs=specs, truth=TRUTH, rng_seed=4)]))
    return paper_tables(table, outcomes)


def test_a_larger_k_of_one_draw_is_not_laid_beside_sft_of_six(tmp_path: Path) -> None:
    """Table 1 had RFT at k = 64 of one draw beside SFT of all, and said nothing."""
    whole = grid(models=("nano-s", "nano-m"), fracs=(1.0,), ks=(4, 16), methods=("sft", "rft"), draws=range(1, 7))
    thin = grid(models=("nano-s",), fracs=(1.0,), ks=(64,), methods=("rft",), draws=(1,))
    wanted, found = tables(tmp_path / "whole", whole), tables(tmp_path / "more", whole + thin)
    assert [row[5] for row in found["table1"].rows] == ["16", "16"]
    assert "largest k of those in most draws" in found["table1"].title
    assert "(largest k)" in wanted["table1"].title
    assert DRAWS_NOTE not in found["table1"].note
    by_k = {row[0]: row[1:] for row in found["table2"].rows}
    assert by_k["64"] == (by_k["64"][0].split()[0] + " (1 draw)", "")
    assert by_k["16"][0].endswith(" (6 draws)")
    assert "(" not in by_k["16"][1]
    assert DRAWS_NOTE in found["table2"].note
    assert not any("draw)" in field or "draws)" in field for g in wanted.values() for row in g.rows for field in row)


def test_settings_of_other_draws_say_of_how_many_they_are(tmp_path: Path) -> None:
    """SFT in draws 1 to 4, RFT in 3 to 6: as many, and not the same."""
    specs = grid(models=("nano-s",), fracs=(1.0,), methods=("sft",), draws=range(1, 5))
    specs += grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("rft",), draws=range(3, 7))
    specs += grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("sft", "rft"), draws=range(1, 3))
    found = tables(tmp_path / "s", specs)
    first, second = found["table1"].rows
    assert [field.partition(" (")[2] for field in (first[3], first[4])] == ["4 draws)", "4 draws)"]
    assert not any("(" in field for field in second)
    assert [row[4].endswith("(4 draws)") for row in found["table5"].rows] == [True, True]
    assert DRAWS_NOTE in found["table1"].note
    assert DRAWS_NOTE in found["table5"].note
