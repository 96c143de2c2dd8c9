"""What the explorer's documents say against the files of the study, read another way, and against the analysis."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from explored import HOSTILE, hostile_study, unpacked
from synthetic_study import Truth, grid, seal_cell, write_study

from analysis.explore.documents import Documents
from analysis.explore.index import coded, index_of
from analysis.explore.opened import Opened, open_study
from analysis.load.points import accuracy_interval, make_points
from rft.archive.writing import write_archive
from rft.records import RECORD_FILE, read_json, read_jsonl
from rft.text.equations import equation_parts


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return open_study([hostile_study(tmp_path_factory.mktemp("studies") / "hostile")], marks=equation_parts)


@pytest.fixture(scope="module")
def documents(study: Opened) -> Documents:
    return Documents(study)


def test_points_are_those_of_the_analysis(study: Opened, documents: Documents):
    points = unpacked(documents.get("index.json.gz"))["points"]
    made = {p.cell.setting_key + p.cell.base: p for p in make_points(study.cells, study.outcomes)}
    assert len(points["cells"]) == len(made)
    for place, cells in enumerate(points["cells"]):
        first = study.cells[cells[0]]
        point = made[first.setting_key + first.base]
        assert [study.cells[cell].cell_id for cell in cells] == [cell.cell_id for cell in point.cells]
        score = points["scores"]["maj1@1"]
        assert score["value"][place] == pytest.approx(point.estimate.value, rel=1e-6)
        assert (score["low"][place], score["high"][place]) == pytest.approx(accuracy_interval(point.estimate), rel=1e-6)
    assert sorted(cell for cells in points["cells"] for cell in cells) == list(range(len(study.cells)))
    assert {"num_human", "data_frac", "k", "loss", "flops", "seconds"} == {axis["name"] for axis in points["axes"]}
    assert "pass@3" in points["scores"]


def test_losses_on_different_texts_have_axes_of_their_own_and_labels_say_what_varies_within_a_base(tmp_path: Path):
    specs = grid(models=("nano-s", "nano-m"), fracs=(1.0,), ks=(4,), methods=("sft", "rft"))
    for spec in specs:
        spec |= {"train.batch_size": 8 if spec["model"] == "nano-s" else 16}  # a base each
    specs += [{**spec, "train.batch_size": 32, "seed": 1} for spec in specs if spec["model"] == "nano-m"]
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20))
    for path in folder.glob("*/record.json"):
        record = json.loads(path.read_text())
        record["model"]["loss_text"] = f"text of {record['names']['model']}"
        path.write_text(json.dumps(record))
    points = index_of(open_study([folder]))["points"]
    axes = {axis["name"]: axis for axis in points["axes"] if axis["name"].startswith("loss")}
    assert set(axes) == {"loss text of nano-s", "loss text of nano-m"}
    shown = axes["loss text of nano-s"]
    assert "nano-m" not in shown["title"]
    assert [x is None for x in shown["values"]] == ["nano-m" in label for label in points["labels"]]
    assert [label for label in points["labels"] if "nano-s" in label] == ["nano-s, SFT", "nano-s, RFT k=4"]
    assert sorted(label.partition("batch_size ")[2] for label in points["labels"] if "nano-m" in label) == [
        "16",
        "16",
        "32",
        "32",
    ]


def test_every_outcome_is_the_one_of_its_file(study: Opened, documents: Documents):
    questions = unpacked(documents.get("questions.json.gz"))
    content = gzip.decompress(documents.get("outcomes.bin.gz") or b"")
    start, seen = 0, 0
    for block in questions["blocks"]:
        for cell in block["cells"]:
            path = study.cells[cell].outcomes_path
            assert path is not None
            lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
            said = dict(zip(block["problems"], content[start : start + len(block["problems"])], strict=True))
            for row in lines:
                code = said[questions["ids"].index(row["id"])]
                assert " CWNT"[code] == row["greedy"]["outcome"]
            start, seen = start + len(lines), seen + 1
    assert (start, seen) == (len(content), len(study.cells))


def test_questions_have_the_texts_that_files_hold_and_no_others(study: Opened, documents: Documents):
    questions = unpacked(documents.get("questions.json.gz"))
    held: dict[str, set[str]] = {}
    for place, cell in enumerate(study.cells):
        assert cell.folder is not None
        mine = set()
        for row in read_jsonl(cell.folder / "samples.jsonl"):
            held.setdefault(row["id"], set()).add(row["question"])
            mine.add(row["id"])
        paths = cell.folder / "paths.jsonl.gz"
        mine |= {row["id"] for row in read_jsonl(paths)} if paths.is_file() else set()
        assert {questions["ids"][q] for q in questions["shown"][questions["shown_of"][place]]} == mine
    for name, text in zip(questions["ids"], questions["texts"], strict=True):
        assert text in held.get(name, {None})
    assert None in questions["texts"]


def test_a_cell_has_its_texts_word_for_word(study: Opened, documents: Documents):
    questions = unpacked(documents.get("questions.json.gz"))["ids"]
    for place, cell in enumerate(study.cells):
        assert cell.folder is not None
        said = unpacked(documents.get(f"cells/{place}.json.gz"))
        rows = list(read_jsonl(cell.folder / "samples.jsonl"))
        assert [("".join(t for t, _ in row["parts"]), questions[row["question"]]) for row in said["texts"]] == [
            (row["text"], row["id"]) for row in rows
        ]
        assert Counter((r["kept"], r["reason"]) for r in said["texts"]) == Counter(
            (r["kept"], r["reason"]) for r in rows
        )
        assert said["faults"] == []
        assert said["data"] == read_json(cell.folder / "record.json")["data"]
        assert said["curve"] is None
        draws = unpacked(documents.get(f"draws/{place}.json.gz"))["rows"]
        assert {len(row["outcomes"]) for row in draws} == {3}


def test_equations_of_solutions_are_marked(study: Opened, documents: Documents):
    marks: Counter[tuple[str, bool]] = Counter()
    for place in range(len(study.cells)):
        for row in unpacked(documents.get(f"cells/{place}.json.gz"))["texts"]:
            marks.update((row["outcome"], holds) for _, holds in row["parts"] if holds is not None)
    assert marks["correct", True] > 0 == marks["correct", False]  # 3*5=15 where it is right, 3*5=8 where it is not
    assert marks["wrong", False] > 0


def test_a_hostile_text_arrives_as_it_is(study: Opened, documents: Documents):
    place = next(i for i, cell in enumerate(study.cells) if cell.folder and cell.folder.name == "3")
    assert unpacked(documents.get(f"cells/{place}.json.gz"))["texts"][0]["parts"][0][0] == HOSTILE
    assert HOSTILE in unpacked(documents.get("index.json.gz"))["missing"][0][2]


@pytest.mark.parametrize(
    "name", ["", "index.json", "cells/999.json.gz", "cells/-1.json.gz", "cells/01.json.gz", "cells/../0.json.gz",
             "../index.json.gz", "cells/٣.json.gz", "cells/0.json.gz\n"],
)  # fmt: skip
def test_no_other_name_is_a_document(documents: Documents, name: str):
    assert documents.get(name) is None


def test_a_damaged_sample_file_is_a_fault_of_its_cell_alone(tmp_path: Path):
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("sft", "rft"))
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16), samples=4)
    (folder / "0" / "samples.jsonl").write_text('{"id": "a", \n')
    documents = Documents(open_study([folder]))
    said = [unpacked(documents.get(f"cells/{place}.json.gz")) for place in range(2)]
    faults = {one["folder"]: one["faults"] for one in said}
    assert "line 1 is not JSON" in faults["0"][0]
    assert faults["1"] == []


def test_an_archive_has_the_documents_of_its_study(tmp_path: Path):
    specs = grid(models=("nano-m",), fracs=(0.5, 1.0), ks=(4,), methods=("sft", "rft"))
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20, num_full=16), samples=4, paths=True)
    for cell in folder.glob(f"*/{RECORD_FILE}"):
        seal_cell(cell.parent)
    write_archive(folder, to=tmp_path / "a")
    live, kept = (Documents(open_study([place])) for place in (folder, tmp_path / "a"))
    for name in live.names():
        assert live.get(name) == kept.get(name), name


def test_cells_of_one_id_have_names_of_their_own(tmp_path: Path):
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("sft",))
    one = write_study(tmp_path / "one", specs=specs, truth=Truth(num_items=20))
    other = write_study(
        tmp_path / "other", specs=[{**s, "epochs": 9} for s in specs], truth=Truth(num_items=20), rng_seed=1
    )
    for path in other.glob("*/record.json"):
        path.write_text(
            path.read_text().replace(read_json(path)["cell_id"], read_json(one / "0" / "record.json")["cell_id"])
        )
    manifest = (other / "study.json").read_text().replace("_9_", "_")
    (other / "study.json").write_text(manifest)
    ids = {read_json(path)["cell_id"] for path in tmp_path.glob("*/*/record.json")}
    (other / "study.json").write_text(
        json.dumps({**json.loads(manifest), "cells": [{"cell_id": ids.pop(), "folder": "0"}]})
    )
    keys = unpacked(Documents(open_study([one, other])).get("index.json.gz"))["cells"]["keys"]
    assert len(set(keys)) == len(keys) == 2


def test_numbers_come_by_size_and_words_behind_them():
    assert coded(["10", None, "9", "all"]) == {"values": ["9", "10", "all"], "codes": [1, -1, 0, 2]}


def test_a_control_says_that_it_trains_on_none_of_the_kept_paths():
    """By the committed study: paths of a control are those of the selection whose size it takes."""
    archive = Path(__file__).parents[3] / "multirun_outputs" / "reference" / "quickstart"
    study = open_study([archive])
    documents = Documents(study)
    said = {
        cell.method: unpacked(documents.get(f"cells/{place}.json.gz"))["only_sized"]
        for place, cell in enumerate(study.cells)
    }
    controls = ("sft_matched", "fresh_human", "oracle_paths")
    assert {method for method, only in said.items() if only} == set(controls)
    assert not said["rft"]


def test_a_path_that_a_chooser_left_out_is_not_kept():
    """By the committed study of all choosers, whose files say of such paths that the selection kept them."""
    archive = Path(__file__).parents[3] / "multirun_outputs" / "reference" / "methods"
    study = open_study([archive])
    documents, seen = Documents(study), 0
    for place, cell in enumerate(study.cells):
        if cell.setting.get("select.choose", "policy") == "policy":
            continue
        said = unpacked(documents.get(f"cells/{place}.json.gz"))
        left = {(path["question"], path["model"], path["draw"]) for path in said["paths"]}
        assert len(left) == cell.num_augmented or cell.method == "sft_matched"
        pool = [row for row in said["texts"] if row["source"] == "pool"]
        assert all(row["kept"] == ((row["question"], row["model"], row["draw"]) in left) for row in pool)
        seen += sum(row["reason"] == "not_chosen" for row in pool)
    assert seen > 0
