"""A study folder against refused sweeps, edits and paths that lead out of it."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from forking import begun, end_of
from synthetic_study import Truth, grid, seal_cell, write_study

from analysis.load.studies import load_studies
from rft.archive.seals import fault, sealed
from rft.infra.mirror_results import sweep_tables
from rft.infra.owners import ended
from rft.infra.study import Study
from rft.records import OUTCOMES_FILE, RECORD_FILE, STUDY_FILE, Record, read_json, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of sealed cells."""
    folder = write_study(tmp_path / "s", specs=grid(models=["nano-s"], fracs=[1.0]), truth=Truth(num_items=20))
    for path in folder.glob(f"*/{RECORD_FILE}"):
        seal_cell(path.parent)
    return folder


def edit_score(place: Path) -> None:
    row = read_json(place / RECORD_FILE)
    row["scores"]["maj1@1"]["value"] += 0.1
    write_json(place / RECORD_FILE, row)


def edit_letter(place: Path) -> None:
    path = place / OUTCOMES_FILE
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(text + text.splitlines(keepends=True)[0]))


def remove_outcomes(place: Path) -> None:
    (place / OUTCOMES_FILE).unlink()


def edit_digests(place: Path) -> None:
    (place / "digests.json").write_text("[]")


def names(study: Study) -> list[str]:
    return [entry["cell_id"] for entry in study.cells()]


def empty_digests(place: Path) -> None:
    (place / "digests.json").write_text("{}")


@pytest.mark.parametrize("edit", [empty_digests, edit_score, edit_letter, remove_outcomes, edit_digests])
def test_an_edited_cell_is_named_by_the_analysis_and_unfinished_for_a_rerun(folder: Path, edit):  # type: ignore[no-untyped-def]
    place = folder / "0"
    record, before = Record.from_json(read_json(place / RECORD_FILE)), load_studies([folder])
    shutil.copytree(place, folder / record.cell_id)  # where a run keeps the cell
    edit(place)
    edit(folder / record.cell_id)
    after = load_studies([folder])
    assert [gap.cell_id for gap in after.missing] == [record.cell_id]
    assert len(after.cells) == len(before.cells) - 1
    study = Study(folder, "s")
    assert study.record(record.cell_id, cell_key=record.cell_key) is None
    assert list(study.summary()[1]) == [record.cell_id]
    study.clear(record.cell_id, cell_key=record.cell_key)
    assert not (folder / record.cell_id / RECORD_FILE).exists()


def other_cell(place: Path) -> None:
    """As where a folder was copied over another: its digests fit."""
    shutil.rmtree(place)
    shutil.copytree(place.with_name("1"), place)


def no_record(place: Path) -> None:
    (place / "digests.json").unlink()
    (place / RECORD_FILE).write_text("{}")


@pytest.mark.parametrize("change", [edit_score, remove_outcomes, other_cell, no_record])
def test_status_and_the_mirror_count_the_cells_that_the_analysis_counts(folder: Path, change):  # type: ignore[no-untyped-def]
    num = len(load_studies([folder]).cells)
    study = Study(folder, "s")
    assert study.summary() == (num, {})
    assert sweep_tables(folder)[0] == num
    cell_id = Record.from_json(read_json(folder / "0" / RECORD_FILE)).cell_id
    change(folder / "0")
    table = load_studies([folder])
    finished, missing = study.summary()
    assert finished == len(table.cells) == num - 1
    assert list(missing) == [gap.cell_id for gap in table.missing] == [cell_id]
    assert study.summary(without={cell_id}) == (num - 1, {})
    count, tables = sweep_tables(folder)
    assert [row[0] for row in tables["missing"][1]] == [cell_id]
    assert count == len(tables["results"][1]) == num - 1
    assert cell_id not in [row[0] for row in tables["results"][1]]


def test_layout_and_order_of_a_record_do_not_count(folder: Path):
    row = read_json(folder / "0" / RECORD_FILE)
    write_json(folder / "0" / RECORD_FILE, dict(reversed(row.items())))
    assert fault(folder / "0") is None


def test_a_study_from_before_digests_is_read_with_a_note(folder: Path):
    assert not any("digests" in note for note in load_studies([folder]).notes)
    (folder / "0" / "digests.json").unlink()
    table = load_studies([folder])
    assert not table.missing
    assert not sealed(folder / "0")
    assert any("1 cells" in note and "digests.json" in note for note in table.notes)


