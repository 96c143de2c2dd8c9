"""What does not change a study changes no number that the analysis prints."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.study import draw_study
from rft.records import read_json, write_json

SMALL = Truth(num_items=80, num_full=32)


def numbers(folders: list[Path], out: Path) -> dict[str, Any]:
    """Everything that is written of a study but pictures and the records' own places."""
    with pictures():
        draw_study(folders, out=out)
    fits = read_json(out / "fits.json")["fits"]
    for fit in fits:
        fit.pop("caption", None)
    texts = {path.name: path.read_text() for path in sorted(out.glob("table*.md"))}
    return {"fits": fits, "claims": (out / "claims.md").read_text(), **texts}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    specs = grid(models=("nano-s", "nano-m"), fracs=(0.25, 0.5, 1.0), ks=(2, 8), seeds=range(2))
    return write_study(tmp_path_factory.mktemp("meta") / "s", specs=specs, truth=SMALL)


@pytest.fixture(scope="module")
def plain(study: Path) -> dict[str, Any]:
    return numbers([study], study.parent / "plain")


def each_record(folder: Path, change: Any) -> None:
    for path in folder.glob("*/record.json"):
        row = read_json(path)
        change(row)
        write_json(path, row)


def test_a_copy_under_another_name_gives_the_same_numbers(study: Path, plain: dict[str, Any], tmp_path: Path):
    shutil.copytree(study, tmp_path / "another")
    each_record(tmp_path / "another", lambda row: row.update(study="another"))
    assert numbers([tmp_path / "another"], tmp_path / "out") == plain
    assert numbers([study, tmp_path / "another"], tmp_path / "both") == plain
    assert numbers([tmp_path / "another", study, study], tmp_path / "all") == plain


def test_a_study_in_two_folders_gives_the_same_numbers(study: Path, plain: dict[str, Any], tmp_path: Path):
    """Each half names half of the cells; half of the second is in the first too."""
    entries = read_json(study / "study.json")["cells"]
    cut = len(entries) // 2
    for name, part in (("one", entries[: cut + 3]), ("two", entries[cut:])):
        shutil.copytree(study, tmp_path / name)
        write_json(tmp_path / name / "study.json", read_json(study / "study.json") | {"cells": part})
    assert numbers([tmp_path / "one", tmp_path / "two"], tmp_path / "out") == plain


def test_the_order_of_cells_gives_the_same_numbers(study: Path, plain: dict[str, Any], tmp_path: Path):
    shutil.copytree(study, tmp_path / "s")
    manifest = read_json(study / "study.json")
    random.Random(3).shuffle(manifest["cells"])
    write_json(tmp_path / "s" / "study.json", manifest)
    assert numbers([tmp_path / "s"], tmp_path / "out") == plain


def test_renaming_a_model_changes_its_name_alone(study: Path, plain: dict[str, Any], tmp_path: Path):
    shutil.copytree(study, tmp_path / "s")
    new = {"nano-s": "aa", "nano-m": "bb"}

    def rename(row: dict[str, Any]) -> None:
        row["names"]["model"] = row["model"]["name"] = new[row["names"]["model"]]

    each_record(tmp_path / "s", rename)
    found = json.dumps(numbers([tmp_path / "s"], tmp_path / "out"))
    for old, name in new.items():
        found = found.replace(f"{name} ", f"{old} ").replace(f'{name}"', f'{old}"').replace(f"{name}:", f"{old}:")
    assert json.loads(found)["claims"] == plain["claims"].replace("|  |", "|  |")


def test_a_key_that_all_cells_share_changes_no_number(study: Path, plain: dict[str, Any], tmp_path: Path):
    shutil.copytree(study, tmp_path / "s")
    each_record(tmp_path / "s", lambda row: row["setting"].update({"a.key.of.next.year": 3}))
    assert numbers([tmp_path / "s"], tmp_path / "out") == plain


def test_a_key_that_differs_merges_no_cells(study: Path, tmp_path: Path):
    """Two studies that differ in it side by side: the one with more settings is drawn, and its numbers are its own."""
    shutil.copytree(study, tmp_path / "s")
    each_record(
        tmp_path / "s", lambda row: row["setting"].update({"train.lr": 1.0}) if "train.lr" in row["setting"] else None
    )
    entries = read_json(study / "study.json")["cells"]
    trained = [e for e in entries if "train.lr" in read_json(study / e["folder"] / "record.json")["setting"]]
    write_json(tmp_path / "s" / "study.json", read_json(study / "study.json") | {"cells": trained[:4]})
    out = tmp_path / "out"
    with pictures():
        draw_study([study, tmp_path / "s"], out=out)
        draw_study([study], out=tmp_path / "alone")
    said = "\nOf the commonest recipe alone; 4 settings of others are left out: train.lr = 1 (4).\n"
    assert (out / "claims.md").read_text().replace(said, "", 1) == (tmp_path / "alone" / "claims.md").read_text()
    rows = (out / "records.csv").read_text().splitlines()
    assert len(rows) == 1 + len(entries) + 4
