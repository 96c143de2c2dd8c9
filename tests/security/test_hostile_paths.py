"""Names, ids and links that lead out of a study, an archive or a model folder: nothing outside is written or deleted."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from composing import composed
from synthetic_study import Truth, grid, seal_cell, write_study

from analysis.load.studies import load_studies
from rft.archive.reading import ABOUT_FILE, About, _digest_of
from rft.archive.seals import fault
from rft.archive.writing import write_archive
from rft.core.checkpoints import check_folder
from rft.infra.live import Appender
from rft.infra.study import Study
from rft.records import OUTCOMES_FILE, RECORD_FILE, STUDY_FILE, Record, read_json, write_json

OUTSIDE = ("../other", "/tmp/x/y", "a/b", "..", ".", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of sealed cells, in folders as a run has them."""
    folder = write_study(tmp_path / "s", specs=grid(models=["nano-s"], fracs=[1.0]), truth=Truth(num_items=20))
    manifest = read_json(folder / STUDY_FILE)
    for entry in manifest["cells"]:
        (folder / entry["folder"]).rename(folder / entry["cell_id"])
        entry["folder"] = entry["cell_id"]
        seal_cell(folder / entry["cell_id"])
    write_json(folder / STUDY_FILE, manifest)
    return folder


def first(folder: Path) -> Path:
    return folder / str(read_json(folder / STUDY_FILE)["cells"][0]["cell_id"])


def tree(folder: Path) -> dict[str, bytes]:
    """Everything below a folder, links as what they say."""
    return {
        str(path.relative_to(folder)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("key", ["model.name", "data.name", "study_name"])
def test_a_name_that_is_a_path_is_refused(key: str):
    for value in ("../../x", "/tmp/x/y", ".."):
        with pytest.raises(ValueError, match="no path"):
            composed_named(key, value)


def composed_named(key: str, value: str) -> None:
    from rft.plan.validate import validate

    cfg = composed()
    place, _, name = key.rpartition(".")
    setattr(getattr(cfg, place) if place else cfg, name, value)
    validate(cfg)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_cell_that_would_lie_elsewhere_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="no folder directly in the study"):
        Study(tmp_path / "s", "s").fail(name, reason="", stage=None)
    assert not list(tmp_path.rglob("*.json"))


def test_a_linked_cell_is_no_record_and_nothing_of_it_is_touched(folder: Path, tmp_path: Path):
    cell, other = first(folder), tmp_path / "elsewhere"
    record = Record.from_json(read_json(cell / RECORD_FILE))
    shutil.move(cell, other)
    cell.symlink_to(other)
    before, study = tree(other), Study(folder, "s")
    assert [gap.cell_id for gap in load_studies([folder]).missing] == [record.cell_id]
    assert "is a link" in study.summary()[1][record.cell_id]
    for touch in (
        lambda: study.record(record.cell_id, cell_key=record.cell_key),
        lambda: study.clear(record.cell_id, cell_key="other"),
        lambda: study.fail(record.cell_id, reason="", stage=None),
    ):
        with pytest.raises(ValueError, match="is a link"):
            touch()
    with pytest.raises(ValueError, match="is a link"):
        write_archive(folder, to=tmp_path / "archive")
    assert tree(other) == before


@pytest.mark.parametrize("name", [RECORD_FILE, OUTCOMES_FILE, "failure.json"])
def test_a_linked_file_is_not_read_as_a_record_and_only_the_link_goes(folder: Path, tmp_path: Path, name: str):
    cell, other = first(folder), tmp_path / name
    record = Record.from_json(read_json(cell / RECORD_FILE))
    if (cell / name).exists():
        shutil.move(cell / name, other)
    else:
        other.write_text('{"reason": "another study\'s"}')
    (cell / name).symlink_to(other)
    before, study = other.read_bytes(), Study(folder, "s")
    assert [gap.cell_id for gap in load_studies([folder]).missing] == [record.cell_id]
    assert study.record(record.cell_id, cell_key=record.cell_key) is None
    study.fail(record.cell_id, reason="new", stage=None)
    study.clear(record.cell_id, cell_key=record.cell_key)
    assert not [path for path in cell.iterdir() if path.is_symlink()]
    assert other.read_bytes() == before


@pytest.mark.parametrize("name", [STUDY_FILE, "live", "wandb"])
def test_a_study_that_writes_elsewhere_is_refused(folder: Path, tmp_path: Path, name: str):
    other = tmp_path / "other"
    if (folder / name).exists():
        shutil.move(folder / name, other)
    else:
        other.mkdir()
    (folder / name).symlink_to(other)
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="is a link"):
        Study(folder, "s").register(["new-1"])
    assert {key: value for key, value in tree(tmp_path).items() if not key.endswith(".lock")} == before


def test_a_linked_log_is_not_appended_to(tmp_path: Path):
    (tmp_path / "other").write_text("theirs")
    (tmp_path / "sweep.jsonl").symlink_to(tmp_path / "other")
    Appender(tmp_path / "sweep.jsonl")({"a": 1})
    assert (tmp_path / "other").read_text() == "theirs"


def test_a_record_that_names_files_elsewhere_is_refused(folder: Path):
    row = read_json(first(folder) / RECORD_FILE)
    for name in OUTSIDE[:-2]:
        with pytest.raises(ValueError, match="no name of a file"):
            Record.from_json({**row, "files": {"outcomes": name}})


def test_digests_that_name_files_elsewhere_are_a_fault(folder: Path):
    cell = first(folder)
    write_json(cell / "digests.json", {**read_json(cell / "digests.json"), f"../{cell.name}/{OUTCOMES_FILE}": "0"})
    assert "is not what was written" in str(fault(cell))
    assert len(load_studies([folder]).missing) == 1


def test_an_archive_with_a_part_elsewhere_is_refused(folder: Path, tmp_path: Path):
    write_archive(folder, to=tmp_path / "archive")
    about = tmp_path / "archive" / ABOUT_FILE
    body = read_json(about)
    del body["digest"]
    body["parts"]["../x.jsonl.xz"] = {"bytes": 1, "sha256": ""}
    write_json(about, {**body, "digest": _digest_of(body)})
    with pytest.raises(ValueError, match="lies directly in the archive"):
        About.read(about)


def test_pickles_and_weights_elsewhere_are_refused(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="only pickle weights"):
        check_folder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    index = {"weight_map": {"w": "../other/model.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match="directly in the folder"):
        check_folder(tmp_path)
