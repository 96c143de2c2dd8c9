"""The public API, and the scripts of examples/ that stand on it alone, at a tiny size."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import forked
import pandas
import pytest
from composing import TINY
from synthetic_study import Truth, grid, write_study

from analysis.load.cells import varying_keys
from analysis.load.checks import verified
from analysis.load.studies import load_studies
from analysis.tables.results import records_csv
from rft import api
from rft.conf_path import conf_folder

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((REPOSITORY / "examples").glob("*.py"))


def example(name: str, *arguments: str | Path, folder: Path) -> str:
    """Run an example as a user does; returns what it printed."""
    done = forked.run(REPOSITORY / "examples" / name, *arguments, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_examples_use_the_api_alone():
    assert len(EXAMPLES) == 5
    for path in EXAMPLES:
        nodes = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = {(getattr(node, "module", None), alias.name) for node in nodes for alias in node.names}
        assert names <= {("rft", "api"), (None, "sys")}, path


def test_from_a_plan_to_records_and_figures(tmp_path: Path):
    """The walk of a user through one folder: what an example makes, the next one reads."""
    text = example("plan_cell.py", *TINY, folder=tmp_path)
    assert re.search(r"(\d+) of \1 stages are still to be computed", text)
    assert not list(tmp_path.iterdir())
    text = example("run_cell.py", *TINY, folder=tmp_path)
    cell = tmp_path / text.partition(":")[0]
    assert (cell / "record.json").is_file()
    again = example("plan_cell.py", "method=sft", *TINY, folder=tmp_path)
    assert "0 of" in again
    assert cell.name in again
    assert example("read_records.py", folder=tmp_path).splitlines()[0].startswith(f"{cell.name} ")
    text = example("walkthrough.py", *TINY, folder=tmp_path)
    assert text.count(" human examples: ") == 4
    assert "not enough data" in text or "points a doubling" in text
    assert list((tmp_path / "multirun_outputs/walkthrough/figures").glob("*.png"))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(
        tmp_path_factory.mktemp("made") / "study", specs=grid(), missing={1: "finetune: loss became NaN"}
    )


def test_fits_find_the_truth_that_a_study_was_made_with(study: Path, tmp_path: Path):
    text = example("fit_and_draw.py", study, "figures", folder=tmp_path)
    assert "loss became NaN" in text
    slopes = re.findall(r"^nano-m, SFT: \+(\S+) ± \S+ points a doubling, n = 3$", text, re.MULTILINE)
    assert float(slopes[0]) == pytest.approx(_true_slope("nano-m"), abs=3 * Truth().replicate_sd + 1)
    figures = [line for line in text.splitlines() if line.endswith(".png")]
    assert len(figures) > 3
    assert all((tmp_path / name).is_file() for name in figures)
    assert (tmp_path / "figures" / "fits.json").is_file()


def _true_slope(model: str) -> float:
    """Points a doubling of the data, straight from the generator."""
    spec = {"model": model, "method": "sft", "k": None}
    return Truth().accuracy({**spec, "data_frac": 1.0}) - Truth().accuracy({**spec, "data_frac": 0.5})


def test_a_frame_has_the_rows_of_the_csv_file_and_every_varying_key(study: Path):
    """Two ways out of one function, and the cells' own values."""
    table, outcomes = verified(load_studies([study]))
    frame = api.read(study).to_frame()
    rows = list(csv.DictReader(records_csv(table, outcomes).splitlines()))
    assert list(frame.columns) == list(rows[0])
    assert sorted(map(str, frame["cell_id"])) == sorted(row["cell_id"] for row in rows)
    assert set(varying_keys(table.cells)) <= set(frame.columns)
    for row in rows:
        mine = frame[frame["cell_id"] == row["cell_id"]].iloc[0]
        assert mine["maj1@1"] == pytest.approx(float(row["maj1@1"]))
        assert (row["k"] == "") == pandas.isna(mine["k"])
    rft = api.where(api.read(study), method="rft").to_frame()
    assert set(rft["method"]) == {"rft"}


def test_the_notebook_runs_as_a_script():
    cells = json.loads((REPOSITORY / "examples/frame.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    script = subprocess.run(
        [sys.executable, "-c", "\n".join([*code, "print(table.round(3).to_string())"])],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert script.returncode == 0, script.stderr
    assert "'data_frac'" in script.stdout
    assert "nano-xs" in script.stdout


def test_where_keeps_the_points_with_all_the_values(study: Path):
    results = api.read(study)
    assert {p.cell.k for p in api.where(results, method="rft").points} == {1, 4}
    chosen = api.where(results, model="nano-m", method="rft", k=4, data_frac=0.5, setting={"train.epochs": 4})
    assert [(p.cell.model, p.cell.k, p.cell.data_frac) for p in chosen.points] == [("nano-m", 4, 0.5)]
    assert api.where(results, setting={"union": []}).points == api.where(results, setting={"union": ()}).points != ()
    assert api.where(results).points == results.points


def test_where_refuses_a_name_that_no_point_has(study: Path):
    results = api.read(study)
    with pytest.raises(ValueError, match=r"no point has method='rtf'; there are .*rft"):
        api.where(results, method="rtf")
    with pytest.raises(ValueError, match=r"no point has train\.epochs=5; there are 4"):
        api.where(results, setting={"train.epochs": 5})
    with pytest.raises(ValueError, match=r"no point has the key 'train\.epoch'; there are .*train\.epochs"):
        api.where(results, setting={"train.epoch": 4})


def test_a_planned_cell_is_that_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    cell = api.plan("method=rft", "k=2", "data_frac=0.5", study="s")
    words = ("-m", "rft.run", "dry_run=true", "method=rft", "k=2", "data_frac=0.5")
    assert cell.cell_id in forked.run(*words, cwd=tmp_path).stdout
    assert cell.folder == Path("multirun_outputs/s") / cell.cell_id
    assert not list(tmp_path.iterdir())


def test_plan_finds_files_of_ones_own_and_names_slips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine/model").mkdir(parents=True)
    theirs = (conf_folder() / "model/nano-xs.yaml").read_text()
    (tmp_path / "mine/model/nano-own.yaml").write_text(theirs.replace("name: nano-xs", "name: nano-own"))
    cell = api.plan("model=nano-s", "union=[nano-own,nano-s]", "k=2", config_dir="mine")
    assert any("nano-own" in stage.label for stage in cell.stages)
    with pytest.raises(ValueError, match=r"unknown key 'data_frc'. Did you mean data_frac\?"):
        api.plan("data_frc=1")
    with pytest.raises(ValueError, match="dry_run"):
        api.run(api.plan("dry_run=true"))


def test_records_refuses_what_is_no_study(tmp_path: Path):
    with pytest.raises(ValueError, match="no study with cells"):
        api.records(tmp_path)


def test_nothing_of_rft_imports_the_analysis_or_torch_with_the_api():
    code = "import sys, rft.api, rft.cli.plot; print([n for n in ('analysis', 'torch', 'hydra') if n in sys.modules])"
    out = subprocess.check_output([sys.executable, "-c", code], cwd=REPOSITORY, text=True)
    assert out.strip() == "[]"
