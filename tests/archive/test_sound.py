"""One question, one answer: a cell that is not as it was written is refused by whoever reads it alone, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_study import Truth, grid, seal_cell, write_study

from analysis.explore.opened import open_study
from analysis.load.studies import load_studies
from rft import cli
from rft.archive import sound
from rft.archive.seals import is_record_edited
from rft.archive.sound import Reason, reason_of, sound_record
from rft.archive.writing import write_archive
from rft.check.explain import find_cell
from rft.export.cell import FinishedCell
from rft.infra.store import Store
from rft.records import (
    FAILURE_FILE,
    OUTCOMES_FILE,
    RECORD_FILE,
    STUDY_FILE,
    read_json,
    read_jsonl,
    write_json,
    write_jsonl,
)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = write_study(
        tmp_path / "s", specs=grid(models=["nano-s"], fracs=[1.0], methods=["sft"]), truth=Truth(num_items=20)
    )
    for entry in read_json(folder / STUDY_FILE)["cells"]:
        seal_cell(folder / entry["folder"])
    return folder


def cell(study: Path) -> Path:
    return study / str(read_json(study / STUDY_FILE)["cells"][0]["folder"])


def edit_record(folder: Path) -> None:
    row = read_json(folder / RECORD_FILE)
    write_json(folder / RECORD_FILE, {**row, "seeds": {**row["seeds"], "train_seed": 9}})


def edit_outcomes(folder: Path) -> None:
    write_jsonl(folder / OUTCOMES_FILE, [*reversed(list(read_jsonl(folder / OUTCOMES_FILE)))])


@pytest.mark.parametrize("edit", [edit_record, edit_outcomes])
def test_every_tool_refuses_an_edited_cell_by_itself(study: Path, edit: object, capsys: pytest.CaptureFixture[str]):
    folder, name = cell(study), read_json(cell(study) / RECORD_FILE)["cell_id"]
    assert sound_record(folder).cell_id == find_cell(study, name).cell_id == name
    assert load_studies([folder]).cells
    assert open_study([folder]).cells
    edit(folder)  # type: ignore[operator]
    with pytest.raises(ValueError, match="is not what was written"):
        sound_record(folder)
    with pytest.raises(ValueError, match="is not what was written"):
        find_cell(study, name)
    with pytest.raises(ValueError, match="is not what was written"):
        FinishedCell.open(folder, store=Store(study / ".store"))
    assert not load_studies([folder]).cells
    assert "is not what was written" in load_studies([folder]).missing[0].reason
    assert not open_study([folder]).cells
    assert cli.call(["explain", str(study), name]) == 2
    assert cli.call(["diff", str(folder), str(folder)]) == 2
    assert cli.call(["export", str(folder), "--to", str(study / "out"), "--store", str(study)]) == 2
    said = capsys.readouterr().err
    assert said.count("is not what was written") == 3


def test_an_archived_cell_is_sound(study: Path, tmp_path: Path):
    write_archive(study, to=tmp_path / "kept")
    assert sound_record(tmp_path / "kept" / cell(study).name) == sound_record(cell(study))


def test_why_there_is_no_record(study: Path):
    (cell(study) / RECORD_FILE).unlink()
    assert reason_of(cell(study)) is None
    with pytest.raises(ValueError, match="it is not finished"):
        sound_record(cell(study))
    write_json(cell(study) / FAILURE_FILE, {"reason": "NaN", "stage": "finetune"})
    assert reason_of(cell(study)) == Reason("NaN", "finetune")
    write_json(cell(study) / FAILURE_FILE, ["NaN"])
    assert "cannot be read" in str(reason_of(cell(study)))


def test_gc_asks_a_records_own_digest_alone(study: Path, monkeypatch: pytest.MonkeyPatch):
    """A cell's outcomes may be gigabytes, and say nothing of the stages that it rests on."""
    monkeypatch.setattr("rft.archive.seals._of_file", lambda path: pytest.fail(f"read {path}"))
    assert not is_record_edited(cell(study))
    edit_outcomes(cell(study))
    assert not is_record_edited(cell(study))
    edit_record(cell(study))
    assert is_record_edited(cell(study))


def test_digests_that_cannot_be_read_are_an_edit(study: Path):
    for text in ("[]", "{}", "no json", '{"record.json": 7}'):
        (cell(study) / "digests.json").write_text(text)
        assert is_record_edited(cell(study))
    (cell(study) / "digests.json").unlink()
    assert not is_record_edited(cell(study))
    assert sound.__doc__