@pytest.mark.parametrize("place", ["../other/0", "/etc", "..", "a/b", ""])
def test_a_manifest_that_leads_out_of_the_study_is_refused(folder: Path, place: str):
    manifest = read_json(folder / STUDY_FILE)
    manifest["cells"][0] |= {"folder": place, "invalid": True}
    write_json(folder / STUDY_FILE, manifest)
    with pytest.raises(ValueError, match="no path"):
        load_studies([folder])
    with pytest.raises(ValueError, match="no path"):
        Study(folder, "s").begin()


@pytest.mark.parametrize("replaces", [False, True])
def test_a_refused_sweep_changes_no_list(tmp_path: Path, replaces: bool):
    study = Study(tmp_path / "s", "s")
    study.begin()
    study.register(["a-1", "b-2"])
    study.register_invalid("k=0", reason="k=0 is outside [1, inf)")
    before = study.cells()
    study.begin(replace=replaces)  # and refused: nothing registers
    assert study.cells() == before
    assert [one.cells for one in study.sweeps()] == [("a-1", "b-2")]


def test_a_replacing_sweep_swaps_the_list_with_its_first_cell(tmp_path: Path):
    study = Study(tmp_path / "s", "s")
    study.begin()
    study.register(["a-1", "b-2"])
    study.register_invalid("k=0", reason="bad")
    study.begin(replace=True, command=["again"])
    study.register_invalid("k=0", reason="still bad")
    study.register(["b-2", "c-3"])
    assert names(study) == ["invalid job (k=0)", "b-2", "c-3"]
    study.begin()
    study.register(["c-3"])
    assert names(study) == ["b-2", "c-3"]
    assert not list(study.folder.glob("invalid-*"))


def test_jobs_that_read_alike_once_masked_are_two_and_stay_the_same_in_a_rerun(tmp_path: Path):
    study = Study(tmp_path / "s", "s")
    for _ in range(2):
        study.begin()
        for secret in ("hunter2", "hunter3"):
            study.register_invalid(f"hub.token={secret} k=0", reason="k=0")
        study.register_invalid("k=0", reason="k=0")
        one, other, plain = names(study)
        assert one != other
        assert one.startswith("invalid job (hub.token=*** k=0) ")
        assert plain == "invalid job (k=0)"
        assert len(list(study.folder.glob("invalid-*"))) == 3
        assert "hunter" not in "".join(path.read_text() for path in study.folder.rglob("*.json"))


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(tmp_path: Path):
    study = Study(tmp_path / "s", "s")
    study.register(["a-1"])
    cell = study.path_of("a-1")
    cell.mkdir()
    dead = begun(lambda: None)
    end_of(dead)
    living = os.getppid()  # not this process: the list's own half file would take the place of one that lies there
    halves = [folder / f".{name}.{pid}.tmp" for folder, name in ((cell, "record.json"), (study.folder, "study.json"))
              for pid in (dead, living)]  # fmt: skip
    for path in halves:
        path.write_text("{")
        os.utime(path, (1, 1))
    (cell / ".fresh.json.0.tmp").write_text("{")  # of a process that was killed just now
    growing, done = cell / ".growing.json.0.tmp", threading.Event()  # a process of another machine is at it
    growing.write_text("{")

    def grow() -> None:
        while not done.wait(0.1):
            with open(growing, "a") as file:
                file.write(" ")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        study.clear("a-1", cell_key="x")
    finally:
        done.set()
        writer.join()
    study.register(["b-2"])
    left = sorted(path.name for path in tmp_path.rglob(".*.tmp"))
    assert left == sorted([growing.name, f".record.json.{living}.tmp", f".study.json.{living}.tmp"])


def test_what_a_process_left_that_has_ended_and_is_still_listed_is_removed(tmp_path: Path):
    study = Study(tmp_path / "s", "s")
    study.register(["a-1"])
    cell = study.path_of("a-1")
    cell.mkdir()
    dead = begun(lambda: None)  # nobody has asked how it ended yet
    try:
        while not ended(dead):
            time.sleep(0.01)
        assert Path(f"/proc/{dead}").exists()
        (cell / f".digests.json.{dead}.tmp").write_text("{")
        study.clear("a-1", cell_key="x")
        assert list(cell.glob(".*.tmp")) == []
    finally:
        end_of(dead)


def test_a_cell_that_somebody_called_invalid_keeps_its_folder(tmp_path: Path):
    study = Study(tmp_path / "s", "s")
    study.register(["a-1"])
    (study.folder / "a-1").mkdir()
    (study.folder / "a-1" / "mine.txt").write_text("x")
    listed = read_json(study.folder / "study.json")
    listed["cells"][0]["invalid"] = True
    write_json(study.folder / "study.json", listed)
    Study(study.folder, "s").register(["b-2"])
    assert (study.folder / "a-1" / "mine.txt").read_text() == "x"
