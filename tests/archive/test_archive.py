"""An archive is the study: every reader gets from it, byte for byte, what the live folder gives; a damaged one is refused."""

from __future__ import annotations

import json
import lzma
import shutil
from pathlib import Path
from typing import Any

import pytest
from byte_model import overrides
from composing import composed, compute, tiny
from hypothesis import given
from hypothesis import strategies as st
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.load.checks import verified
from analysis.load.studies import load_studies
from analysis.study import draw_study
from analysis.tables.grids import paper_tables
from rft import api
from rft.archive.columns import pack, unpack
from rft.archive.files import rows_at
from rft.archive.reading import About, open_archive
from rft.archive.writing import write_archive
from rft.cli import call
from rft.cli.archive import archive
from rft.cli.status import study_text
from rft.infra.holdings import study_keys, unfinished
from rft.infra.study import Study
from rft.plan.validate import validate
from rft.records import read_json, read_jsonl, write_json, write_jsonl

CELLS = (
    ("method=icl",),
    ("method=sft", "data_frac=0.5"),
    ("method=sft",),
    ("method=sft_matched", "k=2", "temperature=1.5"),
    ("method=rft", "k=2", "temperature=1.5"),
)
VOTES = ("eval.vote_k=3", "eval.vote_temperature=1.0")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A computed study: controls, votes, kept paths, a numbers-changed copy."""
    folder = tmp_path_factory.mktemp("live")
    study = Study(folder / "study", "test")
    cells = [compute(tiny(*cell, *VOTES, f"store.root={folder}/store"), study=study.folder) for cell in CELLS]
    study.register([cell.name for cell in cells])
    return study.folder


@pytest.fixture(scope="module")
def kept(live: Path) -> Path:
    """Its archive."""
    archive(live, to=live.parent / "kept")
    return live.parent / "kept"


def synthetic(folder: Path, **options: Any) -> Path:
    return write_study(
        folder, specs=grid(models=("nano-s", "nano-m"), seeds=(0, 1)), truth=Truth(num_items=60), vote_k=3, **options
    )


def drawn(folder: Path, out: Path) -> dict[str, bytes]:
    """All that a drawing writes, by file name; the summary without its fingerprint and with no place in it."""
    with pictures("svg"):
        draw_study([folder], out=out, report=True)
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    text = found["summary.txt"].decode().partition("\n")[2]
    return found | {"summary.txt": text.replace(str(out), "OUT").replace(str(folder), "DIR").encode()}


def test_figures_tables_fits_claims_and_report_are_those_of_the_live_study(live: Path, kept: Path, tmp_path: Path):
    one, other = drawn(live, tmp_path / "a"), drawn(kept, tmp_path / "b")
    assert {"fits.json", "claims.md", "records.csv", "report.html", "table5.csv", "accuracy_vs_data.svg"} <= set(one)
    assert [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)] == []


@pytest.mark.slow
def test_so_they_are_of_a_study_with_replicates_votes_and_overlaps(tmp_path: Path):
    study = synthetic(tmp_path / "s")
    archive(study, to=tmp_path / "kept")
    one, other = drawn(study, tmp_path / "a"), drawn(tmp_path / "kept", tmp_path / "b")
    assert "accuracy_vs_k.svg" in one
    assert [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)] == []


def test_every_other_reader_reads_it_too(live: Path, kept: Path):
    assert api.records(kept) == api.records(live)
    assert len(api.records(kept)) == len(CELLS)
    assert study_text(kept).replace(str(kept), "") == study_text(live).replace(str(live), "")
    assert (study_keys(kept), unfinished(kept)) == (study_keys(live), 0)
    cell = load_studies([live]).cells[-1].folder
    assert cell is not None
    assert [one.cell_id for one in load_studies([kept / cell.name]).cells] == [cell.name]


def test_it_holds_every_row_and_record_as_it_was(live: Path, kept: Path):
    names = [entry["folder"] for entry in read_json(live / "study.json")["cells"]]
    compared = 0
    for path in (path for name in names for path in (live / name).glob("*.jsonl*")):
        rows = list(rows_at(kept / path.parent.name / path.name))
        assert [json.dumps(row) for row in rows] == [json.dumps(row) for row in read_jsonl(path)]
        compared += 1
    curves = len(CELLS) - 1  # of all but in-context learning
    assert compared == 2 * len(CELLS) + curves + 2  # outcomes and samples of each; kept paths of RFT and of its control
    for name in names:
        record = open_archive(kept).json(name, "record.json")
        assert json.dumps(record) == json.dumps(read_json(live / name / "record.json"))


def test_accuracies_on_a_numbers_changed_copy_are_those_of_the_live_study(tmp_path: Path):
    study = Study(tmp_path / "study", "study")
    cfg = composed(*overrides(tmp_path), "method=sft", "eval.perturbed_seed=3")
    study.register([compute(cfg, study=study.folder).name])
    archive(study.folder, to=tmp_path / "kept")
    one, other = (
        paper_tables(*verified(load_studies([folder])))["table_perturbed"]
        for folder in (study.folder, tmp_path / "kept")
    )
    assert one.texts() == other.texts()


def test_it_says_what_it_is_of(live: Path, kept: Path):
    about, record = About.read(kept / "archive.json"), api.records(live)[0]
    assert (about.study, about.num_cells, about.missing) == ("test", len(CELLS), {})
    assert record.provenance["commit"] in about.commits
    assert about.machines
    assert str(live) not in (kept / "archive.json").read_text()


@pytest.mark.parametrize(
    "part", ["archive.json", "study.json", "cells.jsonl.xz", "outcomes.jsonl.xz", "paths.jsonl.xz", "samples.jsonl.xz"]
)
def test_a_damaged_edited_or_absent_part_is_refused_by_name(kept: Path, tmp_path: Path, part: str):
    copy = shutil.copytree(kept, tmp_path / "copy")
    load_studies([copy])
    content = bytearray((copy / part).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / part).write_bytes(content)
    with pytest.raises(ValueError, match=part):
        load_studies([copy])
    if part not in ("archive.json", "study.json"):
        (copy / part).unlink()
        with pytest.raises(ValueError, match=f"{part} is absent"):
            load_studies([copy])


def test_an_edit_that_keeps_to_the_format_is_refused_too(kept: Path, tmp_path: Path):
    copy = shutil.copytree(kept, tmp_path / "copy")
    text = lzma.decompress((copy / "cells.jsonl.xz").read_bytes())
    (copy / "cells.jsonl.xz").write_bytes(lzma.compress(text.replace(b'"study":"test"', b'"study":"best"')))
    with pytest.raises(ValueError, match=r"cells\.jsonl\.xz differs from its digest"):
        api.read(copy)


def test_an_unfinished_study_is_refused_or_says_so(tmp_path: Path):
    study = synthetic(tmp_path / "s", missing={3: "loss became NaN at step 40", 7: ""})
    to = tmp_path / "kept"
    with pytest.raises(ValueError, match=r"2 of its cells are missing.*NaN at step 40.*--partial"):
        archive(study, to=to)
    assert not to.exists()
    assert "2 cells missing" in archive(study, to=to, partial=True)
    assert sorted(About.read(to / "archive.json").missing) == sorted(
        gap.cell_id for gap in load_studies([study]).missing
    )
    assert {gap.reason for gap in load_studies([to]).missing} >= {"finetune: loss became NaN at step 40"}
    assert len(load_studies([to]).cells) == len(load_studies([study]).cells)


def test_a_cell_that_contradicts_itself_is_never_kept_as_a_number(tmp_path: Path):
    study = synthetic(tmp_path / "s")
    record = read_json(study / "0" / "record.json")
    record["scores"]["maj1@1"]["value"] += 0.1
    write_json(study / "0" / "record.json", record)
    (study / "1" / "outcomes.jsonl.gz").unlink()
    with pytest.raises(ValueError, match=r"2 of its cells.*--partial"):
        archive(study, to=tmp_path / "kept")
    archive(study, to=tmp_path / "kept", partial=True)
    (one, other) = sorted(load_studies([tmp_path / "kept"]).missing, key=lambda gap: "absent" in gap.reason)
    assert "record.json says maj1@1 value" in one.reason
    assert "outcomes.jsonl.gz is absent" in other.reason
    assert str(tmp_path) not in one.reason


def test_too_large_a_study_is_refused_with_its_parts(live: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"more than 1,000 \(.*outcomes\.jsonl\.xz.*--samples"):
        write_archive(live, to=tmp_path / "kept", most_bytes=1000)
    assert not list(tmp_path.iterdir())


def test_samples_can_be_capped_and_nothing_else_changes(live: Path, tmp_path: Path):
    archive(live, to=tmp_path / "kept", samples=2)
    cells = load_studies([tmp_path / "kept"]).cells
    assert {len(list(rows_at(cell.folder / "samples.jsonl"))) for cell in cells if cell.folder} == {2}
    assert About.read(tmp_path / "kept" / "archive.json").samples_per_cell == 2
    assert api.records(tmp_path / "kept") == api.records(live)
    paths = [cell.folder / "outcomes.jsonl.gz" for cell in cells if cell.folder]
    assert all(list(rows_at(path)) == list(read_jsonl(live / path.parent.name / path.name)) for path in paths)


def test_another_folder_is_never_replaced(live: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("mine")
    assert call(["archive", str(live), "--to", str(tmp_path / "mine")]) == 2
    assert "is no archive" in capsys.readouterr().err
    assert call(["archive", str(live), "--to", str(live)]) == 2
    assert call(["archive", str(tmp_path)]) == 2
    assert call(["archive", str(live), "--to", str(tmp_path / "kept")]) == 0
    before = (tmp_path / "kept" / "archive.json").read_bytes()
    assert call(["archive", str(live), "--to", str(tmp_path / "kept")]) == 0
    assert (
        tmp_path / "kept" / "archive.json"
    ).read_bytes() == before  # and twice the same study is twice the same bytes


def test_no_study_takes_the_folder_of_archives():
    cfg = tiny("method=sft")
    cfg.study_name = "reference"
    with pytest.raises(ValueError, match="choose another name"):
        validate(cfg)


def test_an_archived_file_of_outcomes_with_a_repeated_problem_is_refused_as_a_live_one_is(tmp_path: Path):
    study = synthetic(tmp_path / "s")
    path = study / "0" / "outcomes.jsonl.gz"
    rows = list(read_jsonl(path))
    write_jsonl(path, [*rows[:-1], rows[0]])
    write_archive(study, to=tmp_path / "kept")
    (gap,) = verified(load_studies([tmp_path / "kept"]))[0].missing
    assert "more than once" in gap.reason


SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 0.1, -0.0, 1e300]) | st.text(max_size=2)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab."), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=8))
def test_columns_give_back_any_json_as_it_was(values: list[Any]):
    column = json.loads(json.dumps(pack(values)))
    assert json.dumps(unpack(column, num=len(values))) == json.dumps(values)


def test_files_of_a_users_own_stay_beside_a_renewed_archive(tmp_path: Path):
    study, to = synthetic(tmp_path / "study", samples=3), tmp_path / "kept"
    write_archive(study, to=to)
    (to / "README.md").write_text("mine")
    (to / "notes").mkdir()
    (to / "notes" / "a.txt").write_text("mine too")
    write_archive(study, to=to, samples_per_cell=0)
    assert (to / "README.md").read_text() == "mine"
    assert (to / "notes" / "a.txt").read_text() == "mine too"
    assert open_archive(to).about.samples_per_cell == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "study"]  # nothing of the work is left


def test_a_file_under_the_name_of_a_part_is_refused_and_stays(tmp_path: Path):
    study, to = synthetic(tmp_path / "study"), tmp_path / "kept"
    write_archive(study, to=to)
    (to / "samples.jsonl.xz").write_text("mine")
    with pytest.raises(ValueError, match=r"holds samples\.jsonl\.xz, which is not of the archive there"):
        write_archive(synthetic(tmp_path / "more", samples=3), to=to)
    assert (to / "samples.jsonl.xz").read_text() == "mine"
    assert open_archive(to).about.study


def test_work_of_another_name_beside_an_archive_stays(tmp_path: Path):
    """A folder '.kept.new' was removed, whoever made it; a link is followed to where a user keeps the archive."""
    study = synthetic(tmp_path / "study")
    (tmp_path / ".kept.new").mkdir()
    (tmp_path / ".kept.new" / "a.txt").write_text("mine")
    (tmp_path / "disk").mkdir()
    (tmp_path / "kept").symlink_to(tmp_path / "disk")
    write_archive(study, to=tmp_path / "kept")
    assert (tmp_path / ".kept.new" / "a.txt").read_text() == "mine"
    assert (tmp_path / "kept").is_symlink()
    assert open_archive(tmp_path / "disk").recorded()
