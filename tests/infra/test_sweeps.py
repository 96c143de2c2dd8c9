"""The sweeps of a study: which cells each asked for, cells taken off, one fault told once, numbers of a grid."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from config.test_study_configs import configs_of
from hydra._internal.callbacks import Callbacks
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf
from synthetic_study import Truth, cell_name, grid, write_study

from analysis.load.studies import load_studies
from analysis.plot_scaling import parse
from hydra_plugins.rft_sweepers.grids import GridsSweeper, _texts, references
from rft import cli
from rft.cli.study import _asked, _has
from rft.execute.sweep import _tell_faults
from rft.infra.graph import Event, Result, Task
from rft.infra.progress import Progress
from rft.infra.study import Study
from rft.records import STUDY_FILE, read_json, write_json
from rft.sweeps import entries_of, sweep_named, sweeps_of


@pytest.mark.parametrize(
    ("value", "refers"),
    [("1${pretrain_seed}", True), ("${seed}", True), ("${.k}", True), ("${ data.name }", True), ("4,16", False),
     ("${oc.env:HOME}/x", False), ("${oc.env:HOME}/${study_name}", True)],
)  # fmt: skip
def test_values_of_grids_that_refer_to_keys_are_found(value: str, refers: bool) -> None:
    """A study's replicates, `seed: "1${pretrain_seed}"`, all had the seed 10: the text was read once, with no job's seed."""
    sweeper = OmegaConf.create({"params": {"k": 4}, "grids": {"rft": {"method": "rft", "seed": value}}})
    assert references(sweeper) == ([f"grids.rft.seed: {value}"] if refers else [])
    sweeper = OmegaConf.create({"params": {"seed": value}, "grids": {}})
    assert references(sweeper) == ([f"params.seed: {value}"] if refers else [])


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        ((), ["sft 2 5", "rft 4 5", "rft 16 5"]),  # a grid's own values before those of all grids
        (("k=8",), ["sft 8 5", "rft 8 5"]),  # the command line before both
        (("seed=7,9",), ["sft 2 7", "sft 2 9", "rft 4 7", "rft 4 9", "rft 16 7", "rft 16 9"]),
    ],
)
def test_a_grids_own_values_stand_above_those_of_all_grids(words: tuple[str, ...], jobs: list[str]) -> None:
    sweeper = object.__new__(
        GridsSweeper
    )  # Hydra loads its plug-ins anew, so that the constructor's class may be another
    sweeper.params = {"k": "2", "seed": "5"}
    sweeper.grids = {"sft": {"method": "sft"}, "rft": {"method": "rft", "k": "4,16"}}
    with configs_of() as configs:
        loader = configs.composer.loader
        sweeper.hydra_context = HydraContext(config_loader=loader, callbacks=Callbacks())
        given = OverridesParser.create(config_loader=loader).parse_overrides([*sweeper._parse_config(), *words])
        (found,) = sweeper.split_arguments(given, None)
        cells = [configs.of(job) for job in found]
    assert [f"{cell.method} {cell.k} {cell.seed}" for cell in cells] == jobs


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two sweeps, of 2 and of 3 cells, one of them in both."""
    study = Study(tmp_path / "s", "s")
    for names in (("a-1", "b-2"), ("b-2", "c-3", "d-4")):
        study.begin(command=("-m", f"cells={','.join(names)}"))
        for name in names:
            study.register([name])
    return study


def cells_of(study: Study) -> list[tuple[int, tuple[str, ...]]]:
    return [(one.number, one.cells) for one in study.sweeps()]


def test_a_sweep_has_the_cells_that_it_asks_for_found_ones_too(study: Study):
    assert cells_of(study) == [(1, ("a-1", "b-2")), (2, ("b-2", "c-3", "d-4"))]
    assert study.sweeps()[1].command == "-m cells=b-2,c-3,d-4"
    assert [entry["cell_id"] for entry in study.cells()] == ["a-1", "b-2", "c-3", "d-4"]


def test_a_sweep_without_cells_is_forgotten_and_numbers_stay(study: Study):
    study.begin()
    study.begin(command=["again"])
    study.register(["a-1"])
    assert cells_of(study)[2:] == [(3, ("a-1",))]


