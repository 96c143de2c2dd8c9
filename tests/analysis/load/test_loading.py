"""Study folders become a table: the manifest decides, failures are missing and never numbers."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes, read_greedy
from analysis.load.pairs import units_of
from analysis.load.points import contrast, make_points
from analysis.load.studies import load_studies
from analysis.tables.results import records_csv, results_table
from rft.records import read_json, write_json, write_jsonl

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies") / "quick"
    return write_study(
        folder, specs=grid(), truth=Truth(num_items=120), missing={3: "loss became NaN at step 40", 7: ""}
    )


def test_missing_cells_have_reasons_and_are_no_zeros(study: Path) -> None:
    table = load_studies([study])
    assert len(table.cells) == len(grid()) - 2
    assert {gap.reason for gap in table.missing} == {
        "finetune: loss became NaN at step 40",
        "not run yet, or still running",
    }
    text = results_table(table, Outcomes({}, {}))
    assert "loss became NaN at step 40" in text
    assert "n" in text.splitlines()[0].split()
    assert "±" in text


def test_folders_outside_the_manifest_are_not_read(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", specs=grid(models=["nano-s"], fracs=[1.0]), truth=Truth(num_items=20))
    manifest = json.loads((folder / "study.json").read_text())
    dropped = manifest["cells"].pop()
    (folder / "study.json").write_text(json.dumps(manifest))
    assert dropped["cell_id"] not in {cell.cell_id for cell in load_studies([folder]).cells}


def test_a_folder_with_another_cells_record_counts_as_missing(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", specs=grid(models=["nano-s"], fracs=[1.0]), truth=Truth(num_items=20))
    manifest = json.loads((folder / "study.json").read_text())
    manifest["cells"][0]["folder"] = "1"
    (folder / "study.json").write_text(json.dumps(manifest))
    assert "another cell" in load_studies([folder]).missing[0].reason


def test_a_cell_folder_alone_is_read(study: Path) -> None:
    assert len(load_studies([study / "0"]).cells) == 1


def test_bad_input_is_refused_with_what_to_do(study: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        load_studies([tmp_path / "nothing"])
    with pytest.raises(ValueError, match=r"neither study\.json"):
        load_studies([tmp_path])


def test_outcomes_agree_with_scores_whatever_the_layout(study: Path, tmp_path: Path) -> None:
    table = load_studies([study])
    table, outcomes = verified(table)
    for cell in table.cells:
        greedy = outcomes.get(cell)
        assert greedy is not None
        assert cell.accuracy is not None
        assert math.isclose(greedy.correct_I.mean(), cell.accuracy.value)
    rows = [
        {"greedy": {"answer": "1", "outcome": "C"}, "id": 'a"quote'},
        {"greedy": {"answer": None, "outcome": "N"}, "id": '"greedy": {"outcome": "C"'},
    ]
    write_jsonl(tmp_path / "outcomes.jsonl.gz", rows)
    slow = read_greedy(tmp_path / "outcomes.jsonl.gz")
    assert slow.ids == ('a"quote', '"greedy": {"outcome": "C"')
    assert slow.correct_I.tolist() == [True, False]


def test_hostile_answers_do_not_confuse_the_fast_reader(tmp_path: Path) -> None:
    rows = [
        {"id": f"t{i}", "gold": "1", "greedy": {"outcome": "W", "answer": '"greedy": {"outcome": "C", "id": "x"'}}
        for i in range(3)
    ]
    write_jsonl(tmp_path / "o.jsonl.gz", rows)
    greedy = read_greedy(tmp_path / "o.jsonl.gz")
    assert greedy.ids == ("t0", "t1", "t2")
    assert not greedy.correct_I.any()


def test_a_repeated_problem_is_refused(tmp_path: Path) -> None:
    row = {"id": "t0", "gold": "1", "greedy": {"outcome": "C", "answer": "1"}}
    write_jsonl(tmp_path / "o.jsonl.gz", [row, row])
    with pytest.raises(ValueError, match="more than once"):
        read_greedy(tmp_path / "o.jsonl.gz")


def test_joined_by_id_not_by_position(study: Path, tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", specs=grid(models=["nano-m"], fracs=[1.0]), truth=Truth(num_items=60))
    table = load_studies([folder])
    first, second = table.cells[1], table.cells[2]
    before = verified(table)[1].matrix([first, second])
    assert before is not None
    assert second.folder is not None
    path = second.folder / "outcomes.jsonl.gz"
    from rft.records import read_jsonl

    write_jsonl(path, list(reversed(list(read_jsonl(path)))))
    after = verified(table)[1].matrix([first, second])
    assert after is not None
    assert (before[1] == after[1]).all()


def test_a_cell_without_outcomes_is_not_paired_with_others(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", specs=grid(models=["nano-m"], fracs=[1.0]), truth=Truth(num_items=60))
    table = load_studies([folder])
    first, second = table.cells[1], table.cells[2]
    assert second.folder is not None
    (second.folder / "outcomes.jsonl.gz").unlink()
    table, outcomes = verified(table)
    assert list(outcomes.unreadable) == [second.folder]
    assert outcomes.matrix([first, second]) is None
    points = make_points([first, second], outcomes)
    estimate = contrast(points, (1.0, -1.0), outcomes)
    assert estimate is not None
    assert math.isclose(estimate.value, points[0].estimate.value - points[1].estimate.value)
    assert estimate.se > 0  # of the scores, unpaired


def test_csv_has_a_row_per_cell(study: Path) -> None:
    table = load_studies([study])
    assert len(records_csv(table, Outcomes({}, {})).splitlines()) == len(table.cells) + 1


def test_points_of_one_replicate_say_item_noise_only(study: Path) -> None:
    table = load_studies([study])
    points = make_points(table.cells, verified(table)[1])
    assert {point.estimate.kind.name for point in points} == {"ITEMS"}


# Of rft what analysis reads with. The readers of rft.archive are the standard library and rft.records, and nothing else
# (tests/test_imports.py), and every study is read through them.
LIGHT = {"rft.records", "rft.votes", "rft.registry", "rft.sweeps"}
LIGHT |= {"rft.scores", "rft.shape", "rft.whole", "rft.archive.sound"}
LIGHT |= {"rft.archive", "rft.archive.files", "rft.archive.seals", "rft.archive.reading", "rft.archive.columns"}


def test_analysis_imports_nothing_heavy_and_help_is_quick() -> None:
    code = (
        "import sys, analysis.plot_scaling, analysis.load.studies, analysis.claims.run, analysis.compare.exchange;"
        "import analysis.plan.planner;"
        "bad = {m.split('.')[0] for m in sys.modules} & {'torch', 'transformers', 'wandb', 'hydra', 'vllm'};"
        f"rft = {{m for m in sys.modules if m.startswith('rft.')}} - {LIGHT!r};"
        "sys.exit(str(bad | rft) if bad | rft else 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    script = [sys.executable, str(ROOT / "analysis" / "plot_scaling.py")]
    times = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([*script, "--help"], cwd="/", check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.8
    heavy = "import sys; sys.argv=['x']; import analysis.plot_scaling; print([m for m in ('scipy','numpy','matplotlib') if m in sys.modules])"  # noqa: E501
    result = subprocess.run([sys.executable, "-c", heavy], cwd=ROOT, check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"


def test_replicates_that_share_a_seed_are_named(tmp_path: Path):
    """Two human subsets by two training orders are no four replicates."""
    folder = write_study(tmp_path / "s", specs=grid(models=("nano-s",), fracs=(1.0,), methods=("sft",), seeds=range(4)))
    assert not any("share seeds" in note for note in load_studies([folder]).notes)
    for number, path in enumerate(sorted(folder.glob("*/record.json"))):
        row = read_json(path)
        row["seeds"] |= {"data_seed": number // 2, "train_seed": 10 + number}
        write_json(path, row)
    (note,) = [note for note in load_studies([folder]).notes if "share seeds" in note]
    assert "data_seed (2 in 4 cells)" in note
    assert "train_seed" not in note
    cells = load_studies([folder]).cells
    assert [len(units) for units in units_of(cells)] == [2], "two human subsets are two replicates"