def test_cells_from_before_sweeps_were_noted_are_the_first(study: Study):
    manifest = read_json(study.folder / STUDY_FILE)
    del manifest["sweeps"]
    write_json(study.folder / STUDY_FILE, manifest)
    assert study.sweeps() == []
    study.begin()
    study.register(["e-5"])
    assert cells_of(study) == [(1, ("a-1", "b-2", "c-3", "d-4")), (2, ("e-5",))]
    assert "from before sweeps were noted" in study.sweeps()[0].text()


def test_dropped_cells_leave_the_list_and_the_sweeps(study: Study):
    study.drop(["b-2"])
    assert cells_of(study) == [(1, ("a-1",)), (2, ("c-3", "d-4"))]
    assert [entry["cell_id"] for entry in study.cells()] == ["a-1", "c-3", "d-4"]


def test_the_manifest_has_a_line_for_each_cell_and_is_read_back_as_it_was(tmp_path: Path):
    study = Study(tmp_path / "s", 'a "quoted" näme')
    study.begin(command=["x=\n}, {", "[]"])
    study.register([f"cell-{n:08x}" for n in range(50)])
    text = (study.folder / STUDY_FILE).read_text()
    assert sum('"cell_id"' in line for line in text.splitlines()) == 50
    assert read_json(study.folder / STUDY_FILE)["study"] == 'a "quoted" näme'
    assert [entry["folder"] for entry in study.cells()] == [f"cell-{n:08x}" for n in range(50)]
    assert study.sweeps()[0].command == "x=\n}, { []"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no /dev/shm here")
def test_a_study_in_shared_memory_is_a_study():
    """A file below /dev was taken for a stream, and a second manifest written behind the first."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        study = Study(Path(folder) / "s", "s")
        study.register(["a-1"])
        study.register(["b-2"])
        assert [entry["cell_id"] for entry in study.cells()] == ["a-1", "b-2"]


@pytest.mark.parametrize("folder", ["../x", "a/b", ".", "..", "", "/x", "a\\b"])
def test_a_cells_folder_is_a_name_and_no_path(folder: str, tmp_path: Path):
    with pytest.raises(ValueError, match="a folder directly in the study"):
        entries_of({"cells": [{"cell_id": "c", "folder": folder}]}, path=tmp_path)


def test_an_unknown_sweep_lists_those_there_are(study: Study):
    manifest = read_json(study.folder / STUDY_FILE)
    assert sweep_named(manifest, "latest", folder=study.folder) == sweeps_of(manifest)[-1]
    with pytest.raises(ValueError, match=r"no sweep '7'.*\n  sweep 1: 2 cells, .*\n  sweep 2: 3 cells, "):
        sweep_named(manifest, "7", folder=study.folder)


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A study with records, whose second sweep is the cells of nano-m."""
    specs = grid(methods=("sft", "rft"), fracs=(1.0,))
    folder = write_study(tmp_path / "mine", specs=specs, truth=Truth(num_items=5))
    manifest = read_json(folder / STUDY_FILE)
    for entry in manifest["cells"]:
        (folder / entry["folder"]).rename(folder / entry["cell_id"])
        entry["folder"] = entry["cell_id"]
    write_json(folder / STUDY_FILE, manifest)
    study = Study(folder, "mine")
    study.begin(command=["-m", "model=nano-m"])
    study.register([cell_name(spec) for spec in specs if spec["model"] == "nano-m"])
    return folder


def test_a_figure_may_be_of_one_sweep(drawn: Path):
    assert {cell.model for cell in load_studies([drawn]).cells} == {"nano-s", "nano-m"}
    assert {cell.model for cell in load_studies([drawn], sweep="2").cells} == {"nano-m"}
    assert load_studies([drawn], sweep="latest").cells == load_studies([drawn], sweep="2").cells
    assert len(load_studies([drawn], sweep="1").cells) == len(load_studies([drawn]).cells)
    with pytest.raises(ValueError, match="no sweep '3'"):
        load_studies([drawn], sweep="3")
    assert parse([str(drawn), "--sweep", "2"]).out == drawn / "figures" / "sweep-2"
    assert parse([str(drawn), "--test-set", "svamp"]).out == drawn / "figures" / "svamp"
    assert parse([str(drawn)]).out == drawn / "figures"


def test_status_lists_the_sweeps(drawn: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.call(["status", str(drawn)]) == 0
    out = capsys.readouterr().out
    assert "sweep 1: 6 cells" in out
    assert "sweep 2: 3 cells" in out
    assert "-m model=nano-m" in out


def test_study_drop_says_which_cells_go_and_deletes_nothing(drawn: Path, capsys: pytest.CaptureFixture[str]):
    there = {path.name for path in drawn.iterdir()}
    wanted = ["study", "drop", str(drawn), "method=rft", "k=4,8", "model=nano-m"]
    assert cli.call([*wanted, "-n"]) == 0
    assert len(Study(drawn, "mine").cells()) == 6
    assert cli.call(wanted) == 0
    first, *named = capsys.readouterr().out.splitlines()[-2:]
    assert "no longer lists 1 of 6 cells" in first
    gone = {cell.cell_id for cell in load_studies([drawn]).cells} ^ {
        entry for entry in there if (drawn / entry).is_dir()
    }
    assert {name.strip() for name in named} == gone
    assert there <= {path.name for path in drawn.iterdir()}
    assert cli.call(["study", "drop", str(drawn), "k=16"]) == 2
    assert "no cell has k=16" in capsys.readouterr().err
    assert cli.call(["study", "drop", str(drawn), "methd=rft"]) == 2
    assert "no cell has the key 'methd'; did you mean method?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "asked", "same"),
    [
        (["a", "b"], "union=[a,b]", True),
        (["a", "b"], "union=[b,a]", False),
        (["a", "b"], "union=a", False),
        ([], "union=[]", True),
        (4, "union=1,4", True),
    ],
)
def test_a_list_is_named_as_on_the_command_line(value: object, asked: str, same: bool):
    known = {"union": value}
    assert _has(known, *_asked(asked, {"cell": known})) is same


def test_one_fault_is_told_once(caplog: pytest.LogCaptureFixture):
    stream = io.StringIO()
    tasks = [Task(name, (), "m:f", None) for name in "abc"]
    with Progress(tasks, workers=1, stream=stream) as progress:
        for task, error in zip(tasks, ("ValueError: row 3", "ValueError: row 3", "KeyError: 'x'"), strict=True):
            progress.on_event(Event("failed", task, error=error))
    assert stream.getvalue().count("ValueError: row 3") == 1
    assert stream.getvalue().count("KeyError") == 1
    results = {name: Result("failed", error="ValueError: row 3", traceback="Traceback: v") for name in "ab"}
    results |= {name: Result("failed", error="KeyError: 'x'", traceback="Traceback: k") for name in "cd"}
    _tell_faults(results)
    assert caplog.text.count("Traceback: k") == 1
    assert "Traceback: v" not in caplog.text


def test_the_summary_names_one_reason_once(study: Study):
    for name in ("a-1", "b-2", "c-3"):
        study.fail(name, reason="ValueError: row 3", stage=None)
    lines = study.summary_text().splitlines()[1:]
    assert lines == ["  missing: 3 cells: ValueError: row 3 (a-1, b-2, c-3)", "  missing: d-4: not finished"]


def test_numbers_of_a_grid_need_no_quotes():
    given: Any = OmegaConf.create({"k": 2, "data_frac": 0.5, "train.lr": None, "preflight": True, "method": "sft,rft"})
    expected = {"k": "2", "data_frac": "0.5", "train.lr": "null", "preflight": "true", "method": "sft,rft"}
    assert _texts(given) == expected
    with pytest.raises(ValueError, match=r'k: "4,16"'):
        _texts(OmegaConf.create({"k": [4, 16]}))


@pytest.mark.parametrize("words", ['{k: "4,16", seed: 2}', '.k="4,16"'])
def test_values_of_all_grids_are_given_on_the_command_line(words: str):
    """Where nothing was set before there was nothing to merge them into, and the start ended in a traceback."""
    word = f"+hydra.sweeper.params{'' if words.startswith('.') else '='}{words}"
    with configs_of() as configs:
        found = configs.composer.loader.load_configuration("config", [word, "study_name=x"], run_mode=RunMode.MULTIRUN)
    expected = {"k": "4,16", "seed": 2} if "{" in words else {"k": "4,16"}
    assert OmegaConf.to_container(found.hydra.sweeper.params) == expected


def test_batches_are_refused_since_each_would_choose_an_engine_of_its_own():
    sweeper = GridsSweeper.__new__(
        GridsSweeper
    )  # Hydra may have loaded its own class anew, which then fails in __init__
    sweeper.max_batch_size = 2
    with pytest.raises(SystemExit, match=r"max_batch_size=2 would plan the sweep in parts.* leave it out"):
        sweeper.sweep(["k=1,2,3,4"])
